"""Recorded traffic of any kind as one stream of requests that can be sent again.

Theory of operation. A capture is a mitmproxy dump, a HAR, a record with bodies, or a file of GoReplay, compressed or
not. `read_capture` recognises the kind by how the file begins and reads it as a stream, so that a capture may be larger
than memory. Every exchange becomes an `Entry` around a mitmproxy flow, so that mitmproxy's filters apply to all kinds.
`recorded` then makes of an entry a `Recorded`: the request as the client sent it, with its body, its times, and the
connection that it came on. Where the request cannot be sent again, `recorded` returns the reason instead.

    stream.py   the bytes: decompression, and the position in the file
    mitm.py     mitmproxy's own format        each yields `Entry` objects, warns of what it leaves out,
    har.py      HAR 1.2                       and raises CaptureError where it cannot continue
    record.py   JSON Lines of `mirror_record`
    gor.py      GoReplay's files
    urls.py     absolute URLs and text, without normalisation
    entry.py    `Entry` and `Recorded`

A file that ends early, because its writer was killed, is read up to that point. Everything here is synchronous and
runs in the process of the command line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Generator
from pathlib import Path

from mitmproxy import http

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.entry import Unreadable
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream
from mirror_addon.compare.answer import Answer
from mirror_addon.flows import heads
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.asked_request import asked_request

SHADOW_MARKER = ":ghost:"
"""How the flow list marks shadows; a dump that was edited elsewhere may have lost their metadata."""
_LOOK = 4096
"""Bytes by which the kind of a file is recognised."""
_MILLISECOND = 0.001
"""Seconds. A client that sent its next request at once sent it after the response; clocks that round to milliseconds
would otherwise show an overlap."""


def read_capture(path: Path, warn: Callable[[str], None]) -> Generator[Entry | Unreadable, None, None]:
    """The exchanges in the order of the file. Most programs write an exchange when it ends.

    `warn` is called with a message for what is left out. Raises CaptureError where the file is not a capture, and where
    it cannot be read any further.
    """
    with CaptureStream(path) as stream:
        begin = stream.peek(_LOOK).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not begin:
            raise CaptureError(f"{path} is empty; record one with mitmdump -w FILE")
        if re.match(rb"\d+:", begin):
            from mirror_addon.captures.mitm import read_mitm as read
        elif re.match(rb"[123] \S+ \d", begin):
            from mirror_addon.captures.gor import read_gor as read
        elif begin.startswith((b"{", b"[")) and _is_har(path):
            from mirror_addon.captures.har import read_har as read
        elif begin.startswith(b"{"):
            from mirror_addon.captures.record import read_record as read
        else:
            raise CaptureError(
                f"{path} is neither a mitmproxy dump nor a HAR nor a record nor a file of GoReplay: "
                f"it begins with {begin[:20]!r}"
            )
        yield from read(stream, warn)
        if stream.torn:
            warn(f"{path}: the compressed data is incomplete; what is there is used")


def _is_har(path: Path) -> bool:
    from mirror_addon.captures.har import is_har

    return is_har(path)


def recorded(entry: Entry | Unreadable, local_address: bytes) -> Recorded | str:
    """The request of an exchange, or the reason why it cannot be sent again, one word."""
    if isinstance(entry, Unreadable):
        return entry.reason
    flow = entry.flow
    if not isinstance(flow, http.HTTPFlow):
        return "not_http"
    if meta.is_shadow_flow(flow) or flow.marked.startswith(SHADOW_MARKER):
        return "shadow"
    if flow.websocket is not None:
        return "websocket"
    if flow.request.data.method in heads.UNROUTED_METHODS:
        return "connect"
    if heads.is_upgrade(flow):
        return "upgrade"
    if entry.left_out:
        return entry.left_out
    body = flow.request.raw_content
    if body is None:
        return "body_not_kept"
    if flow.request.timestamp_end is None:
        return "incomplete"
    started = flow.request.timestamp_start
    ended = started
    if flow.request.data.http_version in heads.HTTP2_AND_NEWER or entry.connection:
        ended = _end(flow, entry.answer) - _MILLISECOND
    return Recorded(
        flow.id,
        asked_request(flow, local_address),
        body,
        flow,
        entry.answer,
        started,
        max(started, ended),
        entry.connection or flow.client_conn.id,
        _address(flow.client_conn.peername),
        entry.draw,
        entry.redacted,
        entry.redacted_answer,
        entry.position,
        entry.in_turn,
    )


def _end(flow: http.HTTPFlow, answer: Answer | None) -> float:
    if flow.response is not None and flow.response.timestamp_end:
        return flow.response.timestamp_end
    end = flow.request.timestamp_end or flow.request.timestamp_start
    return end + (answer.ms or 0.0) * _MILLISECOND if answer else end


def _address(peer: tuple[str, int] | tuple[str, int, int, int]) -> str:
    if not peer[0]:
        return ""  # of a record that does not have it
    return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
