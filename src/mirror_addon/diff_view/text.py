"""A pair as lines of text: verdict, both responses side by side, their differences and those of the requests. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import NamedTuple

from mitmproxy import http

from mirror_addon.compare.causes import CALL
from mirror_addon.compare.causes import causes_of
from mirror_addon.compare.endpoint import endpoint_of_pair
from mirror_addon.compare.graphql import operation_of
from mirror_addon.diff_view.requests import readable
from mirror_addon.diff_view.requests import request_differences
from mirror_addon.display.text import printable
from mirror_addon.host.upstream_clock import connect_time
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import count_in_words
from mirror_addon.shadow_flows.shadow_flow import milliseconds
from mirror_addon.shadow_flows.shadow_flow import status_of
from mirror_addon.statistics.formats import shortened
from mirror_addon.statistics.formats import shown_value

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.compare.difference import Difference

BEING_COMPARED = "The bodies are large and still being compared: choose another view, then this one again."


class Line(NamedTuple):
    """A line and its style: `header`, `text`, `primary`, `shadow`, `aside` (does not count) or `error`."""

    style: str
    text: str


BLANK = Line("text", " ")
"""A blank line. mitmweb draws an empty one with no height."""


def clean(text: str) -> str:
    """Make a line safe to show, and one of mitmweb's height if it is empty."""
    return printable(text) or " "


_DRAWN = re.compile(r"(?P<mirror>mirror \S+: )(?P<out>not )?drawn(?P<bracket> \(|: )")
_NUMBERS = re.compile(r"draw % \d+ = \d+ (?:<|>=) \d+ \((\S+ %)\)|[\d.]+ % (?:<|>=) (\S+ %)")


def sampled(line: str) -> str:
    """Return a line of a decision's trace with `sampled: yes (5 %)` in place of the random numbers, which
    `mirror.explain` shows."""
    drawn, numbers = _DRAWN.match(line), _NUMBERS.search(line)
    if drawn is None or numbers is None:
        return line
    how, rest = line[drawn.end() : numbers.start()], line[numbers.end() :]
    if drawn["bracket"] == " (":
        rest = rest.removeprefix(")")
    return f"{drawn['mirror']}sampled: {'no' if drawn['out'] else 'yes'} ({how}{numbers[1] or numbers[2]}){rest}"


def heading(primary: http.HTTPFlow | None, shadow: http.HTTPFlow, comparison: Comparison | None) -> Iterator[Line]:
    """Yield the verdict, and the two flows."""
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
        yield Line("text", "A control is sent to the primary once more: what differs is the primary's own noise.")


def findings(comparison: Comparison, primary: http.HTTPFlow) -> Iterator[Line]:
    """Yield which findings the differences belong to."""
    method, _, url = asked_for(primary).partition(" ")
    operation = operation_of(method, url, primary.request.raw_content or b"").name
    responses = [primary.response.headers.fields] if primary.response is not None else []
    endpoint = endpoint_of_pair(method, url.partition("?")[0], operation, *responses)
    for cause in causes_of((each for each in comparison.differences if not each.noise), endpoint):
        yield Line("text", f"finding {cause.id}  {cause.title}")


def asked_for(primary: http.HTTPFlow) -> str:
    """Return `GET http://host/path`, as the client sent it if that is stored, else as it was sent upstream."""
    line = meta.texts_of(primary, meta.ASKED_KEY)
    if len(line) == 4:
        method, scheme, authority, path = line
        return f"{method} {scheme}://{authority}{path}"
    return f"{readable(primary.request.data.method)} {primary.request.pretty_url}"


def side_by_side(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> Iterator[Line]:
    """Yield status, times and sizes of both responses, in columns."""
    rows = [("", "primary", "shadow", "")]
    rows.append(("status", status_of(primary), status_of(shadow), ""))
    totals = milliseconds(primary), milliseconds(shadow)
    by = f"{totals[1] - totals[0]:+.1f} ms" if totals[0] is not None and totals[1] is not None else ""
    rows.append(("total", _ms(totals[0]), _ms(totals[1]), by))
    rows.append(("first byte", _ms(_first_byte(primary)), _ms(_first_byte(shadow)), ""))
    rows.append(("connect", _ms(connect_time(primary)), _ms(connect_time(shadow)), ""))
    rows.append(("body", _size(primary), _size(shadow), ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield Line("text", "   ".join([*cells, row[3]]).rstrip())


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _first_byte(flow: http.HTTPFlow) -> float | None:
    if times := meta.numbers_of(flow, meta.TIMES_KEY):
        return times[1]
    begin, end = flow.request.timestamp_end, flow.response and flow.response.timestamp_start
    return (end - begin) * 1000 if begin and end else None


def _size(flow: http.HTTPFlow) -> str:
    if cut := meta.numbers_of(flow, meta.CUT_KEY):
        return f"{cut[1]:.0f} bytes, cut at {cut[0]:.0f}"
    if flow.response is None:
        return "-"
    body = flow.response.raw_content
    return "not kept" if body is None else f"{len(body)} bytes"


def responses(comparison: Comparison, body: Iterable[str]) -> Iterator[Line]:
    """Yield the differences of the responses; after them, marked with `~`, those that do not count.

    `body` is the difference of the bodies as lines. It replaces the short value that the comparison has for it. Calls
    to other services have a section of their own (`calls`).
    """
    counting = [each for each in comparison.differences if not each.noise and each.kind != CALL]
    aside = [each for each in comparison.differences if each.noise]
    body = list(body)
    if counting:
        yield BLANK
        yield Line("header", "Response (- primary, + shadow)")
        for each in counting:
            yield from _difference(each, body)
    if comparison.more:
        yield Line("text", f"  and {comparison.more} more differences, not listed")
    if aside:
        yield BLANK
        yield Line("header", "Differs, does not count")
        for each in aside:
            values = f"{shown_value(each.primary)} | {shown_value(each.shadow)}"
            yield Line("aside", f"  ~ {each.path}: {each.kind} ({each.noise}): {values}")
    for note in comparison.notes:
        yield Line("aside", f"  note: {note}")


def twin(comparison: Comparison) -> Iterator[Line]:
    """Yield what was translated in the shadow's request, each with the pair that it was learned from."""
    if comparison.twin:
        yield BLANK
        yield Line("header", "Translated in the shadow (- primary, + the mirror's own)")
        for each in comparison.twin:
            yield Line("text", f"  {each.where}, learned from {each.source}")
            yield Line("primary", f"    - {shortened(each.primary)}")
            yield Line("shadow", f"    + {shortened(each.shadow)}")


def _difference(each: Difference, body: list[str]) -> Iterator[Line]:
    where = f", first at {each.where}" if each.where and each.where != each.path else ""
    yield Line("text", f"  {each.path}: {each.kind}{where}")
    if each.path == "body" and body:
        for line in body:
            style = {"-": "primary", "+": "shadow"}.get(line[:1], "text")
            yield Line(style, f"    {line}")
        return
    if each.kind != "extra":
        yield Line("primary", f"    - {shown_value(each.primary)}")
    if each.kind != "missing":
        yield Line("shadow", f"    + {shown_value(each.shadow)}")


def requests(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> Iterator[Line]:
    """Yield the differences of the two requests, as they were sent."""
    yield BLANK
    yield Line("header", "Request as sent (- primary, + shadow)")
    for each in request_differences(primary.request, shadow.request):
        yield Line("text", f"  {each.what}")
        for style, sign, value in (("primary", "-", each.primary), ("shadow", "+", each.shadow)):
            for line in () if value is None else value.splitlines() or [""]:
                yield Line(style, f"    {sign} {shortened(line)}")
    if words := meta.texts_of(shadow, meta.ADAPTIONS_KEY):
        yield Line("text", f"  could not be sent exactly as it is: {', '.join(words)}")
