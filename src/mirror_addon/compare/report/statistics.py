"""Intervals: of a share, of quantiles, and of how much slower one side of many pairs is than the other.

All are for 95 % and none supposes a shape of the distribution. They suppose that the pairs tell of each other nothing,
which requests of one busy minute do a little: read them as the least uncertainty there is.

Both answers of a pair were asked for by one request, so their times depend on each other. Two methods hold however:
- The median of the differences (shadow minus primary, pair by pair): its interval lies between two order statistics of
  the differences, the ranks taken from the binomial distribution (the sign test, turned round).
- The difference of two quantiles: an interval for either side, by order statistics too, and the two put together by
  MOVER (Zou and Donner, "Construction of confidence intervals about effect measures", Statistics in Medicine 27, 2008):
  the distances from estimate to bound add up like the sides of a triangle, with the correlation between "this pair's
  primary was among the slow ones" and "its shadow was", taken from a sample of the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from mirror_addon.compare.report.histogram import SMALLEST
from mirror_addon.compare.report.histogram import Histogram
from mirror_addon.compare.report.histogram import middle

CONFIDENCE = 0.95
QUANTILES = (0.5, 0.95, 0.99)
_EXACT_UP_TO = 1000  # beyond it the normal approximation of the binomial is good for the 99th percentile too


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` and `high` are None where so few values bound nothing on that side."""

    value: float
    low: float | None
    high: float | None

    @property
    def above_zero(self) -> bool:
        return self.low is not None and self.low > 0

    @property
    def below_zero(self) -> bool:
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class QuantileComparison:
    """One quantile of both sides in milliseconds: `difference` is shadow minus primary, `ratio` shadow by primary."""

    quantile: float
    primary: float
    shadow: float
    difference: Interval
    ratio: Interval | None


@dataclass(frozen=True, slots=True)
class LatencyComparison:
    pairs: int
    quantiles: tuple[QuantileComparison, ...]
    paired_median: Interval

    def at(self, quantile: float) -> QuantileComparison:
        return next(each for each in self.quantiles if each.quantile == quantile)


def share(count: int, total: int, confidence: float = CONFIDENCE) -> Interval | None:
    """`count` of `total` as a share 0..1 with Wilson's score interval; None of nothing."""
    if not total:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = count / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return Interval(p, max(0.0, centre - half) if count else 0.0, min(1.0, centre + half) if count < total else 1.0)


def rank(count: int, quantile: float) -> int:
    """The nearest-rank quantile's place among `count` sorted values, from 1."""
    return max(1, math.ceil(quantile * count - 1e-9))


def interval_ranks(count: int, quantile: float, confidence: float) -> tuple[int | None, int | None]:
    """Between the values of which ranks the quantile lies with at least this confidence; None: there is no such."""
    tail = (1 - confidence) / 2
    if count > _EXACT_UP_TO:
        half = NormalDist().inv_cdf(1 - tail) * math.sqrt(count * quantile * (1 - quantile))
        low, high = math.floor(count * quantile - half), math.ceil(count * quantile + half) + 1
    else:
        low, high = 0, count + 1
        below = 0.0
        for k in range(count + 1):
            below += _binomial(k, count, quantile)
            if below <= tail:
                low = k + 1
            if below >= 1 - tail:
                high = k + 1
                break
    return low if low >= 1 else None, high if high <= count else None


def _binomial(k: int, count: int, p: float) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
    return math.exp(ways + k * math.log(p) + (count - k) * math.log1p(-p))


def compare_latency(
    primary: Histogram, shadow: Histogram, differences: Histogram, sample: Sequence[tuple[float, float]] = ()
) -> LatencyComparison | None:
    """Of the times of pairs; `sample` are some (primary, shadow) of them. None where there are no pairs.

    Where the sample is all of them, the figures are exact.
    """
    if not differences.count:
        return None
    sides: tuple[Histogram | Values, ...] = primary, shadow, differences
    if len(sample) == differences.count:
        old, new = zip(*sample, strict=True)
        sides = Values(old), Values(new), Values([after - before for before, after in sample])
    quantiles = tuple(
        _compare_quantile(each, _read(sides[0], each), _read(sides[1], each), correlation(sample, each))
        for each in QUANTILES
    )
    return LatencyComparison(differences.count, quantiles, _read(sides[2], 0.5))


class Values:
    """Few values, read as a Histogram is."""

    def __init__(self, values: Sequence[float]) -> None:
        self.count = len(values)
        self._values = sorted(each if abs(each) >= SMALLEST else 0.0 for each in values)

    def ranked(self, ranks: list[int]) -> list[tuple[float, float]]:
        return [(self._values[rank - 1], self._values[rank - 1]) for rank in ranks]


def correlation(sample: Sequence[tuple[float, float]], quantile: float) -> float:
    """Of being beyond the quantile on both sides of a pair: the phi coefficient. 0 where the sample says nothing."""
    count = len(sample)
    if not count:
        return 0.0
    place = rank(count, quantile) - 1
    left, right = (sorted(side)[place] for side in zip(*sample, strict=True))
    primary = sum(each[0] > left for each in sample) / count
    shadow = sum(each[1] > right for each in sample) / count
    both = sum(each[0] > left and each[1] > right for each in sample) / count
    spread = math.sqrt(primary * (1 - primary) * shadow * (1 - shadow))
    return (both - primary * shadow) / spread if spread else 0.0


def _read(histogram: Histogram | Values, quantile: float) -> Interval:
    low, high = interval_ranks(histogram.count, quantile, CONFIDENCE)
    place = rank(histogram.count, quantile)
    at, lowest, highest = histogram.ranked([place, low or place, high or place])
    return Interval(middle(*at), lowest[0] if low else None, highest[1] if high else None)


def _compare_quantile(quantile: float, primary: Interval, shadow: Interval, dependence: float) -> QuantileComparison:
    ratio = None
    if primary.value > 0 and shadow.value > 0:
        logarithms = _difference(_logarithm(shadow), _logarithm(primary), dependence)
        ratio = Interval(
            shadow.value / primary.value,
            None if logarithms.low is None else math.exp(logarithms.low),
            None if logarithms.high is None else math.exp(logarithms.high),
        )
    difference = _difference(shadow, primary, dependence)
    return QuantileComparison(quantile, primary.value, shadow.value, difference, ratio)


def _logarithm(interval: Interval) -> Interval:
    low = math.log(interval.low) if interval.low else None
    return Interval(math.log(interval.value), low, math.log(interval.high) if interval.high else None)


def _difference(left: Interval, right: Interval, dependence: float) -> Interval:
    """`left` minus `right`."""
    low = high = None
    value = left.value - right.value
    if left.low is not None and right.high is not None:
        low = value - _distance(left.value - left.low, right.high - right.value, dependence)
    if left.high is not None and right.low is not None:
        high = value + _distance(left.high - left.value, right.value - right.low, dependence)
    return Interval(value, low, high)


def _distance(one: float, other: float, dependence: float) -> float:
    return math.sqrt(max(0.0, one * one + other * other - 2 * dependence * one * other))
