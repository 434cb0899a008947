"""Distributions of durations, in bounded memory. Pure.

The buckets of `Latencies` grow geometrically, 8 to each doubling, so the middle of a bucket is at most 4.5 % away from
every duration in it (2 ** (1/16) = 1.044). That is the error of a quantile, whatever the distribution."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable

SHORTEST = 0.05
"""Milliseconds. Shorter durations count as this long."""
PER_DOUBLING = 8
BUCKETS = 26 * PER_DOUBLING
"""Up to 55 minutes. Longer durations are counted in the last bucket."""

ENOUGH = {"p50": 1, "p95": 20, "p99": 100}
"""Durations of which one at least is above the quantile."""

ENVOY_BOUNDS = (
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
)  # fmt: skip
"""Upper bounds, in milliseconds, of Envoy's default buckets (source/common/stats/histogram_impl.cc)."""


class Latencies:
    """Many durations, in milliseconds."""

    __slots__ = ("count", "counts", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        """Sum of all durations."""
        self.counts: dict[int, int] = {}
        """By bucket; empty buckets are not stored."""

    def add(self, ms: float) -> None:
        add_to((self,), ms)

    def merge(self, other: Latencies) -> None:
        self.count += other.count
        self.total += other.total
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def copy(self) -> Latencies:
        made = Latencies()
        made.count, made.total, made.counts = self.count, self.total, self.counts.copy()
        return made

    def quantile(self, share: float) -> float | None:
        """Return the duration that a `share` (0.5, 0.95) of all does not exceed; None if there is none."""
        if not self.count:
            return None
        rank = max(math.ceil(share * self.count), 1)
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                break
        return SHORTEST * 2 ** ((bucket + 0.5) / PER_DOUBLING)

    def quantiles(self) -> dict[str, float | None]:
        return {"p50": self.quantile(0.5), "p95": self.quantile(0.95), "p99": self.quantile(0.99)}

    def shown(self) -> dict[str, float | None]:
        """Return the quantiles that there are enough durations for: the p95 of three would be their maximum."""
        return {name: value if self.count >= ENOUGH[name] else None for name, value in self.quantiles().items()}


def add_to(several: Iterable[Latencies], ms: float) -> None:
    """Add one duration to several of them; its bucket is found once."""
    bucket = 0
    if ms > SHORTEST:
        bucket = min(int(math.log2(ms / SHORTEST) * PER_DOUBLING), BUCKETS - 1)
    for latencies in several:
        latencies.count += 1
        latencies.total += ms
        counts = latencies.counts
        counts[bucket] = counts.get(bucket, 0) + 1


class EnvoyHistogram:
    """Many durations in Envoy's buckets, for `/metrics`."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(ENVOY_BOUNDS) + 1)
        self.total = 0.0

    def add(self, ms: float) -> None:
        self.counts[bisect_left(ENVOY_BOUNDS, ms)] += 1
        self.total += ms

    def copy(self) -> EnvoyHistogram:
        made = EnvoyHistogram()
        made.counts, made.total = self.counts.copy(), self.total
        return made

    def cumulated(self) -> list[tuple[str, float]]:
        """Return pairs of an upper bound and the number of durations up to it. The last bound is `+Inf`."""
        found = []
        running = 0
        for bound, count in zip([*map(str, ENVOY_BOUNDS), "+Inf"], self.counts, strict=True):
            running += count
            found.append((bound, float(running)))
        return found
