from __future__ import annotations

import asyncio
import json
import math
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from enginetools import Mirrors
from enginetools import until

from mirror_addon.replay.arguments import parse_selection
from mirror_addon.replay.order import Repeats
from mirror_addon.replay.player import Pace
from mirror_addon.replay.run import replay
from mirror_addon.replay.run import replay_within
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.source import Source
from mirror_addon.replay.source import open_sources

MakeSetup = Callable[..., Setup]
Capture = Callable[..., Path]
FAST = Pace(math.inf)


def sources(*paths: Path) -> list[Source]:
    return open_sources(parse_selection([str(path) for path in paths], []), b"10.0.0.1", lambda _: None)


async def test_a_replay_to_its_end(setup: MakeSetup, capture: Capture, mirrors: Mirrors, tmp_path: Path) -> None:
    port = await mirrors.answering()
    record = tmp_path / "record.jsonl"
    made = setup(port, f"mirror_record={record}", "mirror_record_bodies=true", pace=FAST, repeats=Repeats(2, 2))
    found = await replay(made, sources(capture(["/a", "/private"])))
    assert (found.requests, found.mirrored, found.given_up, found.interrupted) == (8, 4, 0, False)
    assert (found.shadows.sent, found.shadows.skipped) == (4, {"percent": 8, "when": 4})
    assert found.seconds > 0
    assert found.problem == ""
    assert len(mirrors.received) == 4
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["request"]["headers"][0] for line in lines] == [["Host", "shop.example"]] * 4


async def test_a_broken_capture_ends_it_after_what_came_before(
    setup: MakeSetup, capture: Capture, mirrors: Mirrors
) -> None:
    port = await mirrors.answering()
    path = capture(["/a", "/b"])
    with path.open("ab") as file:
        file.write(b"this is no flow\n")
    found = await replay(setup(port, pace=FAST), sources(path))
    assert (found.requests, found.shadows.sent) == (2, 2)
    assert "at byte" in found.problem


def test_a_time_ends_it_outside_of_the_main_thread(setup: MakeSetup, capture: Capture) -> None:
    path, made = capture(["/a"] * 2, gap=1000.0), setup(9, "mirror_drain=0.1s")
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(lambda: asyncio.run(replay_within(made, sources(path), 0.5))).result()
    assert found.interrupted and found.requests < 2


@pytest.mark.parametrize("signals", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_signals_end_it(setup: MakeSetup, capture: Capture, mirrors: Mirrors, signals: int) -> None:
    port = await mirrors.hanging()
    drain = "100ms" if signals == 1 else "1000s"
    made = setup(port, f"mirror_drain={drain}", pace=FAST, repeats=Repeats(loops=math.inf))
    before = signal.getsignal(signal.SIGTERM)
    task = asyncio.create_task(replay(made, sources(capture(["/a"]))))
    await until(lambda: mirrors.connections)
    for _ in range(signals):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)
    found = await asyncio.wait_for(task, 30)
    assert found.interrupted
    assert found.shadows.dropped == {"shutdown": found.shadows.offered}
    assert found.shadows.pending == 0
    assert signal.getsignal(signal.SIGTERM) == before
