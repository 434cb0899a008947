"""What mirrors can do to a shadow, and what is reported of it."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from pathlib import Path
from typing import Any

import httpx

from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.request import Target
from mirror_addon.worker.attempt import Attempt
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.job import Job
from mirror_addon.worker.transport import LaneTransport

MIB = 1024 * 1024


def peak_memory(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


NO_ANSWERS: list[tuple[bytes, str, int | None]] = [
    (b"", "reset", None),
    (b"garbage\r\n\r\n", "protocol", None),
    (b"\x00\x01\x02\x03", "protocol", None),
    (b"HTTP/1.1 200", "reset", None),
    (b"HT", "reset", None),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "protocol", None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "protocol", None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "protocol", None),
    (b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n", "protocol", None),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000, "protocol", None),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "protocol", None),
    (b"HTTP/1.1 100 Continue\r\n\r\n", "reset", None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "reset", 200),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n", "protocol", 200),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "reset", 200),
]


async def test_answers_that_are_none(mirrors: Any, engine: Any) -> None:
    made = engine(keep_body=1000)
    for answer, reason, status in NO_ANSWERS:

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes = answer) -> None:
            await mirrors.read_request(reader)
            writer.write(answer)
            await writer.drain()
            writer.write_eof()
            await reader.read()

        result = await made.one(await mirrors.start(handler))
        assert (result.outcome, result.reason, result.status) == ("failed", reason, status), answer[:50]
        assert result.detail


async def test_informational_answers_are_not_the_answer(mirrors: Any, engine: Any) -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    assert (await engine().one(await mirrors.answering(answer))).status == 204


async def test_a_reset_before_and_in_the_answer(mirrors: Any, engine: Any) -> None:
    async def before(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        reset(writer)

    async def within(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
        await writer.drain()
        await asyncio.sleep(0.1)
        reset(writer)

    made = engine()
    assert (await made.one(await mirrors.start(before))).reason == "reset"
    result = await made.one(await mirrors.start(within))
    assert (result.reason, result.status, result.bytes) == ("reset", 200, 5)


async def test_a_hung_mirror_meets_the_deadline(mirrors: Any, engine: Any) -> None:
    result = await engine().one(await mirrors.hanging(), timeout=0.3)
    assert (result.outcome, result.reason) == ("failed", "timeout")
    assert result.total_ms >= 300
    assert result.connect_ms is not None


async def test_a_dribbling_mirror_meets_the_deadline(mirrors: Any, engine: Any) -> None:
    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    result = await engine().one(await mirrors.start(dribble), timeout=1.5)
    assert (result.outcome, result.reason, result.status) == ("failed", "timeout", 200)
    assert result.bytes > 5
    assert result.first_byte_ms < result.total_ms - 50, "five more bytes took that long"


async def test_a_mirror_that_reads_nothing_meets_the_deadline(mirrors: Any, engine: Any) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(5)

    made = engine()
    request = made.request(b"POST", headers=((b"Content-Length", b"0"),))
    result = await made.one(await mirrors.start(deaf), bytes(20 * MIB), request=request, timeout=0.5)
    assert result.reason == "timeout"
    assert made.dispatcher.status()["waiting_bytes"]["value"] == 0


async def test_an_endless_answer_is_read_to_the_cap_and_kept_to_another(mirrors: Any, engine: Any) -> None:
    ended = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
                await writer.drain()
        finally:
            ended.set()

    made = engine(keep_body=1000, drain_body=8 * MIB)
    port = await mirrors.start(endless)
    result = await made.one(port)
    assert (result.outcome, result.truncated, result.body) == ("sent", True, bytes(1000))
    assert 8 * MIB < result.bytes < 9 * MIB
    await asyncio.wait_for(ended.wait(), 30)
    assert (await made.one(port)).outcome == "sent"


async def test_a_stream_of_events_is_cut_at_the_timeout_and_has_not_failed(mirrors: Any, engine: Any) -> None:
    kinds = iter((b"text/event-stream; charset=utf-8", b"application/x-ndjson", b"text/plain"))

    async def ticking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\ndata: 1\n\n" % next(kinds))
        await reader.read()

    made = engine(keep_body=1000)
    port = await mirrors.start(ticking)
    for _ in range(2):
        result = await made.one(port, timeout=0.3)
        assert (result.outcome, result.reason, result.truncated, result.body) == ("sent", "", True, b"data: 1\n\n")
    assert (await made.one(port, timeout=0.3)).reason == "timeout"


async def test_an_enormous_answer_is_drained_and_not_held(mirrors: Any, engine: Any) -> None:
    size = 48 * MIB

    async def enormous(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await mirrors.read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // MIB):
                writer.write(bytes(MIB))
                await writer.drain()

    made = engine(keep_body=1000)
    port = await mirrors.start(enormous)
    result = await made.one(port)
    assert (result.outcome, result.bytes, result.truncated, len(result.body)) == ("sent", size, False, 1000)
    assert peak_memory(made.pids()[0]) < 80
    assert (await made.one(port)).connect_ms is None


async def test_a_compressed_bomb_stays_compressed(mirrors: Any, engine: Any) -> None:
    bomb = gzip.compress(bytes(64 * MIB), 1)
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    made = engine(keep_body=MIB)
    result = await made.one(await mirrors.answering(answer + bomb))
    assert (result.outcome, result.bytes, result.body) == ("sent", len(bomb), bomb[:MIB])
    assert peak_memory(made.pids()[0]) < 80


async def test_an_answer_that_ends_with_its_connection(mirrors: Any, engine: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")

    result = await engine(keep_body=100).one(await mirrors.start(handler))
    assert (result.outcome, result.body) == ("sent", b"until the end")


async def test_a_head_request_has_no_body(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    made = engine()
    for _ in range(2):
        assert (await made.one(port, request=made.request(b"HEAD"))).outcome == "sent"


async def test_a_request_that_h11_refuses_is_counted(engine: Any, mirrors: Any) -> None:
    made = engine()
    shadow = made.shadow(await mirrors.answering())
    shadow.method = b"B@D METHOD"
    made.hand_over(shadow, b"")
    await made.wait(1)
    assert (made.results[0].outcome, made.results[0].reason) == ("dropped", "unsendable")
    assert "method" in made.results[0].detail.lower()


async def test_a_shadow_that_is_aborted_has_that_reason_and_no_timeout(mirrors: Any, engine: Any) -> None:
    made = engine()
    upload = made.open(made.shadow(await mirrors.hanging(), None))
    upload.write(b"part")
    await made.until(lambda: mirrors.connections == 1)
    upload.abort("client_gone")
    await made.wait(1)
    assert (made.results[0].outcome, made.results[0].reason, made.results[0].detail) == ("dropped", "client_gone", "")


async def test_a_connection_that_fails_to_end_a_response_is_closed(mirrors: Any) -> None:
    """The response is complete, and so is its report."""

    class Failing(LaneTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)

            async def fail() -> None:
                raise RuntimeError("cannot end")

            response.aclose = fail  # type: ignore[method-assign]
            return response

    transport = Failing(Target("b", "127.0.0.1", await mirrors.answering(), False, "b", None))
    head = pack((b"GET", b"b", b"/", (), 30.0, 10, 1000, 0))
    budget = Budget(1)
    job = Job(1, head, b"", True)
    report, body = await Attempt(job, transport, budget, lambda *_: None).run()
    assert (report.error, report.status, report.bytes, report.kept) == ("", 200, 2, True)
    assert (body, job.charged) == (b"o", 1)  # what the budget allows
    assert transport.stream is None
