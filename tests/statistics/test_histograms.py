"""Distributions against the numbers they were made of."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.statistics.histograms import BUCKETS
from mirror_addon.statistics.histograms import ENVOY_BOUNDS
from mirror_addon.statistics.histograms import EnvoyHistogram
from mirror_addon.statistics.histograms import Latencies

MILLISECONDS = st.floats(0.06, 3_000_000)


def distribution(values: list[float]) -> Latencies:
    made = Latencies()
    for value in values:
        made.add(value)
    return made


@given(st.lists(MILLISECONDS, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1]))
def test_quantiles_are_right_within_five_percent(values: list[float], share: float) -> None:
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert distribution(values).quantile(share) == pytest.approx(exact, rel=0.05)


@given(st.lists(MILLISECONDS, max_size=50), st.lists(MILLISECONDS, max_size=50))
def test_merged_is_as_if_added_to_one(left: list[float], right: list[float]) -> None:
    merged, together = distribution(left), distribution(left + right)
    merged.merge(distribution(right))
    assert merged.counts == together.counts
    assert merged.count == len(left) + len(right)
    assert merged.total == pytest.approx(together.total)


@pytest.mark.parametrize("value", [0, -1, 0.0001, 1e12])
def test_extremes_stay_within_the_buckets(value: float) -> None:
    made = distribution([value])
    assert all(0 <= bucket < BUCKETS for bucket in made.counts)
    assert made.quantile(0.5) is not None


def test_nothing_has_no_quantile() -> None:
    assert Latencies().quantiles() == {"p50": None, "p95": None, "p99": None}


def test_a_copy_does_not_follow() -> None:
    made = distribution([1])
    copied = made.copy()
    made.add(2)
    assert (copied.count, copied.total, sum(copied.counts.values())) == (1, 1, 1)


def test_envoy_buckets_hold_what_is_at_most_their_bound() -> None:
    histogram = EnvoyHistogram()
    for value in (0.5, 0.6, 25, 25.1, 4e6):
        histogram.add(value)
    cumulated = dict(histogram.cumulated())
    assert (cumulated["0.5"], cumulated["1"], cumulated["25"], cumulated["50"]) == (1, 2, 3, 4)
    assert (cumulated[str(ENVOY_BOUNDS[-1])], cumulated["+Inf"]) == (4, 5)


def test_no_quantile_of_too_few() -> None:
    found = Latencies()
    assert found.shown() == {"p50": None, "p95": None, "p99": None}
    known = []
    for count in range(1, 101):
        found.add(10.0)
        if count in (1, 19, 20, 99, 100):
            known.append([name for name, value in found.shown().items() if value is not None])
    assert known == [["p50"], ["p50"], ["p50", "p95"], ["p50", "p95"], ["p50", "p95", "p99"]]
