from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from processortools import Told
from processortools import exchange

from mirror_addon.processor import grpc_front
from mirror_addon.processor.exchange import End
from mirror_addon.processor.grpc_front import GrpcFront
from mirror_addon.processor.stream import Stream

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
HEALTH = "/grpc.health.v1.Health"
SERVING, NOT_SERVING, UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"


class Running:
    """A front with an engine without workers, and a client of it."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.shares: list[Any] = []
        self.front = GrpcFront("127.0.0.1", 0, lambda: Stream(told.engine), self.shares.append)

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
    monkeypatch.setattr(grpc_front, "_SWEEP", 0.01)
    monkeypatch.setattr(grpc_front, "IDLE", 0.05)
    running = Running(told)
    await running.start()
    try:
        await running.call(exchange()[:1])
        await until(lambda: ended_early(told))
    finally:
        await running.channel.close()
        await running.front.close(0)


async def test_a_taken_port_is_an_error(running: Running) -> None:
    port = int(running.address.rpartition(":")[2])
    with pytest.raises(OSError, match=r"cannot listen at 127\.0\.0\.1:"):
        await GrpcFront("127.0.0.1", port, lambda: Stream(running.told.engine)).start()
