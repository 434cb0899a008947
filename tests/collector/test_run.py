from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from collectortools import request
from enginetools import until

from mirror_addon.collector.files import Har
from mirror_addon.collector.files import JsonLines
from mirror_addon.collector.run import Collection
from mirror_addon.collector.run import run
from mirror_addon.collector.server import Address
from mirror_addon.collector.server import Collector

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Running:
    """A collection that runs in a task."""

    def __init__(self, path: Path, seconds: float | None = None, count: int | None = None, **options: Any) -> None:
        self.collection = Collection(JsonLines(path), count)
        self.addresses: list[Address] = []
        collector = Collector("127.0.0.1", 0, self.collection.take, **options)
        self.task = asyncio.create_task(run(collector, self.collection, seconds, self.addresses.extend))

    async def ask(self, requests: int) -> bytes:
        """The responses to so many requests on one connection, until it is closed or all have come."""
        await until(lambda: self.addresses)
        reader, writer = await asyncio.open_connection(*self.addresses[0])
        writer.write(GET * requests)
        found = b""
        while found.count(b"\r\n\r\n") < requests and (data := await reader.read(65536)):
            found += data
        writer.close()
        await writer.wait_closed()
        return found


async def test_after_the_last_request_its_response_is_still_sent(tmp_path: Path) -> None:
    running = Running(tmp_path / "a", count=2, delay=0.1)
    assert (await running.ask(3)).count(b" 200 ") == 2
    await asyncio.wait_for(running.task, 30)
    assert running.collection.complete
    assert running.collection.tally.requests == len((tmp_path / "a").read_text().splitlines()) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    running = Running(tmp_path / "a")
    await running.ask(1)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(running.task, 30)
    assert not running.collection.complete


async def test_a_time_ends_it(tmp_path: Path) -> None:
    running = Running(tmp_path / "a", seconds=0.05)
    await asyncio.wait_for(running.task, 30)
    assert running.addresses


async def test_an_address_in_use(tmp_path: Path) -> None:
    collection = Collection(JsonLines(tmp_path / "a"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        collector = Collector(*taken.getsockname(), collection.take)
        with pytest.raises(OSError, match="in use"):
            await run(collector, collection, None, lambda _: None)


def test_a_full_disc_ends_it_and_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    collection = Collection(Har(path, 200))
    assert collection.take(request())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
        assert not collection.take(request())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert collection.problem == "File too large"
    assert collection.ended.is_set()
    assert not collection.take(request()), "nothing is written any more, though there would be room"
    assert len(json.loads(path.read_bytes())["log"]["entries"]) == collection.tally.requests == 1
