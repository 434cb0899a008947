"""Frames over a real socket pair, read at its other end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import Report
from mirror_addon.worker.outgoing import BATCH_BYTES
from mirror_addon.worker.outgoing import Outgoing

REPORT = Report("", "", 200, "HTTP/1.1", (), False, 0, False, None, 1.0, 2.0)
MIB = 1024 * 1024


class Pipe(asyncio.Protocol):
    """Connects an Outgoing with the other end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.outgoing = Outgoing(transport)

    def pause_writing(self) -> None:
        self.outgoing.pause_writing()

    def resume_writing(self) -> None:
        self.outgoing.resume_writing()

    def open(self, other: socket.socket) -> None:
        self.other = other
        self._decoder = Decoder()
        self._frames: list[tuple[tuple[Any, ...], bytes]] = []

    async def read(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.other, MIB), 30)

    async def frames(self, count: int) -> list[tuple[tuple[Any, ...], bytes]]:
        """The next frames."""
        while len(self._frames) < count:
            self._frames += self._decoder.feed(await self.read())
        taken, self._frames = self._frames[:count], self._frames[count:]
        return taken

    def arrived(self) -> bool:
        """Is there anything to read now?"""
        try:
            return bool(self.other.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    ours, other = socket.socketpair()
    other.setblocking(False)
    transport, made = await asyncio.get_running_loop().create_unix_connection(Pipe, sock=ours)
    made.open(other)
    yield made
    transport.abort()
    other.close()


async def test_frames_are_sent_in_order_and_together(pipe: Pipe) -> None:
    pipe.outgoing.send((Kind.READY, 1))
    pipe.outgoing.send((Kind.LOG, "text"), b"tail")
    assert not pipe.arrived()
    assert list(Decoder().feed(await pipe.read())) == [((Kind.READY, 1), b""), ((Kind.LOG, "text"), b"tail")]


async def test_successive_results_without_a_body_are_one_frame(pipe: Pipe) -> None:
    for number in (1, 2):
        pipe.outgoing.send_result(number, REPORT, b"")
    pipe.outgoing.send((Kind.CREDIT, 3, 10))
    pipe.outgoing.send_result(3, REPORT, b"")
    pipe.outgoing.send_result(4, REPORT, b"body")
    pipe.outgoing.send_result(5, REPORT, b"")
    report = tuple(REPORT)
    assert await pipe.frames(5) == [
        ((Kind.RESULTS, (1, *report), (2, *report)), b""),
        ((Kind.CREDIT, 3, 10), b""),
        ((Kind.RESULTS, (3, *report)), b""),
        ((Kind.RESULT, 4, *report), b"body"),
        ((Kind.RESULTS, (5, *report)), b""),
    ]


async def test_much_is_written_at_once(pipe: Pipe) -> None:
    pipe.outgoing.send((Kind.LOG, "text"), bytes(BATCH_BYTES))
    assert pipe.arrived()
    assert await pipe.frames(1) == [((Kind.LOG, "text"), bytes(BATCH_BYTES))]


async def test_prompt_frames_do_not_wait(pipe: Pipe) -> None:
    pipe.outgoing.prompt(True)
    pipe.outgoing.send((Kind.READY, 1))
    await asyncio.sleep(0)
    assert pipe.arrived()
    await pipe.frames(1)
    pipe.outgoing.prompt(False)
    pipe.outgoing.send((Kind.READY, 2))
    await asyncio.sleep(0)
    assert not pipe.arrived()


async def test_a_frame_that_is_too_long_is_refused_and_leaves_nothing(pipe: Pipe) -> None:
    with pytest.raises(FrameError):
        pipe.outgoing.send((Kind.LOG, "text"), bytes(65 * MIB))
    pipe.outgoing.send((Kind.READY, 1))
    assert await pipe.frames(1) == [((Kind.READY, 1), b"")]


async def test_it_waits_while_the_proxy_does_not_read(pipe: Pipe) -> None:
    await pipe.outgoing.wait_writable()
    count = 0
    while pipe.outgoing.writable:
        pipe.outgoing.send((Kind.LOG, ""), bytes(MIB))
        count += 1
        assert count < 100
    waiting = asyncio.ensure_future(pipe.outgoing.wait_writable())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert len(await pipe.frames(count)) == count
    await asyncio.wait_for(waiting, 30)
    assert pipe.outgoing.writable


async def test_drain_waits_until_all_is_written(pipe: Pipe) -> None:
    tail = bytes(8 * MIB)
    pipe.outgoing.send((Kind.LOG, ""), tail)
    draining = asyncio.ensure_future(pipe.outgoing.drain(60.0))
    assert (await pipe.frames(1))[0][1] == tail
    await asyncio.wait_for(draining, 30)
    assert pipe.transport.get_write_buffer_size() == 0


async def test_drain_gives_up_after_its_time(pipe: Pipe) -> None:
    pipe.outgoing.send((Kind.LOG, ""), bytes(8 * MIB))
    await asyncio.wait_for(pipe.outgoing.drain(0.01), 30)
    assert pipe.transport.get_write_buffer_size() > 0


async def test_what_is_sent_after_the_end_is_dropped(pipe: Pipe) -> None:
    pipe.transport.close()
    pipe.outgoing.send((Kind.READY, 1))
    await pipe.outgoing.drain(0.0)
    assert await pipe.read() == b""
