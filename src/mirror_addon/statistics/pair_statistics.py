"""What the live page, `/metrics` and the summary at exit tell of all pairs so far. Pure, and bounded in memory.

A pair costs a few microseconds in the proxy's loop. Who wants to read takes a `copy()` there and reads it elsewhere.
"""

from __future__ import annotations

import time
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror_addon.statistics.histograms import EnvoyHistogram
from mirror_addon.statistics.histograms import Latencies

if TYPE_CHECKING:
    from mirror_addon.compare.difference import Difference
    from mirror_addon.shadow.pair import Pair

ROUTES = 200
"""Rows that are told apart; the pairs of all others are counted together."""
OTHERS = "all others"
SECONDS = 300
"""Length of the time series."""
DIFFERING = 50
"""Newest differing pairs that are kept."""
SHOWN_DIFFERENCES = 20
SHOWN_URL = 2000


def is_different(pair: Pair) -> bool:
    """Whether the shadow's answer is known to differ: by comparison, or by its status where nothing was compared."""
    if pair.comparison is not None and pair.comparison.verdict is not None:
        return pair.comparison.verdict == "different"
    result = pair.result
    return result.outcome == "sent" and pair.primary_status is not None and pair.primary_status != result.status


@dataclass(frozen=True, slots=True)
class DifferingPair:
    """What is kept of a pair whose answers differ. No bodies."""

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
    """Differences that are not listed."""
    notes: tuple[str, ...]


class RouteStatistics:
    """The pairs of one rule with one target."""

    __slots__ = (
        "compared", "control", "different", "dropped", "failed", "newest", "noise", "pairs", "primary", "route", "rule",
        "same", "sent", "shadow", "target",
    )  # fmt: skip

    def __init__(self, rule: str, route: str, target: str, control: bool) -> None:
        self.rule = rule
        self.route = route
        """Where its primaries went: the newest one's cluster, empty for requests that passed through."""
        self.target = target
        self.control = control
        self.pairs = 0
        self.sent = 0
        self.compared = 0
        """Pairs with a verdict of a comparison."""
        self.same = 0
        self.noise = 0
        self.different = 0
        """By comparison, or by status where nothing was compared."""
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
    """The answers of one target, as Envoy counts a cluster's."""

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


class Moment:
    """One second of all pairs but the controls."""

    __slots__ = ("answered", "different", "primary", "second", "shadow", "unanswered")

    def __init__(self, second: int) -> None:
        self.second = second
        self.answered = 0
        self.unanswered = 0
        """Failed and dropped."""
        self.different = 0
        self.primary = Latencies()
        self.shadow = Latencies()

    def merge(self, other: Moment) -> None:
        self.answered += other.answered
        self.unanswered += other.unanswered
        self.different += other.different
        self.primary.merge(other.primary)
        self.shadow.merge(other.shadow)

    def copy(self) -> Moment:
        made = Moment(self.second)
        made.answered, made.unanswered, made.different = self.answered, self.unanswered, self.different
        made.primary, made.shadow = self.primary.copy(), self.shadow.copy()
        return made


class PairStatistics:
    """A PairObserver. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.started = clock()
        self.routes: dict[tuple[str, str, bool], RouteStatistics] = {}
        self.targets: dict[str, TargetStatistics] = {}
        self.differing: deque[DifferingPair] = deque(maxlen=DIFFERING)
        """Newest last."""
        self._moments = [Moment(-1)] * SECONDS

    def copy(self) -> PairStatistics:
        """The same at this moment, to be read by another thread."""
        made = PairStatistics(self._clock)
        made.started = self.started
        made.routes = {key: row.copy() for key, row in self.routes.items()}
        made.targets = {label: target.copy() for label, target in self.targets.items()}
        made.differing = self.differing.copy()
        made._moments = [moment.copy() if moment.second >= 0 else moment for moment in self._moments]
        return made

    def pair(self, pair: Pair) -> None:
        """Take one pair."""
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
            if verdict == "same":
                row.compared += 1
                row.same += 1
            elif verdict == "noise":
                row.compared += 1
                row.noise += 1
            elif verdict == "different":
                row.compared += 1
        if pair.primary_ms is not None:
            row.primary.add(pair.primary_ms)
        if result.outcome == "sent":
            row.sent += 1
            row.shadow.add(result.total_ms)
        elif result.outcome == "failed":
            row.failed[result.reason] += 1
        else:
            row.dropped[result.reason] += 1
        if not pair.control:
            self._note(pair, int(now), different)

    def _note(self, pair: Pair, second: int, different: bool) -> None:
        result = pair.result
        moment = self._moments[second % SECONDS]
        if moment.second != second:
            moment = self._moments[second % SECONDS] = Moment(second)
        target = self.targets.get(pair.target)
        if target is None:
            if len(self.targets) >= ROUTES and OTHERS in self.targets:
                target = self.targets[OTHERS]
            else:
                label = pair.target if len(self.targets) < ROUTES else OTHERS
                target = self.targets[label] = TargetStatistics()
        if different:
            moment.different += 1
        if pair.primary_ms is not None:
            moment.primary.add(pair.primary_ms)
            target.primary_time.add(pair.primary_ms)
        if result.outcome == "sent":
            moment.answered += 1
            moment.shadow.add(result.total_ms)
            target.time.add(result.total_ms)
            if result.status is not None:
                target.statuses[result.status] += 1
        else:
            moment.unanswered += 1

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
                url=pair.url[:SHOWN_URL],
                primary_status=pair.primary_status,
                shadow_status=result.status,
                primary_ms=pair.primary_ms,
                shadow_ms=result.total_ms,
                differences=differences[:SHOWN_DIFFERENCES],
                more=(comparison.more if comparison else 0) + len(differences[SHOWN_DIFFERENCES:]),
                notes=comparison.notes if comparison else (),
            )
        )

    def series(self, step: int = 5) -> list[Moment]:
        """The last `SECONDS` in steps of so many seconds, oldest first; the second that is under way is left out."""
        end = int(self._clock()) // step * step
        return list(self._steps(end, step))

    def _steps(self, end: int, step: int) -> Iterator[Moment]:
        for start in range(end - SECONDS + step, end, step):
            merged = Moment(start)
            for second in range(start, start + step):
                moment = self._moments[second % SECONDS]
                if moment.second == second:
                    merged.merge(moment)
            yield merged

    @property
    def compared(self) -> int:
        return sum(row.compared for row in self.routes.values() if not row.control)

    @property
    def answered(self) -> int:
        """Shadows with a whole answer, controls aside."""
        return sum(row.sent for row in self.routes.values() if not row.control)

    @property
    def different(self) -> int:
        return sum(row.different for row in self.routes.values() if not row.control)
