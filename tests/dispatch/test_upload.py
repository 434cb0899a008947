from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

KIB = 1024
MIB = 1024 * KIB


async def test_a_streamed_body_arrives_whole(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    upload = made.open(made.shadow(port, None, made.request(b"POST")))
    chunks = [os.urandom(70_000) for _ in range(20)]
    for chunk in chunks:
        upload.write(chunk)
        await asyncio.sleep(0)
    assert upload.alive
    upload.end()
    assert not upload.alive
    upload.write(b"late")
    upload.end()
    upload.abort()
    await made.wait(1)
    assert mirrors.received[0].body == b"".join(chunks)
    assert b"transfer-encoding: chunked" in mirrors.received[0].fields
    assert made.dispatcher.status()["waiting_bytes"]["value"] == 0


async def test_the_shadow_starts_before_the_body_is_there(mirrors: Any, engine: Any) -> None:
    heads: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        heads.append(await reader.readexactly(5))
        heads.append(await reader.readexactly(5))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    made = engine()
    request = made.request(b"POST", headers=((b"Content-Length", b"10"),))
    upload = made.open(made.shadow(await mirrors.start(handler), None, request))
    await made.until(lambda: len(heads) == 1)
    upload.write(b"first")
    await made.until(lambda: len(heads) == 2)
    upload.write(b"other")
    upload.end()
    await made.wait(1)
    assert heads[1:] == [b"first", b"other"]
    assert made.results[0].outcome == "sent"


async def test_an_aborted_upload_is_reset_at_the_mirror(mirrors: Any, engine: Any) -> None:
    ends: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        ends.append(await reader.readexactly(5))
        ends.append(await reader.read())

    made = engine()
    request = made.request(b"POST", headers=((b"Content-Length", b"10"),))
    upload = made.open(made.shadow(await mirrors.start(handler), None, request))
    upload.write(b"first")
    await made.until(lambda: ends)
    upload.abort("aborted")
    assert (made.results[0].outcome, made.results[0].reason) == ("dropped", "aborted")
    await made.until(lambda: ends == [b"first", b""])
    await made.until(lambda: made.dispatcher.status()["waiting_bytes"]["value"] == 0)
    assert len(made.results) == 1


async def test_an_upload_is_aborted_while_it_waits_for_a_lane(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine(concurrency=1)
    made.offer(port)
    await made.until(lambda: mirrors.connections == 1)
    upload = made.open(made.shadow(port, None))
    upload.write(bytes(100 * KIB))
    upload.abort()
    await made.until(lambda: made.dispatcher.status()["waiting_bytes"]["value"] < 10 * KIB)
    assert made.counters.totals().dropped == {"aborted": 1}
    assert mirrors.connections == 1


async def test_an_upload_that_does_not_fit_is_given_up_and_its_bytes_come_back(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine(queue=MIB, max_body=64 * MIB)
    made.offer(port)
    upload = made.open(made.shadow(port, None, made.request(b"POST")))
    written = 0
    while upload.alive:
        upload.write(bytes(32 * KIB))
        written += 32 * KIB
        assert written < 2 * MIB
    assert made.results[0].reason == "queue_full"
    await made.until(lambda: made.dispatcher.status()["waiting_bytes"]["value"] < 10 * KIB)
    assert made.dispatcher.status()["waiting_bytes"]["high"] <= MIB


async def test_an_upload_longer_than_allowed_is_given_up(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine(max_body=MIB)
    upload = made.open(made.shadow(port, None, made.request(b"POST")))
    upload.write(bytes(MIB))
    assert upload.alive
    upload.write(b"x")
    assert not upload.alive
    assert made.results[0].reason == "body_too_large"


async def test_a_slow_mirror_takes_more_than_the_queue_holds(mirrors: Any, engine: Any) -> None:
    """The bytes that it took make room for the next."""
    port = await mirrors.answering()
    made = engine(queue=2 * MIB, max_body=64 * MIB)
    other = made.open(made.shadow(await mirrors.hanging(), None, label="other/v2"))
    upload = made.open(made.shadow(port, None, made.request(b"POST")))
    for _ in range(128):
        await made.until(lambda: made.dispatcher.status()["waiting_bytes"]["value"] < MIB)
        upload.write(bytes(64 * KIB))
    upload.end()
    await made.wait(1)
    assert len(mirrors.received[0].body) == 8 * MIB
    other.abort()


async def test_a_piece_of_any_size(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    body = os.urandom(3 * MIB + 1)
    upload = made.open(made.shadow(port, None, made.request(b"POST")))
    upload.write(b"")
    upload.write(body)
    upload.end()
    await made.wait(1)
    assert mirrors.received[0].body == body


async def test_the_clients_time_is_not_the_mirrors(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    upload = made.open(made.shadow(port, None, made.request(b"POST"), timeout=1))
    upload.write(b"a")
    await asyncio.sleep(1.5)
    upload.write(b"b")
    upload.end()
    await made.wait(1)
    assert (made.results[0].outcome, mirrors.received[0].body) == ("sent", b"ab")


async def test_an_upload_to_a_mirror_that_hangs_has_a_deadline(mirrors: Any, engine: Any) -> None:
    made = engine()
    upload = made.open(made.shadow(await mirrors.hanging(), None, made.request(b"POST"), timeout=0.2))
    upload.write(b"a")
    upload.end()
    await made.wait(1)
    assert made.results[0].reason == "timeout"


async def test_uploads_go_on_while_the_engine_drains(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    upload = made.open(made.shadow(port, None, made.request(b"POST")))
    upload.write(b"before ")
    closing = asyncio.ensure_future(made.dispatcher.close(30.0))
    await asyncio.sleep(0.05)
    upload.write(b"after")
    upload.end()
    await closing
    assert made.results[0].outcome == "sent"
    assert mirrors.received[0].body == b"before after"


async def test_the_upload_of_a_lost_worker_is_over(mirrors: Any, engine: Any) -> None:
    made = engine()
    upload = made.open(made.shadow(await mirrors.hanging(), None, made.request(b"POST")))
    upload.write(b"a")
    await made.until(lambda: mirrors.connections == 1)
    os.kill(made.pids()[0], signal.SIGKILL)
    await made.wait(1)
    assert made.results[0].reason == "worker_lost"
    assert not upload.alive
    upload.write(b"b")
    upload.end()
    assert len(made.results) == 1


async def test_an_answer_before_the_end_of_the_upload(mirrors: Any, engine: Any) -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Big\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await reader.read()

    made = engine()
    upload = made.open(made.shadow(await mirrors.start(early), None, made.request(b"POST")))
    for _ in range(10):
        upload.write(bytes(100 * KIB))
        await asyncio.sleep(0.01)
    upload.end()
    await made.wait(1)
    assert (made.results[0].outcome, made.results[0].status) == ("sent", 413)


async def test_uploads_aborted_at_once(mirrors: Any, engine: Any) -> None:
    """Also between the worker's giving them to an idle lane and that lane's taking them up."""
    port = await mirrors.answering()
    made = engine(concurrency=2)
    for _ in range(20):
        for _ in range(5):
            upload = made.open(made.shadow(port, None, made.request(b"POST")))
            upload.write(b"part")
            upload.abort()
        assert (await made.one(port)).outcome == "sent"
    assert made.counters.totals().dropped == {"aborted": 100}
    assert [received.body for received in mirrors.received] == [b""] * 20
    await made.until(lambda: made.dispatcher.status()["waiting_bytes"]["value"] == 0)


async def test_a_declared_length_that_is_too_big_is_not_begun(mirrors: Any, engine: Any) -> None:
    made = engine(max_body=MIB)
    request = made.request(b"POST", headers=((b"Content-Length", str(MIB + 1).encode()),))
    upload = made.open(made.shadow(await mirrors.hanging(), None, request))
    assert not upload.alive
    assert made.results[0].reason == "body_too_large"
    upload.write(b"a")
    upload.end()
