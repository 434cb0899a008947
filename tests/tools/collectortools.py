"""A collected request for the tests of the collector."""

from __future__ import annotations

from typing import Any

from mirror_addon.collector.server import Collected


def request(**changes: Any) -> Collected:
    fields: dict[str, Any] = {
        "time": 1_800_000_000.5,
        "ms": 1.25,
        "client": ("127.0.0.1", 5000),
        "method": b"POST",
        "authority": b"shop.example",
        "target": b"/orders/17?a=1&b",
        "http_version": "HTTP/1.1",
        "headers": ((b"Host", b"shop.example"), (b"X-A", b"\xff")),
        "body": b"hello",
        "size": 5,
    }
    return Collected(**{**fields, **changes})
