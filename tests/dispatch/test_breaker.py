from __future__ import annotations

import pytest

from mirror_addon.dispatch.breaker import FAILURES
from mirror_addon.dispatch.breaker import Breaker


@pytest.fixture
def opened() -> Breaker:
    """A breaker that opened at 0."""
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        assert not breaker.failed(0.0, probe=False)
        assert breaker.allow(0.0)
    assert breaker.failed(0.0, probe=False)
    return breaker


def test_nothing_passes_during_the_pause(opened: Breaker) -> None:
    assert not opened.allow(0.0)
    assert not opened.allow(0.499)


def test_one_probe_passes_after_it(opened: Breaker) -> None:
    assert opened.allow(0.5)
    assert not opened.allow(0.5)
    assert not opened.allow(100.0)


def test_the_probes_success_closes_it(opened: Breaker) -> None:
    assert opened.allow(0.5)
    opened.succeeded()
    assert all(opened.allow(0.5) for _ in range(10))
    assert opened.state == "closed"


def test_pauses_double_up_to_five_seconds(opened: Breaker) -> None:
    now, pauses = 0.5, []
    for _ in range(6):
        assert opened.allow(now)
        assert opened.failed(now, probe=True)
        start = now
        while not opened.allow(now + 0.01):
            now += 0.01
        opened.given_up(now)
        pauses.append(round(now - start, 1))
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert opened.opened == 7


def test_a_success_between_failures_counts_from_the_start() -> None:
    breaker = Breaker()
    for _ in range(20):
        for _ in range(FAILURES - 1):
            breaker.failed(0.0, probe=False)
        breaker.succeeded()
    assert breaker.allow(0.0)


def test_late_failures_do_not_lengthen_the_pause(opened: Breaker) -> None:
    for _ in range(100):
        assert not opened.failed(0.4, probe=False)
    assert opened.allow(0.5)


def test_after_a_probe_without_result_the_next_is_one(opened: Breaker) -> None:
    assert opened.allow(0.5)
    opened.given_up(0.6)
    assert opened.allow(0.6)
    assert not opened.allow(0.6)


def test_giving_up_says_nothing_otherwise(opened: Breaker) -> None:
    opened.given_up(0.1)
    assert not opened.allow(0.1)
    assert opened.allow(0.5)
    opened.succeeded()
    opened.given_up(0.6)
    assert opened.state == "closed"


def test_the_next_trouble_starts_with_the_short_pause(opened: Breaker) -> None:
    opened.allow(0.5)
    opened.failed(0.5, probe=True)
    opened.succeeded()
    for _ in range(FAILURES):
        opened.failed(10.0, probe=False)
    assert opened.allow(10.5)
