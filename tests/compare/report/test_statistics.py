from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.report.histogram import ERROR
from mirror_addon.compare.report.histogram import Histogram
from mirror_addon.compare.report.statistics import Interval
from mirror_addon.compare.report.statistics import LatencyComparison
from mirror_addon.compare.report.statistics import compare_latency
from mirror_addon.compare.report.statistics import correlation
from mirror_addon.compare.report.statistics import interval_ranks
from mirror_addon.compare.report.statistics import rank
from mirror_addon.compare.report.statistics import share

Pairs = list[tuple[float, float]]


def compared(pairs: Pairs, sample: Pairs | None = None) -> LatencyComparison:
    primary, shadow, differences = Histogram(), Histogram(), Histogram()
    for old, new in pairs:
        primary.add(old)
        shadow.add(new)
        differences.add(new - old)
    found = compare_latency(primary, shadow, differences, pairs if sample is None else sample)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 10, 0, 0.27753), (10, 10, 0.72247, 1), (5, 10, 0.23659, 0.76341), (1, 1000, 0.00018, 0.00564)],
)
def test_wilson(count: int, total: int, low: float, high: float) -> None:
    found = share(count, total)
    assert found is not None
    assert (found.value, found.low, found.high) == (
        count / total,
        pytest.approx(low, abs=1e-5),
        pytest.approx(high, abs=1e-5),
    )


def test_a_share_of_nothing() -> None:
    assert share(0, 0) is None


@pytest.mark.parametrize(
    ("count", "quantile", "place"), [(1, 0.5, 1), (2, 0.5, 1), (100, 0.95, 95), (100, 0.99, 99), (20, 0.95, 19)]
)
def test_nearest_rank(count: int, quantile: float, place: int) -> None:
    assert rank(count, quantile) == place


@pytest.mark.parametrize(
    ("count", "quantile", "ranks"),
    [
        (5, 0.5, (None, None)),
        (6, 0.5, (1, 6)),  # the sign test's tables: 2 * 0.5 ** 6 < 0.05
        (20, 0.5, (6, 15)),
        (71, 0.95, (63, None)),
        (72, 0.95, (64, 72)),  # 0.95 ** 72 < 0.025 < 0.95 ** 71
        (10**6, 0.5, (499_020, 500_981)),
    ],
)
def test_ranks_of_an_interval(count: int, quantile: float, ranks: tuple[int | None, int | None]) -> None:
    assert interval_ranks(count, quantile, 0.95) == ranks


@given(st.integers(1, 120), st.sampled_from([0.5, 0.95, 0.99]))
def test_exact_ranks_keep_both_tails_below_half_of_what_is_left(count: int, quantile: float) -> None:
    def at_most(k: int) -> float:
        return sum(math.comb(count, n) * quantile**n * (1 - quantile) ** (count - n) for n in range(k + 1))

    low, high = interval_ranks(count, quantile, 0.95)
    assert low is None or at_most(low - 1) <= 0.025 + 1e-9
    assert at_most(low or 0) > 0.025 - 1e-9  # one more would be too many
    assert high is None or 1 - at_most(high - 1) <= 0.025 + 1e-9
    assert 1 - at_most((high or count + 1) - 2) > 0.025 - 1e-9


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.95, 0.99]))
def test_ranks_are_ranks(count: int, quantile: float) -> None:
    low, high = interval_ranks(count, quantile, 0.95)
    place = rank(count, quantile)
    assert low is None or 1 <= low <= place
    assert high is None or place <= high <= count


def lognormal(draw: random.Random, count: int, slower: float, common: float, own: float) -> Pairs:
    pairs = []
    for _ in range(count):
        shared = draw.gauss(0, common)
        pairs.append((20 * math.exp(shared + draw.gauss(0, own)), 20 * slower * math.exp(shared + draw.gauss(0, own))))
    return pairs


NORMAL_QUANTILES = {0.5: 0.0, 0.95: 1.6448536, 0.99: 2.3263479}


@pytest.mark.parametrize(("common", "own"), [(0.6, 0.3), (0.0, 0.6)], ids=["dependent", "independent"])
def test_the_intervals_cover_what_they_promise(common: float, own: float) -> None:
    draw, runs = random.Random(2), 120
    covered = dict.fromkeys(NORMAL_QUANTILES, 0)
    ratios = dict.fromkeys(NORMAL_QUANTILES, 0)
    for _ in range(runs):
        found = compared(lognormal(draw, 600, 1.1, common, own))
        for quantile, z in NORMAL_QUANTILES.items():
            true = 2 * math.exp(math.hypot(common, own) * z)
            interval, ratio = found.at(quantile).difference, found.at(quantile).ratio
            assert interval.low is not None and interval.high is not None and ratio is not None
            covered[quantile] += interval.low <= true <= interval.high
            ratios[quantile] += (ratio.low or 0) <= 1.1 <= (ratio.high or 0)
    assert min(covered.values()) >= runs * 0.93
    assert min(ratios.values()) >= runs * 0.93


def _excludes_zero(interval: Interval) -> bool:
    assert interval.low is not None and interval.high is not None
    return interval.low > 0 or interval.high < 0


def test_a_slower_shadow_is_slower() -> None:
    found = compared(lognormal(random.Random(4), 3000, 1.5, 0.6, 0.3))
    assert _excludes_zero(found.paired_median)
    assert all(_excludes_zero(each.difference) for each in found.quantiles)
    assert [each.ratio and each.ratio.value for each in found.quantiles] == pytest.approx([1.5] * 3, rel=0.15)


def test_an_equal_one_is_called_neither_but_for_one_time_in_twenty() -> None:
    draw, runs = random.Random(4), 200
    found = [compared(lognormal(draw, 300, 1.0, 0.6, 0.3)) for _ in range(runs)]
    assert sum(_excludes_zero(each.paired_median) for each in found) <= 0.07 * runs
    tails = [each.at(0.95).difference for each in found]
    assert sum(map(_excludes_zero, tails)) <= 0.07 * runs


def test_dependence_makes_intervals_narrower() -> None:
    pairs = lognormal(random.Random(5), 2000, 1.1, 0.6, 0.1)
    width: Callable[[LatencyComparison], float] = lambda found: (  # noqa: E731
        (found.at(0.5).difference.high or 0) - (found.at(0.5).difference.low or 0)
    )
    assert width(compared(pairs)) < 0.7 * width(compared(pairs, sample=[]))


def test_few_pairs_have_no_interval() -> None:
    found = compared([(10.0, 20.0)] * 3)
    assert (found.paired_median.low, found.paired_median.high) == (None, None)
    assert found.at(0.95).difference.low is None
    assert found.at(0.95).ratio is not None and found.at(0.95).ratio.value == pytest.approx(2, rel=0.02)


def test_where_all_pairs_are_kept_the_figures_are_exact() -> None:
    pairs = [(float(each), 1.2 * each) for each in range(1, 101)]
    exact = compared(pairs)
    assert [(each.primary, each.shadow) for each in exact.quantiles] == [(50, 60), (95, 114), (99, 1.2 * 99)]
    assert exact.at(0.95).ratio is not None and exact.at(0.95).ratio.value == pytest.approx(1.2, rel=1e-12)
    near = compared(pairs, sample=pairs[:50])
    for one, other in zip(exact.quantiles, near.quantiles, strict=True):
        assert other.shadow == pytest.approx(one.shadow, rel=ERROR * 1.001)


def test_no_times_no_comparison_and_no_ratio_to_zero() -> None:
    assert compare_latency(Histogram(), Histogram(), Histogram()) is None
    assert compared([(0.0, 5.0)] * 10).at(0.5).ratio is None


def test_correlation() -> None:
    same = [(float(each), float(each)) for each in range(100)]
    assert correlation(same, 0.5) == pytest.approx(1)
    assert correlation([(old, -new) for old, new in same], 0.5) < -0.9
    assert correlation([], 0.5) == correlation([(1.0, 1.0)] * 5, 0.5) == 0
