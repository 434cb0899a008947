"""Comparisons in a real process: their deadlines, their turns, and what ends with them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import Any

import pytest
from childtools import children

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.worker import compare_process
from mirror_addon.worker.compare_process import CompareProcess
from mirror_addon.worker.comparison_task import IdArguments
from mirror_addon.worker.comparison_task import Task

JSON = ((b"Content-Type", b"application/json"),)


class World:
    def __init__(self, **settings: Any) -> None:
        self.logged: list[str] = []
        self.results: list[tuple[str, Comparison]] = []
        self.process = CompareProcess(self.logged.append, **settings)

    def submit(self, name: str, pair: Task, label: str = "b/v2", learned: NewIds | None = None) -> None:
        self.process.submit(label, pair, DEFAULT_RULES, learned, lambda result: self.results.append((name, result)))

    async def wait(self, count: int) -> dict[str, Comparison]:
        await self.until(lambda: len(self.results) >= count)
        return dict(self.results)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.002)

    @property
    def pids(self) -> set[int]:
        return children()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.process.close(0)
    assert not made.pids


def pair(primary: bytes = b'{"a":1}', shadow: bytes = b'{"a":2}', **more: Any) -> Task:
    one, other = (Answer(200, JSON, body, len(body), 1.0) for body in (primary, shadow))
    return Task(one, other, None, "GET", "http://b/x\x1b[31m", "", 1.0, 1.0, None)._replace(**more)


def slow_pair() -> Task:
    """It takes seconds."""
    first, second = (
        json.dumps([{"id": n, "a": {"b": n % mod, "c": [n, n + 1, str(n)]}} for n in range(150_000)]).encode()
        for mod in (7, 11)
    )
    return pair(first, second)


async def test_a_pair_is_compared(world: World) -> None:
    world.submit("one", pair())
    assert world.process.backlog == 1
    assert (await world.wait(1))["one"].verdict == "different"
    assert (world.process.backlog, world.process.given_up, world.logged) == (0, 0, [])


@pytest.mark.long  # depends on a machine that is idle
async def test_a_slow_pair_is_given_up_and_those_behind_it_are_compared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_process, "LEAST_SECONDS", 0.3)
    monkeypatch.setattr(compare_process, "SECONDS_PER_MIB", 0.0)
    world.submit("slow", slow_pair())
    for number in range(20):
        world.submit(f"b{number}", pair())
    results = await world.wait(21)
    assert results["slow"] == Comparison(None, (), ("not compared: it took more than 0.3 s",))
    assert {results[f"b{number}"].verdict for number in range(20)} == {"different"}
    assert world.process.given_up == 1
    (line,) = world.logged
    assert line.startswith("b/v2: the responses to GET 'http://b/x\\x1b[31m' were not compared: it took more than")


@pytest.mark.long  # depends on a machine that is idle
async def test_mirrors_take_turns(world: World) -> None:
    for number in range(10):
        world.submit(f"a{number}", pair(), "a/v1")
    world.submit("b", pair(), "b/v1")
    await world.wait(11)
    assert [name for name, _ in world.results].index("b") <= 2


async def test_a_pair_that_waits_for_too_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_process, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(compare_process, "MOST_WAITING", 4)
    monkeypatch.setattr(compare_process, "_WATCH_SECONDS", 0.0)
    for number in range(5):
        world.submit(str(number), pair())
    results = await world.wait(5)
    assert results["4"].notes == ("not compared: 4 pairs were waiting before it",)
    assert results["0"].notes == ("not compared: it waited for 0 s behind others",)
    assert len(world.logged) == 1
    assert world.process.backlog == 0


@pytest.mark.long  # depends on a machine that is idle
async def test_a_process_that_dies_takes_one_pair_with_it(world: World) -> None:
    world.submit("first", pair())
    await world.wait(1)
    (pid,) = world.pids
    os.kill(pid, signal.SIGSTOP)
    for name in ("lost", "second", "third"):
        world.submit(name, pair())
    os.kill(pid, signal.SIGKILL)
    results = await world.wait(4)
    assert results["lost"].notes == ("not compared: its process ended, perhaps because memory ran out",)
    assert results["second"].verdict == results["third"].verdict == "different"
    assert pid not in world.pids


async def test_memory_is_limited() -> None:
    world = World(memory=250 * 1024 * 1024)
    world.submit("big", slow_pair())
    world.submit("small", pair())
    results = await world.wait(2)
    await world.process.close(0)
    assert results["big"].verdict is None
    assert "memory" in results["big"].notes[0]
    assert results["small"].verdict == "different"
    assert world.process.given_up == 1


async def test_what_was_learned_in_another_process_is_known(world: World) -> None:
    learned = NewIds()
    url = "http://b/orders"
    made, known = IdArguments("POST", url, url, True, None), IdArguments("GET", url, url, False, None)
    post = pair(b'{"id":1001}', b'{"id":57}', method="POST", url=url, ids=made)
    get = pair(b'{"orderId":1001}', b'{"orderId":57}', url=url, ids=known)
    world.submit("post", post, learned=learned)
    await world.wait(1)
    assert learned.stands_for("order", 1001, 57, new=False)
    learned.stands_for("order", 1002, 58, new=True)
    other = pair(b'{"orderId":1002}', b'{"orderId":58}', url=url, ids=known)
    world.submit("learned here", other, learned=learned)
    await world.wait(2)
    (pid,) = world.pids
    os.kill(pid, signal.SIGKILL)
    await world.until(lambda: pid not in world.pids)
    world.submit("get", get, learned=learned)
    world.submit("again", other, learned=learned)
    assert {name: result.verdict for name, result in (await world.wait(4)).items()} == dict.fromkeys(
        ("post", "learned here", "get", "again"), "noise"
    )


async def test_a_process_that_cannot_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        world.submit("one", pair())
    assert dict(world.results)["one"].notes == ("not compared: its process cannot be started: Cannot allocate memory",)
    world.submit("two", pair())  # it is not tried again at once
    assert dict(world.results)["two"].notes == ("not compared: its process could not be started",)
    monkeypatch.setattr(compare_process, "_REST_SECONDS", 0.0)
    world.submit("three", pair())
    assert (await world.wait(3))["three"].verdict == "different"


async def test_a_process_that_ends_at_its_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_process, "command", lambda *_: ["/bin/false"])
    world.submit("one", pair())
    world.submit("two", pair())
    results = await world.wait(2)
    assert {result.notes[0] for result in results.values()} == {
        "not compared: its process ended, perhaps because memory ran out"
    }


async def test_a_process_that_does_not_become_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_process, "command", lambda *_: ["/bin/sleep", "100"])
    monkeypatch.setattr(compare_process, "START_SECONDS", 0.05)
    world.submit("one", pair())
    assert (await world.wait(1))["one"].notes == ("not compared: its process did not start within 0.05 s",)


async def test_at_the_end_what_is_left_is_given_up(world: World) -> None:
    world.submit("slow", slow_pair())
    world.submit("one", pair())
    await world.process.close(0.01)
    assert {result.notes for _, result in world.results} == {("not compared: the proxy ended",)}
    assert len(world.results) == 2
    assert not world.pids
