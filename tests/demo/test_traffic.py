from __future__ import annotations

import asyncio
import socket

import pytest

from mirror_addon.demo.traffic import ASKS
from mirror_addon.demo.traffic import HOST
from mirror_addon.demo.traffic import PREFIX
from mirror_addon.demo.traffic import Ask
from mirror_addon.demo.traffic import send
from mirror_addon.demo.upstreams import Upstream

CHUNKED = Ask("POST", "/uploads", "application/octet-stream", b"x" * 3000, chunked=True)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (Ask("GET", "/"), ""),
        (Ask("POST", "/", "application/json", b"{}"), "JSON, 2 B"),
        (Ask("POST", "/", "application/x-www-form-urlencoded", b"a=b"), "form, 3 B"),
        (CHUNKED, "binary, 3000 B, chunked"),
    ],
)
def test_contents(ask: Ask, text: str) -> None:
    assert ask.content == text


async def test_requests_are_sent_as_to_a_proxy() -> None:
    """An upstream stands in for the proxy: it records what a proxy would get."""
    async with Upstream("v1", 0.02) as proxy:
        host, port = proxy.address.split(":")
        for ask in (*ASKS, CHUNKED):
            got = await asyncio.to_thread(send, (host, int(port)), ask)
            exchange = await proxy.next(5)
            assert exchange is not None
            received = exchange.received
            assert received.method == ask.method
            assert received.target == f"http://{HOST}{PREFIX}{ask.path}"
            assert received.body == (ask.body or b"")
            assert received.field("transfer-encoding") == ("chunked" if ask.chunked else "")
            assert received.field("content-type") == ask.kind
            assert all(received.field(name) == value for name, value in ask.fields.items())
            assert got.response.status == exchange.response.status
            assert got.seconds >= 0.02


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            send(bound.getsockname(), ASKS[0])
