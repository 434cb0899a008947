from __future__ import annotations

import json
import logging

import pytest
from pairtools import ended

from mirror_addon.admission.backoff import Backoffs
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.decision import Rule
from mirror_addon.shadow.result import Outcome
from mirror_addon.shadow.result import ShadowResult


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


def second(backoffs: Backoffs, clock: Clock, target: str, ms: float, outcome: Outcome = "sent") -> None:
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
    second(backoffs, clock, "y", 900)
    second(backoffs, clock, "y", 0, "failed")
    second(backoffs, clock, "y", 900, "dropped")
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
        "default/a -> x: 50 % of the shadows; answers in 5000 ms (max-latency 500 ms), backing off"
    ]


def test_beginning_and_end_are_logged_once(backoffs: Backoffs, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    backoffs.take("default/a", "x", 0.5)
    for ms in (900, 900, 900, *[20] * 20):
        clock.now += 1
        for _ in range(3):
            backoffs.outcome(ended(ShadowResult("1/0", "x", "sent", total_ms=ms)))
    first, last = caplog.messages
    assert first.startswith("mirror: default/a -> x: answers in 900 ms (max-latency 500 ms): backing off; ")
    assert last == "mirror: default/a -> x: answers in 20 ms (max-latency 500 ms): backing off is over"


def test_another_table_keeps_what_is_the_same(backoffs: Backoffs, clock: Clock) -> None:
    for target in ("x", "y"):
        second(backoffs, clock, target, 900)
    moved = Rule("default/a", "http[7]", "", "a.yaml:99", MirrorAnnotations(max_latency=0.5))
    other = Rule("default/b", "http[0]", "", "b.yaml:8", MirrorAnnotations(max_latency=0.6))
    backoffs.keep([moved, other, Rule("default/c", "http[0]", "", "c.yaml:8")])
    assert shares(backoffs) == {("default/a", "x"): 0.5, ("default/a", "y"): 0.5}
    backoffs.keep([other])
    assert not backoffs


def test_it_is_told_in_words_and_in_json(backoffs: Backoffs, clock: Clock) -> None:
    backoffs.take("default/a", "x", 0.5)
    assert list(backoffs.lines()) == [
        "default/a -> x: 100 % of the shadows; no answer of late (max-latency 500 ms)",
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
    second(backoffs, clock, "x", 612.5)
    assert backoffs.as_list()[0]["median_ms"] == 612.5
    second(backoffs, clock, "x", 1, "failed")
    assert next(backoffs.lines()) == (
        "default/a -> x: 25 % of the shadows; most shadows fail (max-latency 500 ms), backing off"
    )
    assert json.dumps(backoffs.as_list(), allow_nan=False).count('"median_ms": null') == 2
