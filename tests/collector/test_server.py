from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from enginetools import until

from mirror_addon.collector.server import PREFACE
from mirror_addon.collector.server import Collected
from mirror_addon.collector.server import Collector


@dataclass
class Collecting:
    """A collector and what it took."""

    taken: list[Collected] = field(default_factory=list)
    address: tuple[str, int] = ("", 0)
    collector: Collector | None = None

    wanted: int | None = None
    """Requests after which no more are taken."""

    def take(self, request: Collected) -> bool:
        if len(self.taken) == self.wanted:
            return False
        self.taken.append(request)
        return True

    async def exchange(self, *parts: bytes) -> bytes:
        """Send these one after the other, each when something came back for the one before; read to the close."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            answered = b""
            for number, part in enumerate(parts):
                if number:
                    answered += await reader.read(65536)
                writer.write(part)
            writer.write_eof()
            return answered + await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def collecting(**options: Any) -> AsyncIterator[Collecting]:
    found = Collecting()
    async with Collector("127.0.0.1", 0, found.take, **options) as collector:
        found.collector = collector
        found.address = collector.addresses[0]
        yield found


OK = b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"


async def test_http1_keeps_what_came() -> None:
    async with collecting() as found:
        answered = await found.exchange(
            b"PoST /a//b?x=%2F HTTP/1.1\r\nHOST: shop.example-shadow\r\nX-A: 1\r\nx-a: 2\r\n"
            b"Content-Length: 3\r\n\r\nabc"
            b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
        )
    assert answered == OK * 2, "both on one connection"
    first, second = found.taken
    assert (first.method, first.target, first.authority, first.body) == (
        b"PoST", b"/a//b?x=%2F", b"shop.example-shadow", b"abc",
    )  # fmt: skip
    assert first.headers == (
        (b"HOST", b"shop.example-shadow"), (b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Length", b"3"),
    )  # fmt: skip
    assert (second.method, second.size) == (b"GET", 0)


async def test_chunked_and_expect() -> None:
    async with collecting() as found:
        answered = await found.exchange(
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
        )
    assert answered == b"HTTP/1.1 100 \r\n\r\n" + OK
    assert found.taken[0].body == b"abcde"


async def test_http10_and_head() -> None:
    async with collecting(status=404) as found:
        assert b" 404 " in await found.exchange(b"HEAD /x HTTP/1.0\r\n\r\n")
    assert (found.taken[0].http_version, found.taken[0].authority) == ("HTTP/1.0", b"")


async def test_a_body_is_kept_in_part_and_counted_whole() -> None:
    async with collecting(keep=4) as found:
        await found.exchange(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert (found.taken[0].body, found.taken[0].size) == (b"xxxx", 100_000)


@pytest.mark.parametrize("status", [204, 304, 503])
async def test_the_status_is_the_same_for_all(status: int) -> None:
    async with collecting(status=status) as found:
        answered = await found.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
    assert answered.count(b"HTTP/1.1 %d" % status) == 2
    assert (b"Content-Length" in answered) == (status != 204)


async def test_answers_wait() -> None:
    async with collecting(delay=0.15) as found:
        began = asyncio.get_running_loop().time()
        await found.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asyncio.get_running_loop().time() - began >= 0.15


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_http(data: bytes) -> None:
    async with collecting() as found:
        assert (await found.exchange(data)).startswith(b"HTTP/1.1 400 ")
        assert found.collector is not None
        assert found.collector.refused == 1
    assert found.taken == []


async def test_connections_that_end_anywhere() -> None:
    request = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    async with collecting() as found:
        await asyncio.gather(*(found.exchange(request[:cut]) for cut in range(len(request))))
        await asyncio.gather(*(found.exchange(PREFACE[:cut]) for cut in range(len(PREFACE))))
        assert found.taken == []
        await found.exchange(request)
        assert len(found.taken) == 1


async def test_http2_with_prior_knowledge() -> None:
    async with collecting(status=201, keep=100) as found:
        reader, writer = await asyncio.open_connection(*found.address)
        client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        client.initiate_connection()
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"grpc.example"), (b":path", b"/p?q=1")]
        for stream in (1, 3):
            client.send_headers(stream, [*head, (b"x-stream", b"%d" % stream)])
        for _ in range(3):
            client.send_data(1, b"y" * 16_000)
        client.end_stream(3)
        client.end_stream(1)
        writer.write(client.data_to_send())
        statuses: dict[int, bytes] = {}
        ended: set[int] = set()
        while len(ended) < 2:
            for event in client.receive_data(await reader.read(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[b":status"]
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
            writer.write(client.data_to_send())
        writer.close()
        await writer.wait_closed()
    assert statuses == {1: b"201", 3: b"201"}
    second, first = found.taken
    assert (first.size, first.body, first.headers) == (48_000, b"y" * 100, ((b"x-stream", b"1"),))
    assert (second.method, second.authority, second.target, second.http_version) == (
        b"POST", b"grpc.example", b"/p?q=1", "HTTP/2",
    )  # fmt: skip


async def test_broken_http2_is_refused() -> None:
    async with collecting() as found:
        await found.exchange(PREFACE + b"\0\0\1\0\0\0\0\0\0x")
        assert found.collector is not None
        assert found.collector.refused == 1


class Http2:
    """A client's connection of HTTP/2."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.state.initiate_connection()

    def ask(self, stream: int, *, end: bool = True) -> None:
        head = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b"host", b"old.example")]
        self.state.send_headers(stream, head, end_stream=end)

    def send(self) -> None:
        self.writer.write(self.state.data_to_send())

    async def responses(self, count: int = 1000) -> list[int]:
        """The streams that got a response: so many of them, or all until the server closes the connection."""
        found: list[int] = []
        while len(found) < count and (data := await self.reader.read(65536)):
            for event in self.state.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    found.append(event.stream_id or 0)
        return found


@contextlib.asynccontextmanager
async def http2(address: tuple[str, int]) -> AsyncIterator[Http2]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Http2(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_request_that_is_not_taken_closes_the_connection() -> None:
    async with collecting() as found:
        found.wanted = 1
        assert (await found.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)).count(b" 200 ") == 1
        found.wanted = 2
        async with http2(found.address) as client:
            client.ask(1)
            client.ask(3)
            client.send()
            assert len(await client.responses()) <= 1
    assert [each.authority for each in found.taken] == [b"a", b"old.example"]


async def test_streams_that_are_reset_get_no_response() -> None:
    async with collecting(delay=0.1) as found, http2(found.address) as client:
        client.ask(1, end=False)
        client.ask(3)
        client.ask(5)
        client.send()
        await until(lambda: len(found.taken) == 2)
        client.state.reset_stream(1)
        client.state.reset_stream(3)
        client.ask(7)
        client.send()
        assert await client.responses(2) == [5, 7]
        client.ask(9)
        client.state.close_connection()
        client.send()
        assert await client.reader.read() is not None, "the server closes its side too"
    assert len(found.taken) >= 3


async def test_a_request_that_is_broken_after_its_response_has_begun_is_refused() -> None:
    """The next request on the connection is not HTTP: it gets a response of its own."""
    async with collecting() as found:
        answered = await found.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
        assert answered.startswith(OK + b"HTTP/1.1 400 ")
        assert found.collector is not None
        assert found.collector.refused == 1


async def test_ipv6_has_an_address_too() -> None:
    async with Collector("::1", 0, lambda _: True) as collector:
        ((host, port),) = collector.addresses
    assert (host, port > 0) == ("::1", True)
