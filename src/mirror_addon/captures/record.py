"""Records with bodies, as `mirror_record` with `mirror_record_bodies` writes them.

A record has one line a shadow. A primary with several shadows has several lines, of which one is used: the first that
has the request.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Iterator
from datetime import datetime

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Unreadable
from mirror_addon.captures.entry import flow_of
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream
from mirror_addon.captures.urls import split_url
from mirror_addon.compare.answer import PROGRAM_CLOCK
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import KeptRequest
from mirror_addon.compare.report.lines import KeptSide
from mirror_addon.compare.report.lines import LineError
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import NotJson
from mirror_addon.compare.report.reading import MAX_LINE
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.names import authority_port

_BLANK = REDACTED.decode()
_REMEMBERED = 50_000
"""Primaries whose further lines are recognised. The lines of one primary are close together in the file."""


class CapturedLine(KeptLine, frozen=True, gc=False):
    """A line of a record with the fields that a replay needs."""

    flow: str = ""
    draw: int | None = None
    client: str = ""


def read_record(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[Entry | Unreadable]:
    """The primaries of a record.

    A line that cannot be read is a warning, but a file whose first line is not one of a record raises CaptureError.
    """
    primaries = _Primaries()
    for number, line in _lines(stream, warn):
        try:
            entry = _entry(line, stream.position)
        except ValueError as error:
            warn(f"{stream.path}:{number}: {error}; left out")
        else:
            yield from primaries.add(entry)
    yield from primaries.rest()


class _Primaries:
    """Selects one line of each primary: the first that has the request; where none has, the first."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Entry | None] = OrderedDict()

    def add(self, entry: Entry) -> Iterator[Entry]:
        id = entry.flow.id
        missing = self._seen.get(id)
        if entry.left_out:
            self._seen.setdefault(id, entry)
        elif id not in self._seen or missing is not None:
            self._seen[id] = None
            yield entry
        if len(self._seen) > _REMEMBERED:
            _, oldest = self._seen.popitem(last=False)
            if oldest is not None:
                yield oldest

    def rest(self) -> Iterator[Entry]:
        """At the end of the file: the primaries of which no line has the request."""
        return (entry for entry in self._seen.values() if entry is not None)


def _lines(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[tuple[int, CapturedLine]]:
    parse = LineParser(CapturedLine)
    number = lines = 0
    while text := stream.readline(MAX_LINE):
        number += 1
        if not text.strip():
            continue
        try:
            line = parse(text)
        except LineError as error:
            torn = isinstance(error, NotJson) and not text.endswith(b"\n") and len(text) < MAX_LINE
            problem = "the last line is incomplete" if torn else str(error)
            if not lines:
                raise CaptureError(
                    f"{stream.path}:{number}: {problem}; name a mitmproxy dump, a HAR, or a record with bodies"
                ) from None
            warn(f"{stream.path}:{number}: {problem}; {'the lines before it are used' if torn else 'left out'}")
            while not text.endswith(b"\n") and text:
                text = stream.readline(MAX_LINE)
        else:
            lines += 1
            yield number, line


def _entry(line: CapturedLine, position: int) -> Entry:
    scheme, authority, path = split_url(line.url)
    if path == b"/" and line.method == "OPTIONS" and line.url.count("/") == 2:
        path = b"*"
    request = line.request or KeptRequest()
    left_out = "" if request.body is not None else "body_not_kept"
    headers, redacted = _headers(request.headers)
    started = line.start or _moment(line.time)
    body = None if request.body is None else _bytes(request.body, request.encoding)
    host = authority.rpartition(b":")[0] or authority
    kept_request = http.Request(
        host.decode("latin-1"),
        authority_port(authority, scheme),
        line.method.encode("latin-1", "replace"),
        scheme,
        b"",
        path,
        b"HTTP/1.1",
        headers,
        body,
        None,
        started,
        started,
    )
    flow = flow_of(kept_request, _peer(line.client), None)
    flow.id = line.flow or line.id.partition("/")[0] or flow.id
    answer, blanked = _answer(line.primary)
    if answer.status is None:
        flow.error = mitm_flow.Error(answer.error or "unanswered", started)
    else:
        end = started + (answer.ms or 0.0) / 1000
        kept = tuple(answer.headers)
        flow.response = http.Response(b"HTTP/1.1", answer.status, b"", kept, answer.body, None, started, end)
    if request.cut:
        left_out = left_out or "body_cut"
    return Entry(flow, position, line.client, line.draw, answer, redacted, blanked, left_out)


def _headers(fields: tuple[tuple[str, str], ...]) -> tuple[Fields, tuple[str, ...]]:
    """The fields as bytes without those whose values are blanked, and the names of these."""
    kept = tuple((_raw(name), _raw(value)) for name, value in fields if value != _BLANK)
    return kept, tuple(name for name, value in fields if value == _BLANK)


def _raw(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _answer(side: KeptSide) -> tuple[Answer, tuple[str, ...]]:
    headers, blanked = _headers(side.headers)
    body = None if side.body is None else _bytes(side.body, side.encoding)
    times = side.ms, side.error or "", side.connect_ms, side.first_ms, side.clock or PROGRAM_CLOCK, side.late_ms
    return Answer(side.status, headers, body, side.bytes, *times), blanked


def _bytes(text: str, encoding: str | None) -> bytes:
    if encoding == "base64":
        return base64.b64decode(text, validate=True)
    return text.encode("utf-8", "surrogatepass")


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _peer(client: str) -> tuple[str, int]:
    host, _, port = client.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else ("", 0)
