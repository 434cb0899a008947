"""Recorded traffic, whatever wrote it: mitmproxy's dumps, HAR, or a record with bodies. Streamed, never loaded whole.

Everything becomes mitmproxy's flows, so that filters see all kinds alike; then a `Recorded`, which can be sent again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Generator
from pathlib import Path

from mitmproxy import http

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream
from mirror_addon.compare.answer import Answer
from mirror_addon.flows import heads
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.asked_request import asked_request

SHADOW_MARKER = ":ghost:"
_LOOK = 4096
_MILLISECOND = 0.001


def read_capture(path: Path, warn: Callable[[str], None]) -> Generator[Entry, None, None]:
    """The exchanges of a file in its order, which is that of their ends in most.

    `warn` is told of what is passed over. Raises CaptureError for what is no capture, and where one cannot be read on.
    """
    with CaptureStream(path) as stream:
        begin = stream.peek(_LOOK).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not begin:
            raise CaptureError(f"{path} is empty; name a recording: mitmdump -w FILE writes one")
        if re.match(rb"\d+:", begin):
            from mirror_addon.captures.mitm import read_mitm as read
        elif re.match(rb'\{\s*"log"\s*:', begin):
            from mirror_addon.captures.har import read_har as read
        elif begin.startswith(b"{"):
            from mirror_addon.captures.record import read_record as read
        else:
            raise CaptureError(
                f"{path} is neither mitmproxy's dump, nor HAR, nor a record: it begins with {begin[:20]!r}"
            )
        yield from read(stream, warn)
        if stream.torn:
            warn(f"{path}: its compression ends in the middle; what came before is used")


def recorded(entry: Entry, local_address: bytes) -> Recorded | str:
    """What can be sent again of an exchange, or the reason why it cannot, in a word."""
    flow = entry.flow
    if not isinstance(flow, http.HTTPFlow):
        return "not_http"
    if meta.is_shadow_flow(flow) or flow.marked == SHADOW_MARKER:
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
    )


def _end(flow: http.HTTPFlow, answer: Answer | None) -> float:
    if flow.response is not None and flow.response.timestamp_end:
        return flow.response.timestamp_end
    end = flow.request.timestamp_end or flow.request.timestamp_start
    return end + (answer.ms or 0.0) * _MILLISECOND if answer else end


def _address(peer: tuple[str, int] | tuple[str, int, int, int] | None) -> str:
    if not peer:
        return ""
    return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
