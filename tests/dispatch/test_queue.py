from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.dispatch.queue import QueuedBytes


def test_whatever_is_alone_fits() -> None:
    waiting = QueuedBytes(100)
    assert waiting.fits("a", 5000)
    waiting.add("a", 5000)
    assert not waiting.fits("b", 1)
    assert waiting.fits("a", 5000, own=5000)
    waiting.add("a", -5000)
    assert waiting.fits("b", 5000)


def test_one_target_leaves_room_for_others() -> None:
    waiting = QueuedBytes(3200)
    while waiting.fits("hung", 10):
        waiting.add("hung", 10)
    assert waiting.value == 3100
    assert waiting.fits("healthy", 90)
    assert waiting.high == 3100


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 400)), max_size=60))
def test_the_limit_holds(costs: list[tuple[str, int]]) -> None:
    waiting = QueuedBytes(1000)
    for target, cost in costs:
        if waiting.fits(target, cost):
            waiting.add(target, cost)
    assert waiting.value <= 1000
