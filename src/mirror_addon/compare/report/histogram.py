"""Distributions in bounded memory: counts of values in buckets whose bounds grow by a constant factor.

A quantile read from the buckets has a relative error of at most ERROR, however many values were added. HdrHistogram
and DDSketch (Masson et al. 2019) have the same guarantee; their Python packages are slower here, or need numpy or
protobuf.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

ERROR = 0.005
"""The largest relative error of a value that is read back."""

SMALLEST = 0.001
"""Values closer to zero count as zero. Values are milliseconds here, so it is a microsecond."""

_SCALE = 1 / math.log((1 + ERROR) / (1 - ERROR))
_ORIGIN = math.log(SMALLEST)
_log = math.log


class Histogram:
    """Counts of positive and negative numbers, in about 10 kB."""

    __slots__ = ("_negative", "_positive", "_zero", "count")

    def __init__(self) -> None:
        self.count = 0
        self._zero = 0
        self._positive = array("Q")
        self._negative = array("Q")

    def add(self, value: float) -> None:
        self.count += 1
        if value >= SMALLEST:
            bucket, counts = int((_log(value) - _ORIGIN) * _SCALE), self._positive
        elif value <= -SMALLEST:
            bucket, counts = int((_log(-value) - _ORIGIN) * _SCALE), self._negative
        else:
            self._zero += 1
            return
        if bucket >= len(counts):
            counts.extend([0] * (bucket + 1 - len(counts)))
        counts[bucket] += 1

    def update(self, other: Histogram) -> None:
        """Add the counts of `other`."""
        self.count += other.count
        self._zero += other._zero
        for mine, theirs in ((self._positive, other._positive), (self._negative, other._negative)):
            mine.extend([0] * (len(theirs) - len(mine)))
            for bucket, count in enumerate(theirs):
                mine[bucket] += count

    def ranked(self, ranks: list[int]) -> list[tuple[float, float]]:
        """The bounds of the buckets in which the values of these ranks are. Rank 1 is the smallest value."""
        found: dict[int, tuple[float, float]] = {}
        waiting = sorted(set(ranks), reverse=True)
        below = 0
        for low, high, count in self.buckets():
            below += count
            while waiting and waiting[-1] <= below:
                found[waiting.pop()] = low, high
        return [found[rank] for rank in ranks]

    def buckets(self) -> Iterator[tuple[float, float, int]]:
        """(lower bound, upper bound, count) of the buckets that are not empty, in order."""
        for bucket in range(len(self._negative) - 1, -1, -1):
            if count := self._negative[bucket]:
                low, high = _bounds(bucket)
                yield -high, -low, count
        if self._zero:
            yield 0.0, 0.0, self._zero
        for bucket, count in enumerate(self._positive):
            if count:
                yield *_bounds(bucket), count


def _bounds(bucket: int) -> tuple[float, float]:
    return math.exp(bucket / _SCALE + _ORIGIN), math.exp((bucket + 1) / _SCALE + _ORIGIN)


def middle(low: float, high: float) -> float:
    """The value with the smallest relative error to every value between the bounds: their harmonic mean."""
    return 2 * low * high / (low + high) if low + high else 0.0
