from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from typing import Any

import pytest
from assistanttools import difference

from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.proxy import HOST
from mirror_addon.assistant.proxy import ProxySource
from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import Redaction
from mirror_addon.live_page import magic_host

STATUS: dict[str, Any] = {
    "version": 1, "time": "2026-11-22T12:00:00Z", "state": "mirroring", "counters": {"requests": 3}, "targets": {},
    "findings": [], "differing": [], "compared_since": None, "new key": 1,
}  # fmt: skip
FINDING = {
    "id": "f1", "kind": "value", "path": "$.a", "endpoints": ["GET /x"], "pairs": 1, "share": 1.0, "state": "new",
    "example": {"id": "1", "method": "GET", "url": "http://x/?api_key=k", "where": "$.a", "kind": "value"},
}  # fmt: skip
PAIR = {
    "id": "1", "time": "2026-11-22T12:00:00Z", "target": "b/v2", "method": "GET", "url": "http://x/users/7",
    "primary": {"status": 200, "ms": 1.5}, "shadow": {"status": 200, "ms": 2}, "more": 1, "notes": ["cut"],
    "differences": [difference("$.a")],
}  # fmt: skip


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[tuple[ProxySource, list[str]]]:
    """A source whose proxy gives this answer, and the requests that it got."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers['Host']}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield ProxySource(("127.0.0.1", server.server_port), Redaction(DEFAULT_REDACTED)), asked
        finally:
            server.shutdown()
            thread.join()


def test_what_is_asked_and_told() -> None:
    found = STATUS | {"findings": [FINDING], "differing": [PAIR], "rules": ["b -> b/v2"]}
    with answering(json.dumps(found).encode()) as (source, asked):
        status = source.status()
        assert status["counters"] == {"requests": 3} and "only status codes" in status["compared"]
        assert source.findings()[0]["example"]["url"].startswith("http://x/?api_key=%3Credacted")
        (pair,) = source.pairs()
        assert (pair.endpoint, pair.more, pair.notes, pair.verdict) == ("GET /users/{id}", 1, ("cut",), "different")
        assert set(asked) == {f"GET http://{HOST}/api/status.json {HOST}"}


def test_whole_responses() -> None:
    with answering(json.dumps(STATUS | {"compared_since": "2026-11-22T12:00:00Z"}).encode()) as (source, _):
        assert source.status()["compared"] == "whole responses are compared"


def test_the_name_is_the_pages() -> None:
    assert HOST == magic_host.HOST


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"<html>", 200, "does not show the live page"),
        (b"[" * 100_000, 200, "does not show the live page"),
        (b'{"version": 1}', 200, "does not show the live page"),
        (json.dumps(STATUS | {"findings": [{"id": 7}]}).encode(), 200, "does not show the live page"),
        (json.dumps(STATUS | {"version": 2}).encode(), 200, "another version"),
        (b"no", 400, r"does not show the live page of mirror_addon \(status 400\)"),
        (b" " * (16 * 1024 * 1024 + 1), 200, "does not show the live page"),
    ],
    ids=["html", "deep", "keys", "types", "version", "refused", "long"],
)
def test_what_is_no_proxy_of_ours(body: bytes, status: int, said: str) -> None:
    with answering(body, status) as (source, asked):
        for _ in range(3):
            with pytest.raises(AssistantError, match=said):
                source.status()
        assert len(asked) == (3 if "version" in said else 1)  # who knows what it does with our request


def test_lone_surrogates() -> None:
    pair = {**PAIR, "url": "http://x/\udc80"}
    with answering(json.dumps(STATUS | {"differing": [pair]}).encode()) as (source, _):
        assert next(iter(source.pairs())).url == "http://x/\ufffd"


def test_no_proxy() -> None:
    with answering(b"") as (source, _):
        pass
    with pytest.raises(AssistantError, match=r"Connection refused; start mirror-addon web"):
        source.findings()
