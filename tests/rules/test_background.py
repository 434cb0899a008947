from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref

import pytest

from mirror_addon.istio.parsing import collector_paused
from mirror_addon.rules import background
from mirror_addon.rules.background import LOOK_AGAIN
from mirror_addon.rules.background import SWITCH_INTERVAL
from mirror_addon.rules.background import exempt_what_is_loaded
from mirror_addon.rules.background import in_background
from mirror_addon.rules.giving_way import breathe


def test_collector_is_paused_and_put_back() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


async def test_work_runs_in_a_thread_while_the_loop_goes_on() -> None:
    before = sys.getswitchinterval()
    go_on = threading.Event()
    seen: list[object] = []

    def work() -> int:
        seen.extend([threading.current_thread(), gc.isenabled(), sys.getswitchinterval()])
        assert go_on.wait(10)
        return 7

    task = asyncio.ensure_future(in_background(work, lambda _: False))
    await asyncio.sleep(0)
    go_on.set()
    assert await task == 7
    thread, collecting, interval = seen
    assert thread is not threading.main_thread() and collecting is False
    assert interval == pytest.approx(SWITCH_INTERVAL)
    assert sys.getswitchinterval() == before and gc.isenabled()


async def test_all_is_put_back_after_a_failure() -> None:
    before = sys.getswitchinterval()

    def work() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await in_background(work, lambda _: False)
    assert sys.getswitchinterval() == before and gc.isenabled()


def test_what_is_loaded_is_exempt() -> None:
    gc.unfreeze()
    exempt_what_is_loaded()
    assert gc.get_freeze_count() > 10_000
    gc.unfreeze()


async def test_what_lives_long_is_exempt_from_collection() -> None:
    gc.unfreeze()
    assert await in_background(lambda: [{}], lambda result: len(result) == 1) == [{}]
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


async def test_work_gives_way() -> None:
    def work() -> tuple[float, float]:
        begin, used = time.perf_counter(), time.thread_time()
        while time.thread_time() - used < 0.02:
            breathe()
        return time.perf_counter() - begin, time.thread_time() - used

    wall, used = await in_background(work, lambda _: False)
    assert wall > 2 * used


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.ring = self


def exempt_garbage() -> weakref.ref[Ring]:
    exempt_what_is_loaded()
    gc.disable()
    ring = Ring()
    lost = weakref.ref(ring)
    del ring
    gc.freeze()
    gc.enable()
    gc.collect()
    assert lost() is not None, "no collection looks at it"
    return lost


async def test_garbage_that_was_exempt_is_found_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "IDLE", 0.01)
    lost = exempt_garbage()
    for _ in range(LOOK_AGAIN - 1):
        await in_background(lambda: None, lambda _: True)
    looks: list[int] = []

    def busy() -> int:
        looks.append(len(looks))
        return len(looks)

    monkeypatch.setattr(background, "_young_collections", busy)
    await in_background(lambda: None, lambda _: True)
    async with asyncio.timeout(20):
        while len(looks) < 4:
            await asyncio.sleep(0.005)
    assert lost() is not None, "there is something to do"
    monkeypatch.setattr(background, "_young_collections", lambda: 7)
    async with asyncio.timeout(20):
        while lost() is not None:
            await asyncio.sleep(0.005)
    gc.unfreeze()


async def test_garbage_that_was_exempt_is_found_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AT_MOST", 3)
    lost = exempt_garbage()
    for _ in range(3):
        assert lost() is not None
        await in_background(lambda: None, lambda _: True)
    assert lost() is None
    gc.unfreeze()


async def test_young_garbage_goes_while_work_rests() -> None:
    """The collector is paused for as long as the work takes."""

    class Ring:
        def __init__(self) -> None:
            self.ring = self

    def work() -> bool:
        ring = Ring()
        lost = weakref.ref(ring)
        del ring
        assert not gc.isenabled()
        deadline = time.monotonic() + 10
        while lost() is not None and time.monotonic() < deadline:
            breathe()
        return lost() is None

    assert await in_background(work, lambda _: False)
