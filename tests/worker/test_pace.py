from __future__ import annotations

import weakref

import pytest

from mirror_addon.worker import pace as module
from mirror_addon.worker.pace import SHARE
from mirror_addon.worker.pace import Pace


@pytest.fixture(autouse=True)
def _no_other_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of earlier tests may not have been collected yet."""
    monkeypatch.setattr(module, "_paces", weakref.WeakSet())


def test_a_few_long_turns_are_free() -> None:
    assert [Pace().after(0.001, now) for now in (1.0, 1.1, 1.2)] == [0, 0, 0]


def test_a_mirror_that_takes_all_gets_its_share() -> None:
    pace, other, now, taken = Pace(), Pace(), 100.0, 0.0
    while now < 110:
        other.used_at = now
        taken += 0.001
        now += 0.001 + pace.after(0.001, now)
    assert taken / 10 < SHARE * 1.1


def test_one_endless_turn_is_not_held_against_it_for_long() -> None:
    pace, other = Pace(), Pace()
    other.used_at = 1.0
    assert 0 < pace.after(60.0, 1.0) <= 1.0
    other.used_at = 3.0
    assert pace.after(0.001, 3.0) == 0


def test_alone_a_mirror_may_take_all() -> None:
    pace, other = Pace(), Pace()
    pace.used_at = other.used_at = 1.0
    assert pace.after(1.0, 1.5) > 0
    assert pace.after(1.0, 2.5) == 0
