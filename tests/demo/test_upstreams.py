from __future__ import annotations

import asyncio
import json

import pytest

from mirror_addon.demo.upstreams import Received
from mirror_addon.demo.upstreams import Upstream
from mirror_addon.demo.upstreams import shop


def asked(method: str, target: str, body: bytes = b"") -> Received:
    return Received(method, target, (), body)


@pytest.mark.parametrize(
    ("method", "target", "body", "statuses"),
    [
        ("GET", "//request/info", b"", (200, 200)),
        ("GET", "//orders?status=open", b"", (200, 200)),
        ("HEAD", "/orders", b"", (200, 200)),
        ("POST", "/orders", b'{"article": "tea", "quantity": 3}', (201, 201)),
        ("GET", "/orders/18", b"", (200, 200)),
        ("GET", "/orders/19", b"", (404, 404)),
        ("PUT", "/orders/17", b'{"status": "paid"}', (200, 200)),
        ("DELETE", "/orders/18", b"", (204, 200)),
        ("POST", "/login", b"user=ada", (200, 200)),
        ("POST", "/uploads", b"\xff" * 10, (200, 200)),
        ("GET", "/users/7", b"", (200, 200)),
        ("GET", "/reports/monthly", b"", (200, 500)),
        ("GET", "", b"", (404, 404)),
        ("PATCH", "/orders", b"", (404, 404)),
    ],
)
def test_shop_in_both_versions(method: str, target: str, body: bytes, statuses: tuple[int, int]) -> None:
    answers = [shop(version, asked(method, target, body)) for version in ("v1", "v2")]
    assert (answers[0].status, answers[1].status) == statuses
    assert all(not answer.body or json.loads(answer.body) for answer in answers)


def test_shop_filters_orders_by_the_query() -> None:
    assert json.loads(shop("v1", asked("GET", "//orders?status=paid")).body) == {
        "orders": [{"id": 18, "total": 7.25, "status": "paid"}]
    }


async def talk(address: str, data: bytes, until: bytes) -> bytes:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    answer = await asyncio.wait_for(reader.readuntil(until), 5)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_upstream_keeps_what_it_received_and_answered() -> None:
    async with Upstream("v1", 0.01) as upstream:
        head = b"POST //login?x=%7E HTTP/1.1\r\nHost: b\r\nX-A: 1\r\nx-a: \xe9\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await talk(upstream.address, head + b"8\r\nuser=ada\r\n0\r\n\r\n", b'{"welcome": "ada"}')
        assert answer.startswith(b"HTTP/1.1 200 \r\nContent-Type: application/json\r\nSet-Cookie: session=b1\r\n")
        exchange = await upstream.next(1)
        assert exchange is not None
        assert (exchange.received.method, exchange.received.target) == ("POST", "//login?x=%7E")
        assert exchange.received.body == b"user=ada"
        assert exchange.received.fields[:3] == (("Host", "b"), ("X-A", "1"), ("x-a", "\xe9"))
        assert exchange.received.field("X-A") == "1,\xe9"
        assert exchange.response.status == 200
        assert exchange.seconds >= 0.01
        assert await upstream.next(0) is None


async def test_upstream_serves_many_requests_on_a_connection_and_forgets_on_demand() -> None:
    async with Upstream("v2", 0) as upstream:
        one = b"DELETE /orders/18 HTTP/1.1\r\nHost: b\r\n\r\nHEAD /orders HTTP/1.1\r\nHost: b\r\n\r\n"
        answer = await talk(upstream.address, one, b"X-Total-Count: 3\r\nContent-Length: 0\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200") == 2
        upstream.forget()
        assert await upstream.next(0) is None


async def test_upstream_survives_nonsense_and_ends_with_a_connection_open() -> None:
    async with Upstream("v1", 60) as upstream:
        host, port = upstream.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x00 nonsense\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        _, waiting = await asyncio.open_connection(host, int(port))
        waiting.write(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
        await waiting.drain()
    waiting.close()
