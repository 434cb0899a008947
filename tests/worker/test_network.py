from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path
from typing import Any

import httpcore
import pytest

from mirror_addon.worker.network import Backend
from mirror_addon.worker.network import Stream


async def connected(mirrors: Any, handler: Any) -> Stream:
    stream: Stream = await Backend().connect_tcp("127.0.0.1", await mirrors.start(handler))
    return stream


async def test_small_writes_leave_together(mirrors: Any) -> None:
    segments: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            segments.append(data)

    stream = await connected(mirrors, handler)
    for part in (b"head", b"", b" body", b" end"):
        await stream.write(part)
    await mirrors.until(lambda: segments)
    assert segments == [b"head body end"]
    stream.close()


async def test_a_write_waits_for_a_reader(mirrors: Any) -> None:
    go = asyncio.Event()
    got = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        while data := await reader.read(65536):
            got += len(data)

    stream = await connected(mirrors, handler)
    chunk = bytes(1024 * 1024)

    async def write() -> None:
        for _ in range(20):
            await stream.write(chunk)

    writing = asyncio.ensure_future(write())
    done, _ = await asyncio.wait([writing], timeout=0.2)
    assert not done
    go.set()
    await writing
    await mirrors.until(lambda: got == 20 * len(chunk))
    stream.close()


async def test_reading_stops_when_nobody_takes_it(mirrors: Any) -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for _ in range(256):
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    stream = await connected(mirrors, handler)
    before = -1
    while sent != before:
        before = sent
        await asyncio.sleep(0.1)
    assert sent < 256 * 65536
    received = 0
    while data := await stream.read(65536):
        received += len(data)
    assert received == stream.received == 256 * 65536
    assert stream.eof_read
    stream.close()


async def test_the_end_and_the_errors_of_a_connection(mirrors: Any) -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"last")

    async def aborting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    stream = await connected(mirrors, closing)
    assert await stream.read(2) == b"la"
    assert await stream.read(99) == b"st"
    assert await stream.read(99) == b""
    await mirrors.until(stream.stale)
    stream = await connected(mirrors, aborting)
    await stream.write(b"xyz")
    with pytest.raises(httpcore.ReadError):
        await stream.read(99)
    with pytest.raises(httpcore.WriteError):
        await stream.write(b"more")
    assert stream.get_extra_info("is_readable")


async def test_stale_before_the_loop_knows(mirrors: Any) -> None:
    """The server's FIN is seen with a look at the socket, even if the loop has not run since."""
    writers: list[asyncio.StreamWriter] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read()

    stream = await connected(mirrors, handler)
    await mirrors.until(lambda: writers)
    assert not stream.stale()
    writers[0].transport.get_extra_info("socket").shutdown(1)
    assert not stream.eof
    assert stream.stale()
    stream.close()


async def test_http2_frames_of_an_idle_connection(mirrors: Any) -> None:
    ping, goaway = (
        b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + bytes(8),
        b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8),
    )

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ping)
        await reader.read(1)
        writer.write(goaway)
        await reader.read()

    stream = await connected(mirrors, handler)
    stream.http2 = True
    await mirrors.until(lambda: stream.received == len(ping))
    assert not stream.stale()
    await stream.write(b"x")
    await mirrors.until(lambda: stream.received == len(ping + goaway))
    assert stream.stale()
    stream.close()


async def test_names_that_are_none_raise() -> None:
    for host in ("", "a" * 70, ".."):
        with pytest.raises(httpcore.ConnectError):
            await Backend().connect_tcp(host, 1)


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="an option of Linux")
async def test_an_answer_in_two_parts_does_not_wait_for_an_acknowledgement() -> None:
    """Of a server with Nagle's algorithm, on a connection that was used before: 40 ms that are not the server's."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(65536):
                connection.sendall(b"head ")
                connection.sendall(b"body")

    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = loop.run_in_executor(None, serve, listener)
        stream = await Backend().connect_tcp("127.0.0.1", listener.getsockname()[1])
        took = []
        for _ in range(12):
            begin = loop.time()
            await stream.write(b"request")
            answer = b""
            while answer != b"head body":
                answer += await stream.read(65536)
            took.append(loop.time() - begin)
        await stream.aclose()
        await serving
    assert min(took[4:]) < 0.03


async def test_a_name_is_resolved(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    assert (await made.one(port, address="localhost")).outcome == "sent"
    result = await made.one(port, address="no-such-host.invalid", label="absent")
    assert (result.reason, result.detail.partition(" ")[0]) == ("connect", "no-such-host.invalid")


async def test_names_that_are_none(engine: Any) -> None:
    made = engine()
    for address in ("a" * 70 + ".example", "", "bad host", "x\udcff", "..", "[::1"):
        result = await made.one(1, address=address)
        assert (result.outcome, result.reason) == ("failed", "connect"), address
        assert result.detail


async def test_ipv6(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering(host="::1")
    assert (await engine().one(port, address="::1")).outcome == "sent"


async def test_a_unix_socket(mirrors: Any, engine: Any, tmp_path: Path) -> None:
    await mirrors.answering(path=str(tmp_path / "socket"))
    made = engine()
    assert (await made.one(0, address=f"unix://{tmp_path}/socket")).outcome == "sent"
    result = await made.one(0, address=f"unix://{tmp_path}/absent")
    assert (result.reason, result.detail) == ("connect", f"{tmp_path}/absent: No such file or directory")


async def test_a_write_that_waits_ends_with_its_connection(mirrors: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await aborted.wait()
        writer.transport.abort()

    aborted = asyncio.Event()
    stream = await connected(mirrors, handler)

    async def write() -> None:
        while True:
            await stream.write(bytes(1024 * 1024))

    writing = asyncio.ensure_future(write())
    await mirrors.until(lambda: stream._write_paused)
    await stream.write(b"a small write does not wait")
    aborted.set()
    with pytest.raises(httpcore.WriteError):
        await writing
    await asyncio.sleep(0)
    stream.close()
