"""A pair in words, line by line: verdict, both answers, what differs, both requests, and why the shadow was sent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import NamedTuple

from mitmproxy import http

from mirror_addon.diff_view.requests import readable
from mirror_addon.diff_view.requests import request_differences
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import count_in_words
from mirror_addon.shadow_flows.shadow_flow import milliseconds
from mirror_addon.shadow_flows.shadow_flow import status_of

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.compare.difference import Difference

MAX_VALUE = 300
"""Characters of a value."""
BEING_COMPARED = "The bodies are large and being compared: look again in a moment (choose another view, then this one)."


class Line(NamedTuple):
    """A line and its style: `header`, `text`, `primary`, `shadow`, `aside` (does not count) or `error`."""

    style: str
    text: str


BLANK = Line("text", " ")
"""A blank line. mitmweb draws empty ones with no height."""


def clean(text: str) -> str:
    """A line that every interface can show: lone surrogates escaped, and no line break inside."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().splitlines()) or " "


def value_text(value: object) -> str:
    """A JSON value on one line, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text)} characters)"


def heading(primary: http.HTTPFlow | None, shadow: http.HTTPFlow, comparison: Comparison | None) -> Iterator[Line]:
    """The verdict, and which two flows it is about."""
    verdict = "not compared"
    if comparison is not None:
        verdict = " · ".join(part for part in (comparison.verdict or verdict, count_in_words(comparison)) if part)
        verdict = verdict.removeprefix("same · ")
        if aside := sum(bool(each.noise) for each in comparison.differences):
            verdict += f" · {aside} that do{'es' if aside == 1 else ''} not count"
    if shadow.error:
        verdict = f"failed · {shadow.error.msg}"
    yield Line("header", verdict)
    rule = meta.text_of(shadow, meta.RULE_KEY)
    kind = "control" if shadow.metadata.get(meta.CONTROL_KEY) else "shadow "
    target = meta.text_of(shadow, meta.TARGET_KEY)
    yield Line("text", f"{kind} {shadow.id[:8]} -> {target}" + (f", by {rule}" if rule else ""))
    if primary is not None:
        asked = asked_for(primary)
        yield Line("text", f"primary {primary.id[:8]}    {asked}")
    if shadow.metadata.get(meta.CONTROL_KEY):
        yield Line("text", "A control is the primary's own service, asked again: what differs is its own noise.")


def asked_for(primary: http.HTTPFlow) -> str:
    """`GET http://host/path`, as the client asked where that is kept."""
    line = meta.texts_of(primary, meta.ASKED_KEY)
    if len(line) == 4:
        method, scheme, authority, path = line
        return f"{method} {scheme}://{authority}{path}"
    return f"{readable(primary.request.data.method)} {primary.request.pretty_url}"


def side_by_side(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> Iterator[Line]:
    """Status, size and times of both answers."""
    rows = [("", "primary", "shadow", "")]
    rows.append(("status", status_of(primary), status_of(shadow), ""))
    totals = milliseconds(primary), milliseconds(shadow)
    by = f"{totals[1] - totals[0]:+.1f} ms" if totals[0] is not None and totals[1] is not None else ""
    rows.append(("total", _ms(totals[0]), _ms(totals[1]), by))
    rows.append(("first byte", _ms(_first_byte(primary)), _ms(_first_byte(shadow)), ""))
    rows.append(("connect", _ms(_connect(primary)), _ms(_connect(shadow)), ""))
    rows.append(("body", _size(primary), _size(shadow), ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield Line("text", "   ".join([*cells, row[3]]).rstrip())


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _first_byte(flow: http.HTTPFlow) -> float | None:
    begin, end = flow.request.timestamp_end, flow.response and flow.response.timestamp_start
    return (end - begin) * 1000 if begin and end else None


def _connect(flow: http.HTTPFlow) -> float | None:
    """None also where an open connection was used."""
    begin, end = flow.server_conn.timestamp_start, flow.server_conn.timestamp_tcp_setup
    if not (begin and end) or begin < flow.request.timestamp_start:
        return None
    return (end - begin) * 1000


def _size(flow: http.HTTPFlow) -> str:
    if cut := meta.numbers_of(flow, meta.CUT_KEY):
        return f"{cut[1]:.0f} bytes, cut at {cut[0]:.0f}"
    if flow.response is None:
        return "-"
    body = flow.response.raw_content
    return "not kept" if body is None else f"{len(body)} bytes"


def answers(comparison: Comparison, body: Iterable[str]) -> Iterator[Line]:
    """What differs in the answers; apart from it, each line after a `~`, what differs and does not count.

    `body` is the difference of the bodies as text, in place of the one short value that a comparison has of it.
    """
    counting = [each for each in comparison.differences if not each.noise]
    aside = [each for each in comparison.differences if each.noise]
    body = list(body)
    if counting:
        yield BLANK
        yield Line("header", "Answer (- primary, + shadow)")
        for each in counting:
            yield from _difference(each, body)
    if comparison.more:
        yield Line("text", f"  and {comparison.more} more differences, not listed")
    if aside:
        yield BLANK
        yield Line("header", "Differs, does not count")
        for each in aside:
            values = f"{value_text(each.primary)} | {value_text(each.shadow)}"
            yield Line("aside", f"  ~ {each.path}: {each.kind} ({each.noise}): {values}")
    for note in comparison.notes:
        yield Line("aside", f"  note: {note}")


def _difference(each: Difference, body: list[str]) -> Iterator[Line]:
    where = f", first at {each.where}" if each.where and each.where != each.path else ""
    yield Line("text", f"  {each.path}: {each.kind}{where}")
    if each.path == "body" and body:
        for line in body:
            style = {"-": "primary", "+": "shadow"}.get(line[:1], "text")
            yield Line(style, f"    {line}")
        return
    if each.kind != "extra":
        yield Line("primary", f"    - {value_text(each.primary)}")
    if each.kind != "missing":
        yield Line("shadow", f"    + {value_text(each.shadow)}")


def requests(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> Iterator[Line]:
    """In what the two requests differ as they were sent."""
    yield BLANK
    yield Line("header", "Request as sent (- primary, + shadow)")
    for each in request_differences(primary.request, shadow.request):
        yield Line("text", f"  {each.what}")
        for style, sign, value in (("primary", "-", each.primary), ("shadow", "+", each.shadow)):
            for line in () if value is None else value.splitlines() or [""]:
                cut = line if len(line) <= MAX_VALUE else f"{line[:MAX_VALUE]}… ({len(line)} characters)"
                yield Line(style, f"    {sign} {cut}")
    if words := meta.texts_of(shadow, meta.ADAPTIONS_KEY):
        yield Line("text", f"  could not be sent exactly as it is: {', '.join(words)}")
