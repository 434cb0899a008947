"""Confidence intervals: of a share, of quantiles, and of the difference in response time between primary and shadow.

All are 95 % intervals and distribution-free. They assume that pairs are independent of each other. Requests of one
busy minute are not quite, so the true uncertainty may be larger, but not smaller.

The two times of a pair depend on each other, because they belong to one request. Two methods allow for that:
- The median of the differences (shadow minus primary, pair by pair): its interval is between two order statistics of
  the differences, with ranks from the binomial distribution (the interval that belongs to the sign test).
- The difference of two quantiles: an interval for each side, by order statistics too, combined by MOVER (Zou and
  Donner, "Construction of confidence intervals about effect measures", Statistics in Medicine 27, 2008). The distances
  from estimate to bound add up like two sides of a triangle. The angle is the correlation between "the primary of this
  pair is above its quantile" and "the shadow is above its quantile", measured in a sample of the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from mirror_addon.compare.report.histogram import SMALLEST
from mirror_addon.compare.report.histogram import Histogram
from mirror_addon.compare.report.histogram import middle

CONFIDENCE = 0.95
QUANTILES = (0.5, 0.95, 0.99)
QUARTILE = 0.25
_EXACT_UP_TO = 1000
"""For more values the normal approximation of the binomial distribution is good for the 99th percentile too."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its confidence interval. `low` or `high` is None if there are too few values for that bound."""

    value: float
    low: float | None
    high: float | None


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
    """The response times of pairs. `paired_median`: of the differences of the pairs, in milliseconds.

    `pace`: `slower`, `faster`, `as fast` or `unclear`; empty if it was not judged, and `obstacle` says why not.
    `resolution`: milliseconds that a difference has to exceed.
    """

    pairs: int
    quantiles: tuple[QuantileComparison, ...]
    paired_median: Interval
    quartile: QuantileComparison
    """The first one. Not among the `quantiles`, which are shown."""
    pace: str = ""
    obstacle: str = ""
    resolution: float = 0.0

    def at(self, quantile: float) -> QuantileComparison:
        return next(each for each in self.quantiles if each.quantile == quantile)


def share(count: int, total: int, confidence: float = CONFIDENCE) -> Interval | None:
    """`count` of `total` as a share 0..1 with Wilson's score interval. None if `total` is 0."""
    if not total:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = count / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return Interval(p, max(0.0, centre - half) if count else 0.0, min(1.0, centre + half) if count < total else 1.0)


def rank(count: int, quantile: float) -> int:
    """The rank of a quantile among `count` sorted values, from 1, by the nearest-rank method."""
    return max(1, math.ceil(quantile * count - 1e-9))


@lru_cache(maxsize=4096)
def interval_ranks(count: int, quantile: float, confidence: float) -> tuple[int | None, int | None]:
    """The ranks of two values between which a quantile is with at least this confidence. None: there is no such rank.

    The number of values below the true quantile has a binomial distribution, whatever the distribution of the values.
    """
    tail = (1 - confidence) / 2
    if count > _EXACT_UP_TO:
        half = NormalDist().inv_cdf(1 - tail) * math.sqrt(count * quantile * (1 - quantile))
        low, high = math.floor(count * quantile - half), math.ceil(count * quantile + half) + 1
    else:
        low, high = _exact_ranks(count, quantile, tail)
    return low if low >= 1 else None, high if high <= count else None


def _exact_ranks(count: int, p: float, tail: float) -> tuple[int, int]:
    """The ranks by the binomial distribution, each probability from the one before. Computed with logarithms, because
    the factors over- and underflow. It begins where what is left out, 12 deviations below, is less than a float has
    digits for."""
    high = max(0, math.floor(count * p - 12 * math.sqrt(count * p * (1 - p)) - 12))
    ways = math.lgamma(count + 1) - math.lgamma(high + 1) - math.lgamma(count - high + 1)
    probability = ways + high * math.log(p) + (count - high) * math.log1p(-p)
    odds = math.log(p) - math.log1p(-p)
    low, below = 0, 0.0
    while below < 1 - tail and high <= count:
        below += math.exp(probability)
        if high < count:
            probability += odds + math.log((count - high) / (high + 1))
        high += 1
        if below <= tail:
            low = high
    return low, high


def compare_latency(
    primary: Histogram, shadow: Histogram, differences: Histogram, sample: Sequence[tuple[float, float]] = ()
) -> LatencyComparison | None:
    """Compare the response times of pairs. None if there are no pairs.

    `sample`: the (primary, shadow) times of some pairs. If it has all of them, the results are exact.
    """
    if not differences.count:
        return None
    sides: tuple[Histogram | Values, ...] = primary, shadow, differences
    if len(sample) == differences.count:
        old, new = zip(*sample, strict=True)
        sides = Values(old), Values(new), Values([after - before for before, after in sample])
    quartile, *quantiles = (
        _compare_quantile(each, _read(sides[0], each), _read(sides[1], each), correlation(sample, each))
        for each in (QUARTILE, *QUANTILES)
    )
    return LatencyComparison(differences.count, tuple(quantiles), _read(sides[2], 0.5), quartile)


class Values:
    """A few values, with the methods of a Histogram that reading needs."""

    def __init__(self, values: Sequence[float]) -> None:
        self.count = len(values)
        self._values = sorted(each if abs(each) >= SMALLEST else 0.0 for each in values)

    def ranked(self, ranks: list[int]) -> list[tuple[float, float]]:
        return [(self._values[rank - 1], self._values[rank - 1]) for rank in ranks]


def correlation(sample: Sequence[tuple[float, float]], quantile: float) -> float:
    """The phi coefficient of "the primary is above its quantile" and "the shadow is above its quantile".

    0 if the sample is too small to tell.
    """
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
    """The interval of `left` minus `right`, by MOVER."""
    low = high = None
    value = left.value - right.value
    if left.low is not None and right.high is not None:
        low = value - _distance(left.value - left.low, right.high - right.value, dependence)
    if left.high is not None and right.low is not None:
        high = value + _distance(left.high - left.value, right.value - right.low, dependence)
    return Interval(value, low, high)


def _distance(one: float, other: float, dependence: float) -> float:
    """The third side of a triangle (law of cosines)."""
    return math.sqrt(max(0.0, one * one + other * other - 2 * dependence * one * other))
