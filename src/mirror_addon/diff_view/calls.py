"""The section "Calls" of Mirror Diff: what both sides called, side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from mirror_addon.compare.calls import BLOCKED
from mirror_addon.compare.calls import MISSING
from mirror_addon.compare.calls import PASSED
from mirror_addon.compare.calls import Call
from mirror_addon.diff_view.text import BLANK
from mirror_addon.diff_view.text import Line
from mirror_addon.statistics.formats import shortened
from mirror_addon.statistics.formats import shown_value

SHOWN = 50
NOTHING = "-"


def call_lines(calls: Sequence[Call]) -> Iterator[Line]:
    """Yield a heading, and for each call a row: what became of it, the primary's call and the shadow's. Below a row are
    the differences of the two."""
    yield BLANK
    yield Line("header", f"Calls to other services ({counted(calls)})")
    shown = calls[:SHOWN]
    rows = [("", "primary", "shadow"), *(_row(call) for call in shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    texts = ["  " + f"{row[0].ljust(widths[0])}   {row[1].ljust(widths[1])}   {row[2]}".rstrip() for row in rows]
    yield Line("text", texts[0])
    for call, text in zip(shown, texts[1:], strict=True):
        yield Line("text", text)
        for each in call.differences:
            values = f"{shown_value(each.primary)} | {shown_value(each.shadow)}"
            if each.noise:
                yield Line("aside", f"    ~ {each.path}: {each.kind} ({each.noise}): {values}")
                continue
            yield Line("text", f"    {each.path}: {each.kind}")
            if each.kind != "extra":
                yield Line("primary", f"      - {shown_value(each.primary)}")
            if each.kind != "missing":
                yield Line("shadow", f"      + {shown_value(each.shadow)}")
        for made in call.twin:
            yield Line(
                "aside", f"    {made.where}: {shortened(made.shadow)} is the primary's {shortened(made.primary)}"
            )
        if call.note:
            yield Line("aside", f"    note: {call.note}")
    if len(calls) > len(shown):
        yield Line("text", f"  and {len(calls) - len(shown)} more")


def counted(calls: Sequence[Call]) -> str:
    """`3 answered, 1 different`."""
    states = [call.state for call in calls]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _row(call: Call) -> tuple[str, str, str]:
    made = f"{call.method} {call.url}"
    if call.state == MISSING:
        return call.state, made, NOTHING
    alone = call.state in (BLOCKED, PASSED) and not call.note
    of_primary = f"{call.method} {call.primary_url}" if call.primary_url else made
    return call.state, NOTHING if alone else of_primary.partition("?")[0], made
