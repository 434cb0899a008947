from __future__ import annotations

import gc
import itertools
import threading
import time
import weakref

import pytest

from mirror_addon.rules import giving_way as module
from mirror_addon.rules.giving_way import breathe
from mirror_addon.rules.giving_way import giving_way
from mirror_addon.rules.giving_way import let_go


def rests(seconds: float) -> float:
    """CPU time over wall time of a thread that works for so many CPU seconds."""
    begin, used = time.perf_counter(), time.thread_time()
    while time.thread_time() - used < seconds:
        breathe()
    return seconds / (time.perf_counter() - begin)


def test_work_rests_only_inside_and_only_in_its_thread() -> None:
    slept: list[float] = []

    def elsewhere() -> None:
        begin = time.thread_time()
        while time.thread_time() - begin < 0.01:
            breathe()
        slept.append(module._here.rested)

    with giving_way():
        assert rests(0.02) < 0.5
        assert module._here.rested > 0
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert slept == [0.0], "another thread does not rest"
    rested = module._here.rested
    rests(0.01)
    assert module._here.rested == rested


def test_rests_become_short_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONG_RESTS", 0.02)
    monkeypatch.setattr(module, "MOST_REST", 0.03)
    rested: list[float] = []
    with giving_way(lambda: rested.append(module._here.rested)):
        begin = time.perf_counter()
        while module._here.rested < module.MOST_REST:
            breathe()
            assert time.perf_counter() - begin < 10
        before = time.thread_time()
        for _ in range(10_000):
            breathe()
        assert time.thread_time() - before < 1
    lengths = [later - earlier for earlier, later in itertools.pairwise((*rested, module._here.rested))]
    long = [length for length in lengths if length == pytest.approx(module.REST)]
    assert lengths[: len(long)] == long and sum(long[:-1]) < 0.02 <= sum(long)
    assert lengths[len(long) :] == pytest.approx([module.SHORT_REST] * (len(lengths) - len(long)))
    assert sum(lengths[:-1]) < 0.03 <= sum(lengths)


def test_something_is_done_before_each_rest() -> None:
    rested: list[float] = []
    with giving_way(lambda: rested.append(module._here.rested)):
        rests(0.005)
    assert len(rested) > 1 and rested[0] == 0, "before the first rest too"
    assert rested == sorted(rested)
    done = len(rested)
    with giving_way():
        rests(0.005)
    assert len(rested) == done, "it is forgotten at the end"


class Thing:
    pass


def test_pieces_end_one_by_one_even_where_nobody_gives_way() -> None:
    things = [Thing() for _ in range(100)]
    alive = [weakref.ref(thing) for thing in things]
    let_go(things)
    gc.collect()
    assert things == [] and not any(reference() for reference in alive)
