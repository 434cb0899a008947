from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from mirror_addon.istio.parsing import collector_paused
from mirror_addon.rules import background
from mirror_addon.rules.background import LOOK_AGAIN
from mirror_addon.rules.background import SWITCH_INTERVAL
from mirror_addon.rules.background import beside_the_loop
from mirror_addon.rules.background import exempt_what_is_loaded
from mirror_addon.rules.background import in_background


@pytest.fixture(autouse=True)
def nothing_stays_exempt() -> Iterator[None]:
    yield
    background._exemptions.clear()
    gc.unfreeze()


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

    task = asyncio.ensure_future(in_background(work))
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
        await in_background(work)
    assert sys.getswitchinterval() == before and gc.isenabled()


def test_all_is_put_back_after_the_last_of_several() -> None:
    """Whichever ends first."""
    before = sys.getswitchinterval()
    one, other = beside_the_loop(), beside_the_loop()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL) and not gc.isenabled()
    other.__exit__(None, None, None)
    assert sys.getswitchinterval() == before and gc.isenabled()


def test_what_others_have_set_is_kept() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL / 5)
    shorter = sys.getswitchinterval()
    assert shorter < SWITCH_INTERVAL
    gc.disable()
    try:
        with beside_the_loop():
            assert sys.getswitchinterval() <= shorter
        assert sys.getswitchinterval() <= shorter and not gc.isenabled()
    finally:
        sys.setswitchinterval(before)
        gc.enable()


def test_what_is_loaded_is_exempt() -> None:
    gc.unfreeze()
    exempt_what_is_loaded()
    assert gc.get_freeze_count() > 10_000


async def test_a_result_is_exempt_from_collection() -> None:
    gc.unfreeze()
    assert await in_background(lambda: [{}]) == [{}]
    assert gc.get_freeze_count() > 0


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
        await in_background(lambda: None)
    looks: list[int] = []

    def busy() -> int:
        looks.append(len(looks))
        return len(looks)

    monkeypatch.setattr(background, "_young_collections", busy)
    await in_background(lambda: None)
    async with asyncio.timeout(20):
        while len(looks) < 4:
            await asyncio.sleep(0.005)
    assert lost() is not None, "there is something to do"
    monkeypatch.setattr(background, "_young_collections", lambda: 7)
    async with asyncio.timeout(20):
        while lost() is not None:
            await asyncio.sleep(0.005)


async def test_garbage_that_was_exempt_is_found_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AT_MOST", 3)
    lost = exempt_garbage()
    for _ in range(3):
        assert lost() is not None
        await in_background(lambda: None)
    assert lost() is None


def test_a_collection_of_the_youngest_counts_as_something_to_do() -> None:
    before = background._young_collections()
    gc.collect(0)
    assert background._young_collections() > before
