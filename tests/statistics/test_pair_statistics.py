"""Pairs in, numbers out; and that they stay bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.statistics.pair_statistics import DIFFERING
from mirror_addon.statistics.pair_statistics import OTHERS
from mirror_addon.statistics.pair_statistics import ROUTES
from mirror_addon.statistics.pair_statistics import SECONDS
from mirror_addon.statistics.pair_statistics import SHOWN_DIFFERENCES
from mirror_addon.statistics.pair_statistics import PairStatistics
from mirror_addon.statistics.pair_statistics import is_different

DIFFERENCE = Difference("$.price", "value", 1, 2)


def pair(
    comparison: Comparison | None = None, primary: int | None = 200, shadow: int | None = 200, **changes: Any
) -> Pair:
    result = ShadowResult(
        "f/0",
        changes.pop("target", "b/v2"),
        changes.pop("outcome", "sent"),
        changes.pop("reason", ""),
        status=shadow,
        body=b"x" * 100,
        total_ms=changes.pop("shadow_ms", 20.0),
    )
    fields: dict[str, Any] = {"rule": "default/b http[0]", "url": "http://b/x", "control": False, "primary_ms": 10.0}
    fields |= changes
    return Pair(
        id="f/0",
        flow_id="f",
        route="b/v1",
        target=result.label,
        method="GET",
        primary_status=primary,
        result=result,
        comparison=comparison,
        **fields,
    )


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statistics(clock: Clock) -> PairStatistics:
    return PairStatistics(clock)


@pytest.mark.parametrize(
    ("given", "different"),
    [
        (pair(), False),
        (pair(shadow=500), True),
        (pair(primary=None), False),
        (pair(outcome="failed", reason="timeout", shadow=None), False),
        (pair(Comparison("same")), False),
        (pair(Comparison("different", (DIFFERENCE,))), True),
        (pair(Comparison("noise", (DIFFERENCE,)), shadow=500), False),
        (pair(Comparison(None), shadow=500), True),
        (pair(Comparison("failed"), shadow=None, outcome="failed"), False),
    ],
)
def test_what_counts_as_different(given: Pair, different: bool) -> None:
    assert is_different(given) is different


def test_a_row_for_each_rule_and_target(statistics: PairStatistics) -> None:
    for each in (
        pair(Comparison("same")),
        pair(Comparison("noise", (DIFFERENCE,))),
        pair(Comparison("different", (DIFFERENCE,))),
        pair(shadow=500),
        pair(outcome="failed", reason="timeout", shadow=None),
        pair(outcome="dropped", reason="queue_full", shadow=None, primary_ms=None),
        pair(target="c"),
    ):
        statistics.pair(each)
    row = statistics.routes["default/b http[0]", "b/v2", False]
    assert (row.pairs, row.sent, row.compared, row.same, row.noise, row.different) == (6, 4, 3, 1, 1, 2)
    assert (dict(row.failed), dict(row.dropped)) == ({"timeout": 1}, {"queue_full": 1})
    assert (row.primary.count, row.shadow.count, row.route) == (5, 4, "b/v1")
    assert statistics.routes["default/b http[0]", "c", False].pairs == 1
    assert (statistics.sent, statistics.compared, statistics.different) == (5, 3, 2)
    assert statistics.targets["b/v2"].statuses == {200: 3, 500: 1}


def test_controls_are_kept_apart(statistics: PairStatistics) -> None:
    statistics.pair(pair(Comparison("different", (DIFFERENCE,)), control=True))
    assert statistics.routes["default/b http[0]", "b/v2", True].different == 1
    assert (statistics.sent, statistics.different, len(statistics.differing)) == (0, 0, 0)
    assert statistics.targets == {}


def test_differing_pairs_are_kept_without_bodies_and_shortened(statistics: PairStatistics, clock: Clock) -> None:
    many = (DIFFERENCE,) * (SHOWN_DIFFERENCES + 5)
    statistics.pair(pair(Comparison("different", many, ("cut",), more=7), url="http://b/" + "x" * 5000))
    (kept,) = statistics.differing
    assert (len(kept.differences), kept.more, kept.notes) == (SHOWN_DIFFERENCES, 12, ("cut",))
    assert (len(kept.url), kept.time) == (2000, clock.now)
    assert not any(isinstance(getattr(kept, name), (bytes, ShadowResult)) for name in kept.__dataclass_fields__)


def test_memory_is_bounded(statistics: PairStatistics, clock: Clock) -> None:
    for number in range(3 * ROUTES):
        clock.now += 1
        statistics.pair(pair(target=f"t{number}", rule=f"r{number}", shadow=500))
    assert len(statistics.routes) <= ROUTES + 2
    assert len(statistics.targets) <= ROUTES + 1
    assert len(statistics.differing) == DIFFERING
    assert statistics.routes[OTHERS, OTHERS, False].pairs == 2 * ROUTES
    assert sum(statistics.targets[OTHERS].statuses.values()) == 2 * ROUTES
    assert statistics.sent == 3 * ROUTES


def test_the_series_has_the_last_minutes(statistics: PairStatistics, clock: Clock) -> None:
    clock.now -= clock.now % 5
    statistics.pair(pair())
    clock.now += 6
    statistics.pair(pair(shadow=500))
    statistics.pair(pair(outcome="dropped", reason="queue_full", shadow=None))
    clock.now += 4
    series = statistics.series(5)
    assert [(each.sent, each.failed_or_dropped, each.different) for each in series[-2:]] == [(1, 0, 0), (1, 1, 1)]
    assert not any(each.sent for each in series[:-2])
    assert series[-1].start + 5 == clock.now
    clock.now += SECONDS
    assert not any(each.sent for each in statistics.series(5))


@given(st.lists(st.tuples(st.integers(0, 700), st.booleans()), max_size=80), st.sampled_from([1, 5, 10]))
def test_the_series_loses_nothing_that_is_recent(steps: list[tuple[int, bool]], step: int) -> None:
    clock = Clock()
    clock.now -= clock.now % 60
    statistics = PairStatistics(clock)
    seen = []
    for ahead, sent in steps:
        clock.now += ahead
        statistics.pair(pair() if sent else pair(outcome="failed", reason="reset", shadow=None))
        seen.append(clock.now)
    end = int(clock.now) // step * step
    expected = sum(end - SECONDS + step <= moment < end for moment in seen)
    assert sum(each.sent + each.failed_or_dropped for each in statistics.series(step)) == expected


def test_a_copy_does_not_follow(statistics: PairStatistics) -> None:
    statistics.pair(pair(shadow=500))
    copied = statistics.copy()
    statistics.pair(pair(shadow=500))
    assert (copied.sent, copied.different, len(copied.differing)) == (1, 1, 1)
    assert copied.targets["b/v2"].time.cumulated()[-1][1] == 1
    assert sum(each.sent for each in copied._intervals) == 1
