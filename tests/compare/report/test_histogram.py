from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.report.histogram import ERROR
from mirror_addon.compare.report.histogram import SMALLEST
from mirror_addon.compare.report.histogram import Histogram
from mirror_addon.compare.report.histogram import middle

VALUES = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_every_rank_is_within_the_error(values: list[float]) -> None:
    histogram = filled(values)
    for rank, value in enumerate(sorted(values), 1):
        ((low, high),) = histogram.ranked([rank])
        slack = abs(value) * 1e-9 + SMALLEST
        assert low - slack <= value <= high + slack
        assert middle(low, high) == pytest.approx(value, rel=ERROR * 1.0001, abs=SMALLEST)


@given(st.lists(VALUES, max_size=20), st.lists(VALUES, max_size=20))
def test_update_is_adding_all(left: list[float], right: list[float]) -> None:
    histogram = filled(left)
    histogram.update(filled(right))
    whole = filled(left + right)
    assert (histogram.count, list(histogram.buckets())) == (whole.count, list(whole.buckets()))


def test_ranks_in_any_order() -> None:
    histogram = filled([1, 2, 3, 4])
    ranks = histogram.ranked([4, 1, 4, 2])
    assert ranks[0] == ranks[2] > ranks[3] > ranks[1]


def test_buckets_tell_all() -> None:
    buckets = list(filled([-5, 0, 0, 7]).buckets())
    assert [count for _, _, count in buckets] == [1, 2, 1]
    assert all(low <= high for low, high, _ in buckets)
    assert buckets[1][:2] == (0, 0)


def test_memory_is_bounded() -> None:
    draw = random.Random(1)
    histogram = filled([math.exp(draw.gauss(3, 2)) for _ in range(100_000)])
    assert histogram.count == 100_000
    assert len(list(histogram.buckets())) < 2000
