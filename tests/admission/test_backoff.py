from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairtools import ended

from mirror_addon.admission.backoff import EXPIRES
from mirror_addon.admission.backoff import FLOOR
from mirror_addon.admission.backoff import LEAST
from mirror_addon.admission.backoff import PERIOD
from mirror_addon.admission.backoff import STEP
from mirror_addon.admission.backoff import Backoff
from mirror_addon.admission.backoff import Backoffs
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.decision import Rule
from mirror_addon.shadow.result import Outcome
from mirror_addon.shadow.result import ShadowResult

LIMIT = 0.5
SLOW, QUICK = 0.6, 0.4


def second(backoff: Backoff, now: float, answers: Iterable[float]) -> float:
    """Let these answers come within the second after `now`, and judge them at its end."""
    for seconds in answers:
        backoff.ended(now + 0.1, seconds)
    backoff.judge(now + PERIOD)
    return now + PERIOD


def slowed(cuts: int) -> tuple[Backoff, float]:
    backoff, now = Backoff(LIMIT, 0.0), 0.0
    for _ in range(cuts):
        now = second(backoff, now, [SLOW] * LEAST)
    return backoff, now


def test_half_as_much_while_it_is_slow_and_more_while_it_is_not() -> None:
    backoff, now = Backoff(LIMIT, 0.0), 0.0
    shares = []
    for answer in [QUICK, *[SLOW] * 8, *[QUICK] * 9]:
        now = second(backoff, now, [answer] * LEAST)
        shares.append(backoff.share)
    down = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 64, 1 / 64]
    assert shares == [*down, *(1 / 64 + STEP * step for step in range(1, 8)), 1, 1]


def test_it_is_over_when_the_mirror_bears_everything() -> None:
    backoff, now = slowed(1)
    changes = []
    for _ in range(7):
        before = backoff.active
        now = second(backoff, now, [QUICK])
        changes.append((backoff.share, before, backoff.active))
    assert changes == [
        (5 / 8, True, True),
        (6 / 8, True, True),
        (7 / 8, True, True),
        (1, True, True),
        (1, True, False),
        (1, False, False),
        (1, False, False),
    ]


def test_judge_says_when_that_changes() -> None:
    backoff = Backoff(LIMIT, 0.0)
    said = []
    for number in range(9):
        for _ in range(LEAST):
            backoff.ended(number, SLOW if number < 2 else QUICK)
        said.append(backoff.judge(number + PERIOD))
    assert said == [True, False, False, False, False, False, False, False, True]


def test_not_more_often_than_once_a_second() -> None:
    backoff = Backoff(LIMIT, 0.0)
    shares = []
    for tenth in range(1, 31):
        for _ in range(LEAST):
            backoff.ended(tenth / 10, SLOW)
        backoff.judge(tenth / 10)
        shares.append(backoff.share)
    assert shares == [1.0] * 9 + [0.5] * 10 + [0.25] * 10 + [0.125]


@pytest.mark.parametrize(
    ("answers", "share"),
    [
        ([LIMIT] * 9, 1),
        ([QUICK] * 9 + [30.0], 1),
        ([QUICK] * 5 + [math.inf] * 4, 1),
        ([QUICK] * 4 + [math.inf] * 5, 0.5),
        ([math.inf] * LEAST, 0.5),
        ([SLOW] * (LEAST - 1), 1),
    ],
)
def test_slow_is_a_median_of_several_above_the_limit(answers: list[float], share: float) -> None:
    backoff = Backoff(LIMIT, 0.0)
    second(backoff, 0.0, answers)
    assert backoff.share == share


def test_a_cut_is_judged_by_the_answers_after_it() -> None:
    backoff, now = Backoff(LIMIT, 0.0), 0.0
    now = second(backoff, now, [SLOW] * 60)
    assert backoff.share == 0.5
    second(backoff, now, [QUICK])
    assert backoff.share == 0.5 + STEP


def test_few_slow_answers_count_together_until_they_are_old() -> None:
    backoff, now = Backoff(LIMIT, 0.0), 0.0
    for expected in (1, 1, 0.5):
        now = second(backoff, now, [SLOW])
        assert backoff.share == expected
    backoff.ended(now, SLOW)
    backoff.ended(now + EXPIRES + 1, SLOW)
    backoff.ended(now + EXPIRES + 2, SLOW)
    backoff.judge(now + EXPIRES + 2)
    assert backoff.share == 0.5, "the first of the three says nothing any more"


def test_without_a_sign_of_the_mirror_the_share_stays() -> None:
    backoff, now = slowed(3)
    assert not backoff.judge(now + 1000)
    assert backoff.share == 1 / 8


def test_a_mirror_that_hangs_is_slow_before_its_shadows_time_out() -> None:
    backoff = Backoff(LIMIT, 0.0)
    assert all(backoff.take(0.9) for _ in range(LEAST))
    backoff.judge(0.9 + LIMIT)
    assert backoff.share == 1, "they have not waited longer than they may"
    backoff.judge(1.0 + LIMIT)
    assert backoff.share == 0.5
    assert backoff.latency(1.0 + LIMIT) == pytest.approx(0.6)
    backoff.judge(2.0 + LIMIT)
    assert backoff.share == 0.25


def test_one_that_takes_long_is_no_mirror_that_hangs() -> None:
    backoff = Backoff(LIMIT, 0.0)
    for _ in range(LEAST - 1):
        backoff.take(0.0)
    backoff.judge(100.0)
    assert backoff.share == 1
    backoff.take(100.0)
    backoff.dropped()
    backoff.judge(200.0)
    assert backoff.share == 1, "dropped ones wait no more"
    backoff.dropped()
    for _ in range(LEAST):
        backoff.dropped()
        backoff.take(200.0)
        backoff.ended(200.0, QUICK)
    backoff.judge(200.0)
    assert backoff.share == 1


def test_drops_do_not_hide_that_it_hangs() -> None:
    backoff = Backoff(LIMIT, 0.0)
    for _ in range(LEAST):
        backoff.take(0.0)
    for tenth in range(10):
        backoff.take(tenth / 10)
        backoff.dropped()
    backoff.judge(1.0)
    assert backoff.share == 0.5


@given(cuts=st.integers(1, 8), quick=st.integers(0, 7), requests=st.integers(1, 500))
def test_what_passes_is_spread_evenly(cuts: int, quick: int, requests: int) -> None:
    backoff, now = slowed(cuts)
    for _ in range(quick):
        now = second(backoff, now, [QUICK])
    backoff.take(now)  # the one that is due after a second without any
    passed = [backoff.take(now) for _ in range(requests)]
    share = backoff.share
    for first in range(0, requests, 7):
        for last in range(first, requests, 13):
            length = last - first + 1
            assert math.floor(length * share) <= sum(passed[first : last + 1]) <= math.ceil(length * share)


@given(st.lists(st.floats(0.001, 5), min_size=1, max_size=200))
def test_one_passes_where_none_has_for_a_second(pauses: list[float]) -> None:
    backoff, now = slowed(6)
    assert backoff.share == FLOOR
    passed_at = now = now + PERIOD
    backoff.take(now)
    for pause in pauses:
        now += pause
        due = now - passed_at >= PERIOD
        if backoff.take(now):
            passed_at = now
        else:
            assert not due


def test_the_latency_that_is_told() -> None:
    backoff = Backoff(LIMIT, 0.0)
    assert backoff.latency(0.0) is None
    now = second(backoff, 0.0, [0.1, 0.2, 0.3])
    assert backoff.latency(now) == 0.2
    assert backoff.latency(now + EXPIRES + 0.1) is None
    now = second(backoff, now, [math.inf] * LEAST)
    assert backoff.latency(now) == math.inf


events = st.lists(
    st.tuples(st.floats(0, 2), st.sampled_from(["take", "quick", "slow", "failed", "dropped"])), max_size=300
)


@given(events)
def test_whatever_happens_it_recovers(happened: list[tuple[float, str]]) -> None:
    backoff, now, changed_at = Backoff(LIMIT, 0.0), 0.0, -PERIOD
    for pause, what in happened:
        now += pause
        before = backoff.share
        backoff.judge(now)
        if backoff.share != before:
            assert backoff.share in (max(before / 2, FLOOR), min(before + STEP, 1))
            assert now - changed_at >= PERIOD
            changed_at = now
        assert FLOOR <= backoff.share <= 1
        assert backoff.active or backoff.share == 1
        match what:
            case "take":
                assert backoff.take(now) or backoff.share < 1
            case "dropped":
                backoff.dropped()
            case _:
                backoff.ended(now, {"quick": QUICK, "slow": SLOW, "failed": math.inf}[what])
    now += EXPIRES + PERIOD
    for _ in range(10):
        now = second(backoff, now, [QUICK])
    assert (backoff.share, backoff.active) == (1, False)


@pytest.mark.parametrize("capacity", [5, 20, 60])
def test_a_mirror_under_too_much_load_gets_what_it_can_bear(capacity: int) -> None:
    """100 a second for a mirror that answers so many a second, one after the other, each in 10 ms."""
    backoff, now, free_at, passed = Backoff(LIMIT, 0.0), 0.0, 0.0, 0
    ends: list[tuple[float, float]] = []
    for number in range(12_000):
        now = number / 100
        while ends and ends[0][0] <= now:
            end, took = ends.pop(0)
            backoff.ended(end, took)
            backoff.judge(now)
        if backoff.take(now):
            passed += number >= 6_000
            free_at = max(free_at, now) + 1 / capacity
            ends.append((free_at, free_at - now))
    assert 0.5 * capacity <= passed / 60 <= 1.05 * capacity


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backoffs(clock: Clock) -> Backoffs:
    return Backoffs(clock)


def target_second(backoffs: Backoffs, clock: Clock, target: str, ms: float, outcome: Outcome = "sent") -> None:
    """Let shadows of two virtual services end after another second."""
    for virtual_service in ("default/a", "default/b"):
        backoffs.take(virtual_service, target, 0.5)
    clock.now += 1
    for _ in range(3):
        backoffs.outcome(ended(ShadowResult("1/0", target, outcome, total_ms=ms)))


def shares(backoffs: Backoffs) -> dict[tuple[str, str], float]:
    return {(each["virtual_service"], each["target"]): each["share"] for each in backoffs.as_list()}


def test_nothing_is_kept_where_there_is_no_limit(backoffs: Backoffs) -> None:
    assert not backoffs
    backoffs.outcome(ended(ShadowResult("1/0", "x", "sent", total_ms=9000)))
    assert not backoffs and backoffs.as_list() == list(backoffs.lines()) == []


def test_each_target_by_itself(backoffs: Backoffs, clock: Clock) -> None:
    backoffs.take("default/a", "x", 0.5)
    target_second(backoffs, clock, "y", 900)
    target_second(backoffs, clock, "y", 0, "failed")
    target_second(backoffs, clock, "y", 900, "dropped")
    assert shares(backoffs) == {("default/a", "x"): 1, ("default/a", "y"): 0.25, ("default/b", "y"): 0.25}


def test_each_limit_by_itself(backoffs: Backoffs, clock: Clock) -> None:
    backoffs.take("default/a", "x", 0.5)
    backoffs.take("default/b", "x", 2)
    clock.now += 1
    for _ in range(3):
        backoffs.outcome(ended(ShadowResult("1/0", "x", "sent", total_ms=900)))
    assert shares(backoffs) == {("default/a", "x"): 0.5, ("default/b", "x"): 1}
    assert [backoffs.take("default/a", "x", 0.5) for _ in range(5)] == [True, False, True, False, True]
    assert all(backoffs.take("default/b", "x", 2) for _ in range(5))


def test_one_that_hangs_is_seen_by_who_asks(backoffs: Backoffs, clock: Clock) -> None:
    for _ in range(3):
        assert backoffs.take("default/a", "x", 0.5)
    clock.now += 5
    backoffs.take("default/a", "x", 0.5)
    assert list(backoffs.lines()) == [
        "default/a -> x: 50 % of the shadows; responds in 5000 ms (max-latency 500 ms), backing off"
    ]


def test_beginning_and_end_are_logged_once(backoffs: Backoffs, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    backoffs.take("default/a", "x", 0.5)
    for ms in (900, 900, 900, *[20] * 20):
        clock.now += 1
        for _ in range(3):
            backoffs.outcome(ended(ShadowResult("1/0", "x", "sent", total_ms=ms)))
    first, last = caplog.messages
    assert first.startswith("mirror: default/a -> x: responds in 900 ms (max-latency 500 ms): backing off; ")
    assert last == "mirror: default/a -> x: responds in 20 ms (max-latency 500 ms): backing off is over"


def test_another_table_keeps_what_is_the_same(backoffs: Backoffs, clock: Clock) -> None:
    for target in ("x", "y"):
        target_second(backoffs, clock, target, 900)
    moved = Rule("default/a", "http[7]", "", "a.yaml:99", MirrorAnnotations(max_latency=0.5))
    other = Rule("default/b", "http[0]", "", "b.yaml:8", MirrorAnnotations(max_latency=0.6))
    backoffs.keep([moved, other, Rule("default/c", "http[0]", "", "c.yaml:8")])
    assert shares(backoffs) == {("default/a", "x"): 0.5, ("default/a", "y"): 0.5}
    backoffs.keep([other])
    assert not backoffs


def test_as_text_and_as_json(backoffs: Backoffs, clock: Clock) -> None:
    backoffs.take("default/a", "x", 0.5)
    assert list(backoffs.lines()) == [
        "default/a -> x: 100 % of the shadows; no recent responses (max-latency 500 ms)",
    ]
    assert json.loads(json.dumps(backoffs.as_list(), allow_nan=False)) == [
        {
            "virtual_service": "default/a",
            "target": "x",
            "active": False,
            "share": 1.0,
            "median_ms": None,
            "max_ms": 500.0,
        }
    ]
    target_second(backoffs, clock, "x", 612.5)
    assert backoffs.as_list()[0]["median_ms"] == 612.5
    target_second(backoffs, clock, "x", 1, "failed")
    assert next(backoffs.lines()) == (
        "default/a -> x: 25 % of the shadows; most shadows fail (max-latency 500 ms), backing off"
    )
    assert json.dumps(backoffs.as_list(), allow_nan=False).count('"median_ms": null') == 2
