from __future__ import annotations

import math

from replaytools import one

from mirror_addon.replay.order import Repeats
from mirror_addon.replay.order import turns


def test_turns_of_two_captures_follow_each_other() -> None:
    first = [one("b", 105.0, position=20), one("a", 100.0, 101.0, position=10)]
    second = [one("a", 7.0, position=5), one("c", 9.0, position=9)]
    found = list(turns([lambda: first, lambda: second], [20, 9]))
    assert [(turn.recorded.id, turn.at, turn.done) for turn in found] == [
        ("a", 0.0, 10),
        ("b", 5.0, 20),
        ("a", 5.0, 25),
        ("c", 7.0, 29),
    ]
    assert found[0].until == 1.0
    assert len({turn.id for turn in found}) == 4, "the same id in both is two requests"


def test_amplified_and_repeated() -> None:
    capture = [one("a", 0.0), one("b", 2.0)]
    found = list(turns([lambda: capture], [1], Repeats(amplify=2, loops=2)))
    assert [(turn.recorded.id, turn.at) for turn in found] == [
        ("a", 0), ("a", 0), ("b", 2), ("b", 2), ("a", 2), ("a", 2), ("b", 4), ("b", 4),
    ]  # fmt: skip
    assert [turn.connection for turn in found[:2]] == ["c#0", "c#1"], "each copy has a connection of its own"
    assert len({turn.id for turn in found}) == 8
    assert [turn.id for turn in found[:3:2]] == ["a", "b"]


def test_for_ever_ends_where_there_is_nothing() -> None:
    assert list(turns([list], [1], Repeats(loops=math.inf))) == []
