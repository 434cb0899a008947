"""The response times of pairs, in bounded memory."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable

from mirror_addon.compare.report.histogram import Histogram
from mirror_addon.compare.report.histogram import middle
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.statistics import rank

MAX_SAMPLE = 2000
"""The number of pairs whose two times are kept, to measure how they depend on each other."""


class TimesTally:
    """The response times of the pairs of one endpoint, or of several."""

    __slots__ = ("_random", "differences", "inexact", "late", "primary", "sample", "shadow")

    def __init__(self) -> None:
        self.primary = Histogram()
        self.shadow = Histogram()
        self.differences = Histogram()
        self.inexact = 0
        """Pairs of which a time was not taken at the socket."""
        self.late = Histogram()
        """How late responses were read, by the program that was less late."""
        self.sample = array("d")
        """Times of a uniform random sample of the pairs: primary, shadow, primary, shadow, ..."""
        self._random = random.Random(0)  # seeded, so that the same record makes the same report

    @property
    def pairs(self) -> int:
        return self.differences.count

    @property
    def lateness(self) -> float:
        """The upper quartile of `late`, in milliseconds; 0 if it is not known."""
        if not self.late.count:
            return 0.0
        ((low, high),) = self.late.ranked([rank(self.late.count, 0.75)])
        return middle(low, high)

    def add(self, line: RecordLine) -> None:
        """Add a pair. One without both times is not counted."""
        times = line.times
        if times is None:
            return
        before, after = times
        self.primary.add(before)
        self.shadow.add(after)
        self.differences.add(after - before)
        self.inexact += not (line.primary.exact and line.shadow.exact)
        if line.primary.late_ms is not None and line.shadow.late_ms is not None:
            self.late.add(min(line.primary.late_ms, line.shadow.late_ms))
        # Reservoir sampling (Vitter's algorithm R): every pair is equally likely to be in the sample.
        if len(self.sample) < 2 * MAX_SAMPLE:
            self.sample.extend((before, after))
        elif (place := int(self._random.random() * self.pairs)) < MAX_SAMPLE:
            self.sample[2 * place], self.sample[2 * place + 1] = before, after

    @classmethod
    def merged(cls, tallies: Iterable[TimesTally]) -> TimesTally:
        """All pairs of several. Each has the same share of the sample as of the pairs."""
        tallies, whole = list(tallies), cls()
        for tally in tallies:
            whole.primary.update(tally.primary)
            whole.shadow.update(tally.shadow)
            whole.differences.update(tally.differences)
            whole.late.update(tally.late)
            whole.inexact += tally.inexact
        for tally in tallies:
            whole.sample += tally.sample[: 2 * math.ceil(MAX_SAMPLE * tally.pairs / max(1, whole.pairs))]
        return whole
