"""GoReplay's files (`.gor`), read one payload at a time.

A payload begins with a line `TYPE ID TIME [LATENCY]` and ends with a line of three emoji. The type is 1 for a request,
2 for its response, and 3 for the response to a replayed request, which is not used. Times are nanoseconds since 1970.
The rest is the message as it was on the wire (goreplay, `protocol.go`). A file has no names of connections.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass

import h11
from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Unreadable
from mirror_addon.captures.entry import flow_of
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream
from mirror_addon.captures.urls import RequestError
from mirror_addon.captures.urls import split_url
from mirror_addon.captures.urls import to_text
from mirror_addon.routing.names import authority_port

_SEPARATOR = "\n🐵🙈🙉\n".encode()
_REQUEST, _RESPONSE, _REPLAYED = b"1", b"2", b"3"
_MAX_PAYLOAD = 256 * 1024 * 1024
"""Bytes of one payload; a file with more between two separators is none of GoReplay's."""
_MAX_HEAD = 1024 * 1024
_READ = 64 * 1024
_WAITING = 10_000
"""Requests that wait for their responses. GoReplay writes a response when it ends, after later requests."""
_NANOSECONDS = 1e9


@dataclass(slots=True)
class _Payload:
    type: bytes
    id: bytes
    time: float
    message: bytes
    position: int


def read_gor(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[Entry | Unreadable]:
    """The requests in the order of the file, each with its response where the file has one.

    A payload that is no HTTP message is left out with a warning. Raises CaptureError where the file is none of
    GoReplay's.
    """
    waiting: dict[bytes, Entry] = {}
    complete: set[bytes] = set()
    for number, payload in enumerate(_payloads(stream, warn), 1):
        if payload.type == _RESPONSE and payload.id in waiting:
            _respond(waiting[payload.id], payload)
            complete.add(payload.id)
        elif payload.type == _REQUEST:
            if (same := waiting.pop(payload.id, None)) is not None:
                yield same
            try:
                waiting[payload.id] = _request(payload)
            except (h11.ProtocolError, RequestError) as error:
                warn(f"{stream.path}: payload {number} is not an HTTP request: {error}; left out")
                yield Unreadable("malformed", payload.position)
        while waiting and (len(waiting) > _WAITING or next(iter(waiting)) in complete):
            first = next(iter(waiting))
            complete.discard(first)
            yield waiting.pop(first)
    yield from waiting.values()


def _payloads(stream: CaptureStream, warn: Callable[[str], None]) -> Iterator[_Payload]:
    held = bytearray()
    number = searched = 0
    while data := stream.read1(_READ):
        held += data
        while (end := held.find(_SEPARATOR, searched)) >= 0:
            number += 1
            yield _payload(bytes(held[:end]), stream, number)
            del held[: end + len(_SEPARATOR)]
            searched = 0
        searched = max(0, len(held) - len(_SEPARATOR))
        if len(held) > _MAX_PAYLOAD:
            raise CaptureError(f"{stream.path}: payload {number + 1} does not end within {_MAX_PAYLOAD:,} bytes")
    if held.strip():
        if not number:
            raise CaptureError(f"{stream.path}: not a file of GoReplay: no payload ends")
        warn(f"{stream.path}: the last payload is incomplete; the {number} before it are used")


def _payload(data: bytes, stream: CaptureStream, number: int) -> _Payload:
    head, _, message = data.partition(b"\n")
    fields = head.split(b" ")
    if len(fields) < 3 or fields[0] not in (_REQUEST, _RESPONSE, _REPLAYED) or not fields[2].isdigit():
        raise CaptureError(f"{stream.path}: payload {number} has no line of type, id and time but {head[:40]!r}")
    return _Payload(fields[0], fields[1], int(fields[2][:19]) / _NANOSECONDS, message, stream.position)


def _request(payload: _Payload) -> Entry:
    """Raises h11.ProtocolError and RequestError."""
    reader = h11.Connection(h11.SERVER, _MAX_HEAD)
    event, body, complete = _read(reader, payload.message)
    if not isinstance(event, h11.Request):
        raise RequestError("its head is incomplete")
    host = next((value for name, value in event.headers if name == b"host"), b"")
    target = to_text(bytes(event.target))
    absolute = not target.startswith("/") and target != "*"
    if not absolute:
        if not host:
            raise RequestError("it has no Host")
        target = f"http://{to_text(host)}{target.removeprefix('*')}"
    scheme, authority, path = split_url(target)
    port = authority_port(authority, scheme)
    at = payload.time
    request = http.Request(
        to_text(authority.rpartition(b":")[0] or authority),
        port,
        bytes(event.method),
        scheme,
        authority if absolute else b"",
        b"*" if event.target == b"*" else path,
        b"HTTP/" + bytes(event.http_version),
        tuple(event.headers.raw_items()),
        body,
        None,
        at,
        at,
    )
    flow = flow_of(request, ("127.0.0.1", 0), None)
    flow.error = mitm_flow.Error("unanswered", at)
    return Entry(flow, payload.position, payload.id.decode("latin-1"), left_out="" if complete else "body_cut")


def _respond(entry: Entry, payload: _Payload) -> None:
    """Give the entry its response. One that is not HTTP is none."""
    flow = entry.flow
    assert isinstance(flow, http.HTTPFlow)
    reader = h11.Connection(h11.CLIENT, _MAX_HEAD)
    try:
        reader.send(h11.Request(method=flow.request.method, target="/", headers=[("Host", "x")]))
        event, body, complete = _read(reader, payload.message)
    except h11.ProtocolError:
        return
    if not isinstance(event, h11.Response):
        return
    fields = tuple(event.headers.raw_items())
    version, began = b"HTTP/" + bytes(event.http_version), flow.request.timestamp_start
    flow.response = http.Response(
        version, event.status_code, bytes(event.reason), fields, body if complete else None, None, began, payload.time
    )
    flow.error = None


def _read(reader: h11.Connection, message: bytes) -> tuple[h11.Event | None, bytes, bool]:
    """The head, the body, and whether it is complete. Raises h11.ProtocolError."""
    head: h11.Event | None = None
    parts: list[bytes] = []
    reader.receive_data(message)
    reader.receive_data(b"")  # the end of the connection ends a response without a length
    while True:
        try:
            event = reader.next_event()
        except h11.RemoteProtocolError:
            if head is None:
                raise
            return head, b"".join(parts), False
        if isinstance(event, h11.Request | h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
        elif not isinstance(event, h11.InformationalResponse):
            return head, b"".join(parts), isinstance(event, h11.EndOfMessage)
