from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pairtools import ended

from mirror_addon.admission.limits import Limits
from mirror_addon.admission.limits import TokenBucket
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.decision import Rule
from mirror_addon.shadow.result import ShadowResult

A0 = Rule("default/a", "http[0]", "", "a.yaml:8")
A1 = Rule("default/a", "http[1]", "", "a.yaml:12")
B0 = Rule("default/b", "http[0]", "", "b.yaml:8")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.floats(0.01, 1000), st.lists(st.floats(0, 3), max_size=200))
def test_no_second_has_more_than_the_rate_and_one_seconds_worth(rate: float, pauses: list[float]) -> None:
    """Of any stretch of time at most `rate` times its length pass, and the bucket's one second besides."""
    bucket = TokenBucket(rate, 0.0)
    now, passed = 0.0, list[float]()
    for pause in pauses:
        now += pause
        if bucket.take(now):
            passed.append(now)
    for first, began in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= rate * (passed[last] - began) + max(rate, 1) + 1e-6


def test_a_steady_stream_below_the_rate_passes() -> None:
    bucket = TokenBucket(10, 0.0)
    assert all(bucket.take(number * 0.1001) for number in range(100))


def test_the_rate_of_each_target() -> None:
    clock = Clock()
    limits = Limits(clock)
    given = MirrorAnnotations(max_rps=2)
    assert [limits.take(A0, "x", given) for _ in range(3)] == [None, None, "max_rps"]
    assert limits.take(A1, "x", given) == "max_rps", "whichever rule of the virtual service"
    assert limits.take(A0, "y", given) is None
    assert limits.take(B0, "x", given) is None
    clock.now += 0.5
    assert [limits.take(A0, "x", given) for _ in range(2)] == [None, "max_rps"]


def test_the_quota_of_each_rule_and_target() -> None:
    limits = Limits()
    given = MirrorAnnotations(max_requests=2)
    assert [limits.take(A0, "x", given) for _ in range(3)] == [None, None, "max_requests"]
    assert limits.take(A1, "x", given) is None
    assert limits.take(A0, "y", given) is None
    assert list(limits.lines()) == [
        "default/a http[0] -> x: 2 of 2 requests, over",
        "default/a http[1] -> x: 1 of 2 requests",
        "default/a http[0] -> y: 1 of 2 requests",
    ]


def test_what_the_rate_holds_back_does_not_use_up_the_quota() -> None:
    clock = Clock()
    limits = Limits(clock)
    given = MirrorAnnotations(max_rps=1, max_requests=2)
    assert [limits.take(A0, "x", given) for _ in range(3)] == [None, "max_rps", "max_rps"]
    clock.now += 1
    assert limits.take(A0, "x", given) is None
    clock.now += 1
    assert limits.take(A0, "x", given) == "max_requests"


def test_a_reload_keeps_counts_and_another_limit_does_not() -> None:
    limits = Limits()
    limits.take(A0, "x", MirrorAnnotations(max_requests=1))
    moved = Rule("default/a", "http[0]", "", "a.yaml:99", MirrorAnnotations(max_requests=1))
    limits.keep([moved, B0])
    assert limits.take(moved, "x", MirrorAnnotations(max_requests=1)) == "max_requests"
    assert limits.take(moved, "x", MirrorAnnotations(max_requests=2)) is None
    limits.keep([B0])
    assert list(limits.lines()) == []


def test_a_quota_begins_anew_when_somebody_says_so() -> None:
    limits = Limits()
    given = MirrorAnnotations(max_requests=1)
    for rule in (A0, A1):
        limits.take(rule, "x", given)
    limits.begin_anew([A0])
    assert [limits.take(rule, "x", given) for rule in (A0, A1)] == [None, "max_requests"]


def slow(limits: Limits, clock: Clock, target: str = "x") -> None:
    clock.now += 1
    for _ in range(3):
        limits.backoffs.outcome(ended(ShadowResult("1/0", target, "sent", total_ms=900)))


def test_a_slow_target_gets_less() -> None:
    clock = Clock()
    limits = Limits(clock)
    given = MirrorAnnotations(max_latency=0.5)
    assert limits.take(A0, "x", given) is None
    slow(limits, clock)
    assert [limits.take(A0, "x", given) for _ in range(5)] == [None, "backoff", None, "backoff", None]
    assert limits.take(A1, "x", given) == "backoff", "whichever rule of the virtual service"
    assert [limits.take(A0, "y", given) for _ in range(2)] == [None, None]
    assert [limits.take(B0, "x", MirrorAnnotations(max_rps=9)) for _ in range(2)] == [None, None]


def test_what_is_held_back_does_not_use_up_the_quota_and_what_the_rate_holds_back_is_no_part_of_the_share() -> None:
    clock = Clock()
    limits = Limits(clock)
    given = MirrorAnnotations(max_rps=4, max_requests=4, max_latency=0.5)
    assert limits.take(A0, "x", given) is None
    slow(limits, clock)
    taken = [limits.take(A0, "x", given) for _ in range(6)]
    assert taken == [None, "backoff", None, "backoff", "max_rps", "max_rps"]
    assert list(limits.lines()) == ["default/a http[0] -> x: 3 of 4 requests"]


def test_a_back_off_outlives_a_reload() -> None:
    clock = Clock()
    limits = Limits(clock)
    given = MirrorAnnotations(max_latency=0.5)
    limits.take(A0, "x", given)
    slow(limits, clock)
    limits.keep([Rule("default/a", "http[0]", "", "a.yaml:99", given), B0])
    assert [each["share"] for each in limits.backoffs.as_list()] == [0.5]
    limits.keep([B0])
    assert not limits.backoffs
