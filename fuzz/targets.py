"""Fuzz targets: each takes any bytes, and raises only if the program would.

Every target is a boundary of SECURITY.md. An error that a reader declares (FrameError, LineError, CaptureError, ...) is
its answer; everything else is a fault.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from mirror_addon.captures.reading import read_capture
from mirror_addon.captures.reading import recorded
from mirror_addon.captures.stream import CaptureError
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import LineError
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import clean_line
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.processor.agreement import Agreement
from mirror_addon.processor.agreement import Told
from mirror_addon.processor.arrived import read_request
from mirror_addon.processor.arrived import read_response
from mirror_addon.processor.exchange import Exchange
from mirror_addon.processor.grpc_calls import Asked
from mirror_addon.processor.grpc_messages import Waiting
from mirror_addon.processor.health import Health
from mirror_addon.processor.http2_calls import Call
from mirror_addon.processor.http2_calls import Handler
from mirror_addon.processor.http2_connection import Connection
from mirror_addon.processor.http2_frames import PREFACE
from mirror_addon.processor.http2_frames import write_settings
from mirror_addon.processor.messages import MessageError
from mirror_addon.processor.messages import read_message
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.request import shadow_request

RULES = b"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec: {hosts: ["*"], http: [{route: [{destination: {host: b}}], mirror: {host: m}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: e}
spec:
  hosts: [b, m]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
"""
TABLE = RouteTable.build(parse_sources([Source("a.yaml", RULES)]).resources, Identity())
REDACTION = Redaction(("$..password", "form:a", "query:b", "Cookie"), b"key")


def frames(data: bytes) -> None:
    """What the worker and the proxy read of their pipe, in two parts."""
    decoder = Decoder()
    try:
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            list(decoder.feed(part))
    except FrameError:
        pass


def record(data: bytes) -> None:
    """A line of a record, as `report` and `tests` read it."""
    try:
        clean_line(LineParser(KeptLine)(data))
    except LineError:
        pass


def capture(data: bytes) -> None:
    """A file for `replay`: HAR, a record, a dump, GoReplay, compressed or not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "capture")
        path.write_bytes(data)
        try:
            for entry in read_capture(path, lambda _: None):
                recorded(entry, b"10.0.0.1")
        except CaptureError:
            pass


def har(data: bytes) -> None:
    """A HAR with any bytes as its entry."""
    capture(b'{"log": {"entries": [' + data + b"]}}")


def rules(data: bytes) -> None:
    """A file of rules."""
    parse_sources([Source("a.yaml", data)])


def comparison(data: bytes) -> None:
    """Two bodies of any Content-Type and coding: the first line says which."""
    head, _, rest = data.partition(b"\n")
    kind, _, coding = head.partition(b" ")
    headers = ((b"content-type", kind), (b"content-encoding", coding)) if coding else ((b"content-type", kind),)
    bodies = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    one, other = (Answer(200, headers, body, len(body), 1.0) for body in bodies)
    json.dumps([REDACTION.difference(each).path for each in compare(one, other).differences])
    for body in bodies:
        REDACTION.message(headers, body)


def request(data: bytes) -> None:
    """Method, authority, path and a header field of a client, from its head to the head of its shadow."""
    method, authority, path, name, value = (*data.split(b"\0", 4), b"", b"", b"", b"", b"")[:5]
    asked = Request(method or b"GET", b"http", authority, b"/" + path, ((name, value),) if name else (), 80)
    decision = TABLE.route(asked, 0)
    if decision.request is not None:
        for mirror in decision.mirrors:
            if mirror.endpoint is not None:
                shadow_request(
                    decision.request, mirror, body=0, own_address=b"10.0.0.1", suffix=b"-shadow", timeout=1.0
                )


def exchange(data: bytes) -> None:
    """Messages of ext_proc, divided by two line ends: every one is read, or is refused as a whole."""
    state = Exchange()
    for part in data.split(b"\n\n"):
        try:
            message = read_message(part)
        except MessageError:
            continue
        for happening in state.receive(message):
            if happening.head is not None and happening.head.request:
                arrived = read_request(happening.head, 0.0, edge=True, facts=True)
                told = Told(happening.head.attributes.get("xds.route_name", ""))
                _AGREEMENT.decide(arrived.request, told, len(data))
            elif happening.head is not None:
                read_response(happening.head)
    state.closed()


_AGREEMENT = Agreement(RouteTable.build((), Identity()))


def http2(data: bytes) -> None:
    """What a client of the processor's port sends after HTTP/2's preface: its calls end, and nothing is kept."""
    server = _Server()
    connection = Connection(server, 0.0)
    connection.receive(PREFACE + write_settings({}) + data)
    connection.lost()
    assert not server.open
    assert not server.waiting.bytes


class _Server:
    """Of health checks alone, which answer."""

    def __init__(self) -> None:
        self.waiting = Waiting()
        self.open = 0
        self._health = Health()

    def opened(self, call: Call, asked: Asked) -> Handler:
        return self._health.check(call) if asked.path == b"/c" else self._health.watch(call)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (frames, record, capture, har, rules, comparison, request, exchange, http2)
}
EXAMPLES: dict[str, list[bytes]] = {
    "frames": [b"\0\0\0\x03\0\0\0\x01\x92\x01\x02x"],
    "record": [
        b'{"version":1,"id":"a","method":"GET","url":"u","target":"t","primary":{"status":200},"shadow":{"status":1}}'
    ],
    "capture": [b'{"log":{"entries":[]}}', b"1 a 1\nGET / HTTP/1.1\r\n\r\n", b"\x1f\x8b\x08", b"4:type;"],
    "har": [b'{"request":{"method":"GET","url":"http://a/"},"response":{"status":200}}'],
    "rules": [RULES, b"a: &x [*x]", b"- !!binary x"],
    "comparison": [
        b'application/json\n{"a":1}{"a":2}',
        b"text/xml\n<a/><b/>",
        b"multipart/form-data;boundary=x\n--x\r\n",
    ],
    "exchange": [
        b"\x12\x14\x0a\x10\x0a\x0e\x0a\x05:path\x1a\x05/x?y=\x18\x01\n\n\x1a\x02\x18\x01",
        b"\x12\x00\n\n\x22\x03\x0a\x01x\n\n\x3a\x00",
    ],
    "http2": [
        b"\0\0\x19\x01\x04\0\0\0\x01\x83\x86\x04\x02/c\x0f\x10\x10application/grpc\0\0\x05\0\x01\0\0\0\x01\0\0\0\0\0",
        b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08" + b"\0\0\x08\x06\0\0\0\0\0" + bytes(8),
    ],
    "request": [b"GET\0a.test\0x?b=1\0x-forwarded-for\0a"],
}
