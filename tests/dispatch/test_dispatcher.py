from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.subject import Subject

KIB = 1024
MIB = 1024 * KIB
PATIENCE = 30.0


async def test_a_shadow_is_sent_as_it_is(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine(keep_body=100)
    headers = (
        (b"User-Agent", b"x"),
        (b"x-DUP", b"1"),
        (b"X-Forwarded-For", b"10.10.2.151"),
        (b"Content-Length", b"3"),
        (b"X-Dup", b"\x80\xff"),
        (b"Empty", b""),
    )
    target = b"/a/../b//c?x=[1]{2}|%2F%2f&y=%zz"
    request = made.request(b"pRoPfInD", target, headers, b"istio.gateway.xxxx.tech:80")
    result = await made.one(port, b"abc", request=request)
    assert mirrors.received[0].head == (
        b"pRoPfInD " + target + b" HTTP/1.1\r\n"
        b"Host: istio.gateway.xxxx.tech-shadow:80\r\n"
        b"User-Agent: x\r\n"
        b"x-DUP: 1\r\n"
        b"X-Forwarded-For: 10.10.2.151,10.0.0.1\r\n"
        b"Content-Length: 3\r\n"
        b"X-Dup: \x80\xff\r\n"
        b"Empty: "
    )
    assert mirrors.received[0].body == b"abc"
    assert (result.outcome, result.status, result.http_version, result.body) == ("sent", 200, "HTTP/1.1", b"ok")
    assert result.headers == ((b"Content-Length", b"2"),)
    assert (result.id, result.label, result.bytes, result.truncated) == ("1/1", "serviceB/v2", 2, False)
    assert 0 < result.first_byte_ms <= result.ms
    assert 0 < result.connect_ms <= result.total_ms - result.ms


async def test_bodies_arrive_whole_in_their_framing(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    for size in (0, 1, 4095, 4096, 256 * KIB, 256 * KIB + 1, 5 * MIB):
        for framing in ((b"Transfer-Encoding", b"chunked"), (b"Content-Length", str(size).encode())):
            body = os.urandom(size)
            result = await made.one(port, body, request=made.request(b"POST", headers=(framing,)))
            assert result.outcome == "sent"
            received = mirrors.received.pop()
            assert received.body == body
            assert framing[0] + b": " + framing[1] in received.fields
            assert len(received.fields) == 3
    assert made.dispatcher.status()["waiting_bytes"]["value"] == 0


async def test_the_biggest_body_fits_an_empty_queue_and_no_bigger_one(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine(queue=MIB, max_body=MIB)
    body = bytes(MIB)
    request = made.request(b"POST", headers=((b"Content-Length", str(MIB).encode()),))
    assert (await made.one(port, body, request=request)).outcome == "sent"
    result = await made.one(port, body + b"x", request=request)
    assert (result.outcome, result.reason) == ("dropped", "body_too_large")
    assert made.counters.totals().adapted["content_length"] == 1


async def test_answers_are_not_kept_unless_asked_for(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    result = await engine().one(port)
    assert (result.status, result.headers, result.body, result.bytes) == (200, (), None, 2)


async def test_any_status_is_an_answer(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering(b"HTTP/1.1 503 Nope\r\nContent-Length: 0\r\n\r\n")
    made = engine()
    for _ in range(10):
        result = await made.one(port)
        assert (result.outcome, result.status) == ("sent", 503)


async def test_neither_redirects_nor_cookies_are_followed(mirrors: Any, engine: Any) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    port = await mirrors.answering(answer)
    made = engine()
    assert (await made.one(port)).status == 302
    assert (await made.one(port)).status == 302
    assert len(mirrors.received) == 2
    assert not any(b"cookie" in received.head.lower() for received in mirrors.received)


async def test_environment_proxies_are_not_used(mirrors: Any, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = await mirrors.answering(b"HTTP/1.1 418 Trap\r\nContent-Length: 0\r\n\r\n")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap}")
    assert (await engine().one(await mirrors.answering())).status == 200


async def test_a_full_queue_drops_and_says_so(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine(queue=100 * KIB, max_body=100 * KIB, concurrency=1)
    for _ in range(40):
        made.offer(port, bytes(10 * KIB))
    dropped = made.counters.totals().dropped
    assert dropped == {"queue_full": 32}
    assert made.counters.totals().pending == 8
    waiting = made.dispatcher.status()["waiting_bytes"]
    assert 80 * KIB < waiting["value"] <= waiting["limit"] == 100 * KIB
    assert waiting["high"] == waiting["value"]


async def test_a_hung_mirror_starves_no_other(mirrors: Any, engine: Any) -> None:
    hung, healthy = await mirrors.hanging(), await mirrors.answering()
    made = engine(queue=200 * KIB, max_body=100 * KIB, concurrency=2)
    for _ in range(400):
        made.offer(hung, label="hung/v2")
    assert made.counters.targets["hung/v2"].dropped["queue_full"] > 200
    for _ in range(10):
        assert (await made.one(healthy, label="healthy/v2")).outcome == "sent"


async def test_a_dead_mirror_costs_nothing(mirrors: Any, engine: Any) -> None:
    port = mirrors.refusing()
    made = engine()
    for _ in range(5):
        result = await made.one(port)
        assert (result.outcome, result.reason) == ("failed", "connect")
        assert "refused" in result.detail.lower()
    made.offer(port)
    assert (made.results[-1].outcome, made.results[-1].reason) == ("dropped", "breaker_open")
    breaker = made.dispatcher.status()["targets"]["serviceB/v2"]["circuit_breakers"][f"127.0.0.1:{port}"]
    assert breaker == {"state": "open", "opened": 1}


async def test_a_mirror_that_comes_back_is_found_by_a_probe(mirrors: Any, engine: Any) -> None:
    port = mirrors.refusing()
    made = engine()
    for _ in range(5):
        await made.one(port)
    await mirrors.answering(port=port)

    async def closed() -> bool:
        return (await made.one(port)).outcome == "sent"

    while not await closed():
        assert made.results[-1].reason == "breaker_open"
        await asyncio.sleep(0.02)
    for _ in range(3):
        assert (await made.one(port)).outcome == "sent"
    assert made.counters.totals().failed == {"connect": 5}


async def test_what_waits_for_a_dead_mirror_is_given_up(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine(concurrency=5)
    for _ in range(30):
        made.offer(port, timeout=0.3)
    await made.wait(30)
    totals = made.counters.totals()
    assert totals.failed["timeout"] in range(5, 14)  # the lanes may have taken up the next ones
    assert totals.failed["timeout"] + totals.dropped["breaker_open"] == 30


async def test_several_workers_share_a_target(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine(workers=2, concurrency=4)
    for _ in range(8):
        made.offer(port)
    await made.until(lambda: mirrors.connections == 8)
    assert [worker["shadows"] for worker in made.dispatcher.status()["workers"]] == [4, 4]
    await made.until(lambda: made.dispatcher.status()["targets"])
    lanes = "upstream_cx_active"
    await made.until(lambda: made.dispatcher.status()["targets"]["serviceB/v2"][lanes]["value"] == 8)
    assert made.dispatcher.status()["targets"]["serviceB/v2"][lanes]["limit"] == 8


async def test_lanes_are_limited_and_shown(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine(concurrency=3)
    for _ in range(10):
        made.offer(port)

    def numbers() -> list[int]:
        gauges = made.dispatcher.status()["targets"].get("serviceB/v2", {})
        return [gauge["value"] for gauge in gauges.values()]

    await made.until(lambda: numbers() == [3, 3, 7])
    assert mirrors.connections == 3


async def test_close_lets_shadows_finish(mirrors: Any, engine: Any) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        await asyncio.sleep(0.5)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    made = engine()
    made.offer(await mirrors.start(slow))
    closing = asyncio.ensure_future(made.dispatcher.close(PATIENCE))
    await asyncio.sleep(0)
    made.offer(1)
    await closing
    assert [(result.outcome, result.reason) for result in made.results] == [("dropped", "shutdown"), ("sent", "")]


async def test_close_gives_up_after_the_drain(mirrors: Any, engine: Any) -> None:
    port = await mirrors.hanging()
    made = engine()
    made.offer(port)
    made.offer(port)
    await made.until(lambda: mirrors.connections == 2)
    start = asyncio.get_running_loop().time()
    await made.dispatcher.close(0.2)
    assert 0.2 <= asyncio.get_running_loop().time() - start < 15, "far from the 30 s of the deadline"
    assert made.counters.totals().dropped == {"shutdown": 2}


async def test_close_twice_and_before_start(engine: Any) -> None:
    made = engine()
    await made.dispatcher.close(0)
    await made.dispatcher.close(0)
    made.offer(1)
    assert made.results[0].reason == "shutdown"


async def test_a_frozen_worker_fills_the_queue_and_is_killed_at_the_end(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine(queue=MIB, max_body=MIB)
    assert (await made.one(port)).outcome == "sent"
    (pid,) = made.pids()
    os.kill(pid, signal.SIGSTOP)
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(200):
        start = loop.time()
        made.offer(port, bytes(50 * KIB))
        await asyncio.sleep(0)
        took.append(loop.time() - start)
    assert made.counters.totals().dropped["queue_full"] > 150
    assert sorted(took)[100] < 0.1, "and whoever waited for the worker would wait for ever"
    await made.dispatcher.close(0.1)
    assert made.counters.totals().pending == 0
    assert made.counters.totals().dropped["shutdown"] > 0


async def test_a_frozen_worker_goes_on_when_it_thaws(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine(queue=MIB, max_body=MIB)
    assert (await made.one(port)).outcome == "sent"
    (pid,) = made.pids()
    os.kill(pid, signal.SIGSTOP)
    for _ in range(200):
        made.offer(port, bytes(50 * KIB))
        await asyncio.sleep(0)
    os.kill(pid, signal.SIGCONT)
    await made.wait(201)
    assert set(made.counters.totals().dropped) == {"queue_full"}
    assert made.counters.totals().sent > 10
    assert (await made.one(port)).outcome == "sent"


async def test_what_no_frame_can_hold_is_dropped(engine: Any, caplog: pytest.LogCaptureFixture) -> None:
    made = engine()
    shadow = made.shadow(1)
    shadow.headers = ((b"a", b"x" * (17 * MIB)),)
    with caplog.at_level(logging.WARNING):
        made.hand_over(shadow, b"")
    assert made.results[0].reason == "unsendable"
    assert "cannot be handed over" in caplog.text


async def test_offering_does_no_work_of_the_worker(mirrors: Any, engine: Any) -> None:
    """Nothing is sent before the hook returns to the loop; mitmproxy's loop starts tasks at once on Python 3.12+."""
    if eager := getattr(asyncio, "eager_task_factory", None):
        asyncio.get_running_loop().set_task_factory(eager)
    port = await mirrors.answering()
    made = engine()
    await made.one(port)
    made.offer(port)
    assert len(made.results) == 1
    await made.wait(2)


async def test_close_does_not_wait_for_the_primary_of_a_dropped_shadow(engine: Any, tmp_path: Path) -> None:
    """It may hang for ever. The shadow's line of the record is written without it."""
    made = engine(max_body=10)
    record = tmp_path / "record.jsonl"
    made.dispatcher.configure(Recording(MIB, path=str(record), compare=True))
    hanging = Primary("p", Subject("p", 1.0, "r", "b/v1", False, False, "POST", "http://b/", 1, ""))
    request = made.shadow(1, 11)
    made.dispatcher.offer(made.admit(request, hanging), request, b"x" * 11)
    await made.until(lambda: made.dispatcher.status()["workers"][0]["state"] == "running")
    assert [result.reason for result in made.results] == ["body_too_large"]
    await asyncio.wait_for(made.dispatcher.close(600.0), PATIENCE)
    (line,) = record.read_text().splitlines()
    assert json.loads(line)["shadow"]["error"] == "body_too_large"
    assert (made.counters.recorded, made.counters.unrecorded) == (1, 0)
