"""Captures of every kind, and what is read from them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.reading import read_capture
from mirror_addon.captures.reading import recorded
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.compare.redaction import NOTHING
from mirror_addon.compare.redaction import Redaction

OWN = b"10.9.8.7"


def exchange(
    method: bytes = b"GET",
    path: bytes = b"/orders/17?x=1",
    body: bytes | None = b"",
    answer: bytes = b'{"a": 1}',
    at: float = 1000.0,
    fields: Sequence[tuple[bytes, bytes]] = (),
    answer_fields: Sequence[tuple[bytes, bytes]] = ((b"Content-Type", b"application/json"),),
) -> http.HTTPFlow:
    flow = tflow.tflow(resp=True)
    flow.request = http.Request(
        "10.0.0.9", 80, method, b"http", b"", path, b"HTTP/1.1",
        ((b"Host", b"shop.example"), *fields), body, None, at, at + 0.25,
    )  # fmt: skip
    flow.response = http.Response(b"HTTP/1.1", 200, b"OK", tuple(answer_fields), answer, None, at + 0.3, at + 0.5)
    flow.client_conn.peername = ("198.51.100.7", 4321)
    flow.client_conn.timestamp_tls_setup = None
    return flow


def dump(*flows: mitm_flow.Flow) -> bytes:
    file = io.BytesIO()
    writer = FlowWriter(file)
    for flow in flows:
        writer.add(flow)
    return file.getvalue()


def har(*flows: http.HTTPFlow) -> bytes:
    return json.dumps(SaveHar().make_har(flows)).encode()


ASKED = RecordedRequest(((b"Host", b"shop.example"), (b"X-A", b"1")), b"hello", False)
ANSWERED = Answer(201, ((b"Content-Type", b"text/plain"),), b"done", 4, 12.5)


def line(
    flow: str = "f1",
    number: int = 0,
    request: RecordedRequest | None = ASKED,
    answer: Answer = ANSWERED,
    redacted: Redaction = NOTHING,
    **changes: Any,
) -> bytes:
    about = About(
        f"{flow}/{number}", flow, 1000.5, "default/shop http[0]", "shop/v1", "shop/v2", False, "POST",
        "http://shop.example/orders?x=1", 77, "198.51.100.7:4321",
    )  # fmt: skip
    shadow = Answer(200, (), b"", 0, 1.0)
    return record_line(
        about._replace(**changes), answer, shadow, Comparison("same", ()), request=request, redacted=redacted
    )


class Folder:
    """Files to read, and what was warned of."""

    def __init__(self, path: Path) -> None:
        self.path = path / "capture"
        self.warnings: list[str] = []

    def entries(self, content: bytes) -> list[Entry]:
        self.path.write_bytes(content)
        self.warnings = []
        return list(read_capture(self.path, self.warnings.append))

    def recorded(self, content: bytes) -> list[Recorded | str]:
        return [recorded(entry, OWN) for entry in self.entries(content)]

    def one(self, content: bytes) -> Recorded:
        (found,) = self.recorded(content)
        assert isinstance(found, Recorded), found
        return found


def reasons(found: Sequence[Recorded | str]) -> list[str]:
    return [each if isinstance(each, str) else "" for each in found]
