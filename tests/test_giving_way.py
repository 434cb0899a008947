from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from mirror_addon import giving_way as module
from mirror_addon.giving_way import breathe
from mirror_addon.giving_way import giving_way
from mirror_addon.giving_way import let_go


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
        slept.append(module._here.left)

    with giving_way():
        assert rests(0.02) < 0.5
        assert module._here.left < module.MOST_REST
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert slept == [0.0], "another thread does not rest"
    left = module._here.left
    rests(0.01)
    assert module._here.left == left


def test_rest_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REST", 0.01)
    begin = time.perf_counter()
    with giving_way():
        while module._here.left > 0:
            breathe()
            assert time.perf_counter() - begin < 10
        before = time.thread_time()
        for _ in range(10_000):
            breathe()
        assert module._here.left <= 0
        assert time.thread_time() - before < 1


def test_something_is_done_before_each_rest() -> None:
    left: list[float] = []
    with giving_way(lambda: left.append(module._here.left)):
        rests(0.005)
    assert len(left) > 1 and left[0] == module.MOST_REST, "before the first rest too"
    assert left == sorted(left, reverse=True)
    done = len(left)
    with giving_way():
        rests(0.005)
    assert len(left) == done, "it is forgotten at the end"


class Thing:
    pass


def test_pieces_end_one_by_one_even_where_nobody_gives_way() -> None:
    things = [Thing() for _ in range(100)]
    alive = [weakref.ref(thing) for thing in things]
    let_go(things)
    gc.collect()
    assert things == [] and not any(reference() for reference in alive)
