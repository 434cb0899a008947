"""A clock that jumps by an hour between two turns of the proxy's loop, as after a pause of a virtual machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

HOUR = 3600.0


@pytest.fixture
async def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Puts the loop's clock an hour on."""
    loop = asyncio.get_running_loop()
    real, jumps = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: real() + sum(jumps))
    return lambda: jumps.append(HOUR)


async def test_shadows_under_way_and_uploads_go_on(mirrors: Any, engine: Any, jump: Callable[[], None]) -> None:
    answer = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            mirrors.received.append(await mirrors.read_request(reader))
            await answer.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    port = await mirrors.start(slow)
    made = engine()
    for _ in range(3):
        made.offer(port)
    upload = made.open(made.shadow(port, None))
    upload.write(b"before")
    await made.until(lambda: len(mirrors.received) == 3)
    pids = made.pids()
    jump()
    upload.write(b" after")
    upload.end()
    made.offer(port)
    await made.until(lambda: len(mirrors.received) == 5)
    answer.set()
    await made.wait(5)
    assert made.counters.totals().sent == 5
    assert b"before after" in [received.body for received in mirrors.received]
    assert made.pids() == pids
    (worker,) = made.dispatcher.status()["workers"]
    assert (worker["state"], worker["restarts"]) == ("running", 0)
    assert made.dispatcher.status()["waiting_bytes"]["value"] == 0


async def test_a_breakers_pause_is_over(mirrors: Any, engine: Any, jump: Callable[[], None]) -> None:
    broken = True

    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await mirrors.read_request(reader) and not broken:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    made = engine()
    port = await mirrors.start(mirror)
    for _ in range(5):
        assert (await made.one(port)).reason == "reset"
    assert (await made.one(port)).reason == "breaker_open"
    jump()
    assert (await made.one(port)).reason == "reset"  # the probe
    assert (await made.one(port)).reason == "breaker_open"
    broken = False
    jump()
    assert (await made.one(port)).outcome == "sent"


async def test_the_drain_is_over(mirrors: Any, engine: Any, jump: Callable[[], None]) -> None:
    made = engine()
    made.offer(await mirrors.hanging())
    closing = asyncio.ensure_future(made.dispatcher.close(600.0))
    await asyncio.sleep(0.1)
    assert not closing.done()
    jump()
    await asyncio.wait_for(closing, 30)
    assert made.counters.totals().dropped == {"shutdown": 1}
