from __future__ import annotations

from mirror_addon.worker.budget import Budget


def test_it_grants_what_there_is_room_for() -> None:
    budget = Budget(100)
    assert [budget.take(60), budget.take(60), budget.take(60)] == [60, 40, 0]
    budget.give(50)
    assert budget.take(10) == 10
    assert budget.numbers == (60, 100)


def test_a_smaller_limit_holds_once_there_is_room_again() -> None:
    budget = Budget(100)
    budget.take(80)
    budget.resize(50)
    assert budget.take(1) == 0
    budget.give(40)
    assert budget.take(20) == 10
