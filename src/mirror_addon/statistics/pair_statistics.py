"""Statistics of all pairs since the start: for the live page, `/metrics` and the table at exit. Pure.

Theory of operation. A pair is a shadow's result beside its primary's response. `PairStatistics.pair` is called in the
event loop for each, and takes a few microseconds. The statistics are kept three times, each bounded in memory:

- by rule and target, for the rows of the page and of the table at exit (`RouteStatistics`);
- by target, in Envoy's histogram buckets, for `/metrics` (`TargetStatistics`);
- by second, over the last five minutes, for the plots (`Interval`);

and the newest differing pairs with their differences, without bodies (`DifferingPair`), and the causes of all differing
pairs (`pair_findings`). Nothing is read where it is
written: the live page takes a `copy()` in the event loop and renders that in another thread.

The other modules of this room say it in words: `histograms` holds durations, `formats` writes numbers, times and values
for people, and `reasons` explains the reasons of the counters.
"""

from __future__ import annotations

import time
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror_addon.compare.findings import Finding
from mirror_addon.compare.findings import FindingsTally
from mirror_addon.statistics.histograms import EnvoyHistogram
from mirror_addon.statistics.histograms import Latencies
from mirror_addon.statistics.histograms import add_to
from mirror_addon.statistics.pair_findings import count_causes
from mirror_addon.statistics.pair_findings import endpoint_of_pair

if TYPE_CHECKING:
    from mirror_addon.compare.difference import Difference
    from mirror_addon.shadow.pair import Pair

ROUTES = 200
"""Rows. Pairs of further rules and targets are counted together in one more."""
OTHERS = "all others"
SECONDS = 300
"""Length of the time series."""
DIFFERING = 50
"""Newest differing pairs that are kept, each with so many differences and characters of its URL."""
SHOWN_DIFFERENCES = 20
SHOWN_URL = 2000


def is_different(pair: Pair) -> bool:
    """Whether the responses differ: by their comparison, or by their status codes if they were not compared."""
    if pair.comparison is not None and pair.comparison.verdict is not None:
        return pair.comparison.verdict == "different"
    result = pair.result
    return result.outcome == "sent" and pair.primary_status is not None and pair.primary_status != result.status


@dataclass(frozen=True, slots=True)
class DifferingPair:
    """A pair whose responses differ, without bodies."""

    time: float
    """Seconds since the epoch."""
    id: str
    flow_id: str
    rule: str
    target: str
    method: str
    url: str
    primary_status: int | None
    shadow_status: int | None
    primary_ms: float | None
    shadow_ms: float
    differences: tuple[Difference, ...]
    more: int
    """Number of differences that are not listed."""
    notes: tuple[str, ...]
    endpoint: str
    """As findings name it."""


class RouteStatistics:
    """The pairs of one rule and target, controls apart."""

    __slots__ = (
        "compared", "control", "different", "dropped", "failed", "newest", "noise", "pairs", "primary", "route", "rule",
        "same", "sent", "shadow", "target",
    )  # fmt: skip

    def __init__(self, rule: str, route: str, target: str, control: bool) -> None:
        self.rule = rule
        self.route = route
        """The cluster that the newest primary was sent to; empty if it passed through."""
        self.target = target
        self.control = control
        self.pairs = 0
        self.sent = 0
        self.compared = 0
        """Pairs whose comparison has a verdict."""
        self.same = 0
        self.noise = 0
        self.different = 0
        """See `is_different`."""
        self.failed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.primary = Latencies()
        self.shadow = Latencies()
        self.newest = 0.0

    def copy(self) -> RouteStatistics:
        made = RouteStatistics(self.rule, self.route, self.target, self.control)
        for name in ("pairs", "sent", "compared", "same", "noise", "different", "newest"):
            setattr(made, name, getattr(self, name))
        made.failed, made.dropped = self.failed.copy(), self.dropped.copy()
        made.primary, made.shadow = self.primary.copy(), self.shadow.copy()
        return made


class TargetStatistics:
    """The responses of one target, as Envoy counts those of a cluster."""

    __slots__ = ("primary_time", "statuses", "time")

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.time = EnvoyHistogram()
        self.primary_time = EnvoyHistogram()

    def copy(self) -> TargetStatistics:
        made = TargetStatistics()
        made.statuses = self.statuses.copy()
        made.time, made.primary_time = self.time.copy(), self.primary_time.copy()
        return made


class Interval:
    """All pairs of a second, or of several, except controls."""

    __slots__ = ("different", "failed_or_dropped", "primary", "sent", "shadow", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        """Seconds since the epoch."""
        self.sent = 0
        self.failed_or_dropped = 0
        self.different = 0
        self.primary = Latencies()
        self.shadow = Latencies()

    def merge(self, other: Interval) -> None:
        self.sent += other.sent
        self.failed_or_dropped += other.failed_or_dropped
        self.different += other.different
        self.primary.merge(other.primary)
        self.shadow.merge(other.shadow)

    def copy(self) -> Interval:
        made = Interval(self.start)
        made.sent, made.failed_or_dropped, made.different = self.sent, self.failed_or_dropped, self.different
        made.primary, made.shadow = self.primary.copy(), self.shadow.copy()
        return made


class PairStatistics:
    """A PairObserver. `clock` returns seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.started = clock()
        self.routes: dict[tuple[str, str, bool], RouteStatistics] = {}
        self.targets: dict[str, TargetStatistics] = {}
        self.differing: deque[DifferingPair] = deque(maxlen=DIFFERING)
        """Newest last."""
        self._findings = FindingsTally()
        self._intervals = [Interval(-1)] * SECONDS

    def copy(self) -> PairStatistics:
        """Return a copy, for another thread to read."""
        made = PairStatistics(self._clock)
        made.started = self.started
        made.routes = {key: row.copy() for key, row in self.routes.items()}
        made.targets = {label: target.copy() for label, target in self.targets.items()}
        made.differing = self.differing.copy()
        made._findings = self._findings.copy()
        made._intervals = [interval.copy() if interval.start >= 0 else interval for interval in self._intervals]
        return made

    def pair(self, pair: Pair) -> None:
        """Count one pair."""
        now = self._clock()
        result = pair.result
        row = self.routes.get((pair.rule, pair.target, pair.control))
        if row is None:
            row = self._row(pair)
        row.pairs += 1
        row.newest = now
        row.route = pair.route
        different = is_different(pair)
        if different:
            row.different += 1
            if not pair.control:
                self._keep(pair, now)
        if pair.comparison is not None:
            verdict = pair.comparison.verdict
            row.compared += verdict in ("same", "noise", "different")
            row.same += verdict == "same"
            row.noise += verdict == "noise"
        if result.outcome == "sent":
            row.sent += 1
        elif result.outcome == "failed":
            row.failed[result.reason] += 1
        else:
            row.dropped[result.reason] += 1
        primary, shadow = [row.primary], [row.shadow]
        if not pair.control:
            interval = self._count_by_time_and_target(pair, int(now), different)
            primary.append(interval.primary)
            shadow.append(interval.shadow)
        if pair.primary_ms is not None:
            add_to(primary, pair.primary_ms)
        if result.outcome == "sent":
            add_to(shadow, result.response_ms)

    def _count_by_time_and_target(self, pair: Pair, second: int, different: bool) -> Interval:
        """Count it in its target, and in the interval, except for its durations there. Return the interval."""
        result = pair.result
        interval = self._intervals[second % SECONDS]
        if interval.start != second:
            interval = self._intervals[second % SECONDS] = Interval(second)
        target = self.targets.get(pair.target)
        if target is None:
            label = pair.target if len(self.targets) < ROUTES else OTHERS
            target = self.targets.setdefault(label, TargetStatistics())
        if different:
            interval.different += 1
        if pair.primary_ms is not None:
            target.primary_time.add(pair.primary_ms)
        if result.outcome == "sent":
            interval.sent += 1
            target.time.add(result.response_ms)
            if result.status is not None:
                target.statuses[result.status] += 1
        else:
            interval.failed_or_dropped += 1
        return interval

    def _row(self, pair: Pair) -> RouteStatistics:
        if len(self.routes) < ROUTES:
            key = (pair.rule, pair.target, pair.control)
        else:
            key = (OTHERS, OTHERS, pair.control)
        row = self.routes.get(key)
        if row is None:
            row = self.routes[key] = RouteStatistics(key[0], pair.route, key[1], pair.control)
        return row

    def _keep(self, pair: Pair, now: float) -> None:
        count_causes(self._findings, pair)
        result, comparison = pair.result, pair.comparison
        differences = comparison.differences if comparison else ()
        self.differing.append(
            DifferingPair(
                time=now,
                id=pair.id,
                flow_id=pair.flow_id,
                rule=pair.rule,
                target=pair.target,
                method=pair.method,
                url=pair.shown_url[:SHOWN_URL],
                primary_status=pair.primary_status,
                shadow_status=result.status,
                primary_ms=pair.primary_ms,
                shadow_ms=result.response_ms,
                differences=differences[:SHOWN_DIFFERENCES],
                more=(comparison.more if comparison else 0) + len(differences[SHOWN_DIFFERENCES:]),
                notes=comparison.notes if comparison else (),
                endpoint=endpoint_of_pair(pair),
            )
        )

    def series(self, step: int = 5) -> list[Interval]:
        """Return the last `SECONDS` in steps of `step` seconds, oldest first, without the one that is incomplete."""
        end = int(self._clock()) // step * step
        return list(self._steps(end, step))

    def _steps(self, end: int, step: int) -> Iterator[Interval]:
        for start in range(end - SECONDS + step, end, step):
            merged = Interval(start)
            for second in range(start, start + step):
                interval = self._intervals[second % SECONDS]
                if interval.start == second:
                    merged.merge(interval)
            yield merged

    def rows(self) -> list[RouteStatistics]:
        """Return the rows, those with most differences first."""
        return sorted(self.routes.values(), key=lambda row: (-row.different, -row.pairs, row.rule, row.target))

    def findings(self, accepted: Collection[str] = ()) -> list[Finding]:
        """Return the causes of the differing pairs, those with most pairs first. `accepted`: ids that rules accept."""
        return self._findings.findings(self.compared or self.sent, accepted)

    @property
    def compared(self) -> int:
        """Pairs whose comparison has a verdict, without controls."""
        return sum(row.compared for row in self.routes.values() if not row.control)

    @property
    def sent(self) -> int:
        """Shadows with a complete response, without controls."""
        return sum(row.sent for row in self.routes.values() if not row.control)

    @property
    def different(self) -> int:
        """Pairs whose responses differ, without controls."""
        return sum(row.different for row in self.routes.values() if not row.control)
