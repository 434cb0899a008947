from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from http2tools import split
from processortools import Told
from processortools import exchange

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor import http2_front
from mirror_addon.processor.credentials import read_credentials
from mirror_addon.processor.exchange import End
from mirror_addon.processor.http2_front import Http2Front
from mirror_addon.processor.stream import Stream

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
HEALTH = "/grpc.health.v1.Health"
SERVING, NOT_SERVING, UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"


class Running:
    """A front with an engine without workers, and a client of it."""

    def __init__(self, told: Told, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.told = told
        self.shares: list[Any] = []
        self.front = Http2Front(host, 0, lambda: Stream(told.engine), self.shares.append, tls)

    async def start(self) -> None:
        self.address = await self.front.start()
        self.channel = grpc.aio.insecure_channel(self.address)
        self.process = self.channel.stream_stream(PROCESS)
        self.check = self.channel.unary_unary(f"{HEALTH}/Check")
        self.watch = self.channel.unary_stream(f"{HEALTH}/Watch")

    async def call(self, messages: list[bytes]) -> Any:
        found = self.process(metadata=(("x-mirror-share", "10"),))
        for message in messages:
            await found.write(message)
        return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def ended_early(told: Told) -> bool:
    """A stream ended before its exchange; grpc does not always tell whether it was half-closed or broke."""
    return told.ended in ({End.CLOSED: 1}, {End.LOST: 1})


@pytest.fixture
async def running(told: Told) -> AsyncIterator[Running]:
    found = Running(told)
    await found.start()
    yield found
    await found.channel.close()
    await found.front.close(0)


async def test_a_stream_is_ended_with_its_exchange(running: Running) -> None:
    call = await running.call(exchange())
    assert await call.read() is grpc.aio.EOF  # nothing is ever said to Envoy
    assert await call.code() is grpc.StatusCode.OK
    assert running.told.ended == {End.COMPLETE: 1}
    assert len(running.told.dispatcher.offers) == 2
    assert ("x-mirror-share", "10") in [tuple(each) for each in running.shares[0]]


async def test_what_is_not_mirrored_is_ended_at_its_first_message(running: Running) -> None:
    call = await running.call(exchange(route="default/shop http[0] match[0]")[:1])
    assert await call.code() is grpc.StatusCode.OK
    assert running.told.ended == {End.LEFT: 1}


async def test_half_closed(running: Running) -> None:
    call = await running.call(exchange()[:1])
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.OK
    assert running.told.ended == {End.CLOSED: 1}


async def test_a_stream_that_breaks(running: Running) -> None:
    call = await running.call(exchange()[:1])
    await until(lambda: running.told.engine.counts.messages == 1)
    call.cancel()
    await until(lambda: ended_early(running.told))
    assert len(running.told.dispatcher.offers) == 2  # the request was complete


async def test_nonsense_ends_its_stream_alone(running: Running) -> None:
    good = await running.call(exchange()[:1])
    bad = await running.call([b"\xff" * 20])
    assert await bad.code() is grpc.StatusCode.OK
    assert running.told.engine.counts.invalid == 1
    for message in exchange()[1:]:
        await good.write(message)
    assert await good.code() is grpc.StatusCode.OK
    assert running.told.ended == {End.LOST: 1, End.COMPLETE: 1}


async def test_other_services_are_not_there(running: Running) -> None:
    for method in ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", PROCESS + "x"):
        call = running.channel.stream_stream(method)()
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health(running: Running) -> None:
    service = PROCESS[1:].partition("/")[0].encode()
    for asked in (b"", b"\x0a" + bytes([len(service)]) + service):
        assert await running.check(asked) == SERVING
    for asked in (b"\x0a\x01x", b"\xff"):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await running.check(asked)
        assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    watched = running.watch(b"")
    assert await watched.read() == SERVING
    assert running.front.serving
    running.front.stop_serving()
    assert await watched.read() == NOT_SERVING
    assert await running.check(b"") == NOT_SERVING
    assert await running.watch(b"").read() == NOT_SERVING
    assert await running.watch(b"\x0a\x01x").read() == UNKNOWN


async def test_at_the_end_open_streams_may_finish(running: Running) -> None:
    """GOAWAY and no new streams, and what was accepted is told to its end."""
    messages = exchange()
    call = await running.call(messages[:1])
    await until(lambda: running.told.engine.counts.messages == 1)
    closing = asyncio.create_task(running.front.close(20))
    await until(lambda: not running.front.serving)
    await asyncio.sleep(0)
    for message in messages[1:]:
        await call.write(message)
    assert await call.code() is grpc.StatusCode.OK
    await closing
    assert running.told.ended == {End.COMPLETE: 1}


async def test_what_does_not_finish_is_lost(running: Running) -> None:
    await running.call(exchange()[:1])
    await until(lambda: running.told.engine.counts.messages == 1)
    running.told.engine.closing = True
    await running.front.close(0.05)
    assert ended_early(running.told)


async def test_idle_streams_are_ended(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_front, "_SWEEP", 0.01)
    monkeypatch.setattr(http2_front, "IDLE", 0.05)
    running = Running(told)
    await running.start()
    try:
        await running.call(exchange()[:1])
        await until(lambda: ended_early(told))
    finally:
        await running.channel.close()
        await running.front.close(0)


async def test_ipv6(told: Told) -> None:
    running = Running(told, "::1")
    await running.start()
    try:
        assert running.address.startswith("[::1]:")
        assert await running.check(b"") == SERVING
    finally:
        await running.channel.close()
        await running.front.close(0)


@pytest.fixture
async def secured(told: Told, authority: Any) -> AsyncIterator[Running]:
    files = map(str, authority.issue("127.0.0.1"))
    running = Running(told, tls=read_credentials(*files, str(authority.path)))
    await running.start()
    yield running
    await running.channel.close()
    await running.front.close(0)


async def test_clients_need_a_certificate(secured: Running, authority: Any) -> None:
    own, key = (path.read_bytes() for path in authority.issue("envoy"))
    for pair, right in (((key, own), True), ((None, None), False)):
        credentials = grpc.ssl_channel_credentials(authority.path.read_bytes(), *pair)
        async with grpc.aio.secure_channel(secured.address, credentials) as channel:
            check = channel.unary_unary(f"{HEALTH}/Check")(b"")
            assert await check.code() is (grpc.StatusCode.OK if right else grpc.StatusCode.UNAVAILABLE)


async def test_tls_is_for_http2_alone(secured: Running, authority: Any) -> None:
    """RFC 9113 3.2."""
    host, _, port = secured.address.rpartition(":")
    context = ssl.create_default_context(cafile=str(authority.path))
    context.load_cert_chain(*authority.issue("envoy"))
    for protocols, spoken in ((["h2"], True), (["http/1.1"], False)):
        context.set_alpn_protocols(protocols)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.write(frames.PREFACE + frames.write_settings({}))
        with contextlib.suppress(ConnectionError):
            assert bool(await reader.read(9)) is spoken
        writer.close()


async def connect(running: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = running.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    return reader, writer


async def test_what_is_no_http2_is_told_so(running: Running) -> None:
    reader, writer = await connect(running)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    said = split(await reader.read())
    assert [frame.kind for frame in said] == [frames.SETTINGS, frames.WINDOW_UPDATE, frames.GOAWAY]
    writer.close()
    await until(lambda: not running.front.wires)


async def test_a_connection_that_breaks_loses_its_streams(running: Running) -> None:
    call = await running.call(exchange()[:1])
    await until(lambda: running.told.engine.counts.messages == 1)
    (wire,) = running.front.wires
    wire.abort()
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert running.told.ended == {End.LOST: 1}
    assert running.front.open == 0


async def test_who_does_not_read_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ping is answered; what is not read may not grow without end."""
    monkeypatch.setattr(http2_front, "MAX_UNREAD", 1000)
    _, writer = await connect(running)
    writer.write(frames.PREFACE + frames.write_settings({}))
    await until(lambda: len(running.front.wires) == 1)
    pings = frames.write_frame(frames.PING, 0, 0, bytes(8)) * 10_000
    writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def flood() -> None:
        with contextlib.suppress(ConnectionError):
            while running.front.wires:
                writer.write(pings)
                await writer.drain()

    await asyncio.wait_for(flood(), 30)
    writer.close()


async def test_connections_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_front, "MAX_CONNECTIONS", 1)
    first, writer = await connect(running)
    assert await first.read(1)
    second, other = await connect(running)
    with contextlib.suppress(ConnectionError):
        assert await second.read() == b""
    writer.close()
    other.close()


async def test_who_says_nothing_is_cut_off(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_front, "_SWEEP", 0.01)
    running = Running(told)
    await running.start()
    reader, writer = await connect(running)
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await running.channel.close()
    await running.front.close(0)


async def test_a_second_connection_gets_no_streams_while_it_drains(running: Running) -> None:
    """Streams on their way are taken until the client has seen GOAWAY, and none after."""
    reader, writer = await connect(running)
    writer.write(frames.PREFACE + frames.write_settings({}))
    await until(lambda: any(wire.connection.greeted for wire in running.front.wires))
    closing = asyncio.create_task(running.front.close(20))
    said = split(await asyncio.wait_for(reader.read(), 30))  # it does not answer the ping
    goaways = [frame.payload[:4] for frame in said if frame.kind == frames.GOAWAY]
    assert goaways == [b"\x7f\xff\xff\xff", bytes(4)]
    await closing
    writer.close()


async def test_a_taken_port_is_an_error(running: Running) -> None:
    port = int(running.address.rpartition(":")[2])
    with pytest.raises(OSError, match=r"cannot listen at 127\.0\.0\.1:"):
        await Http2Front("127.0.0.1", port, lambda: Stream(running.told.engine)).start()
