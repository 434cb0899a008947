"""The bytes that wait for mirrors, in the proxy, the pipes and the workers together, and who may add to them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from mirror_addon.shadow.gauges import Gauge

_SHARE = 31
"""A target may hold so many times what is still free: one that hangs leaves a thirty-second of the queue to others,
those a thirty-second of that, and so on (dynamic queue thresholds, Choudhury and Hahne 1998)."""


class QueuedBytes:
    """A sum of bytes with a limit, by target."""

    def __init__(self, limit: int) -> None:
        self.total = Gauge(limit)
        self._limit = limit
        self._held: Counter[Hashable] = Counter()

    def fits(self, target: Hashable, cost: int, *, own: int = 0) -> bool:
        """May `target` add `cost`? What is alone in the queue always may: a single body is limited elsewhere. `own` is
        what the shadow in question holds already."""
        total = self.total.value
        if total == own:
            return True
        free = self._limit - total - cost
        return free >= 0 and self._held[target] + cost <= _SHARE * free

    def add(self, target: Hashable, cost: int) -> None:
        """Add, or with a negative number take away."""
        self.total.add(cost)
        held = self._held[target] + cost
        if held:
            self._held[target] = held
        else:
            del self._held[target]
