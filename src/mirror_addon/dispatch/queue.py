"""The bytes that wait for mirrors, in the proxy, the pipes and the workers together, and who may add to them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

_SHARE = 31
"""A target may hold so many times what is still free. One that hangs leaves a thirty-second of the queue to the others,
those leave a thirty-second of that, and so on (dynamic queue thresholds, Choudhury and Hahne 1998)."""


class QueuedBytes:
    """A sum of bytes with a limit, by target."""

    __slots__ = ("_held", "high", "limit", "value")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.value = 0
        self.high = 0
        """The highest value so far."""
        self._held: Counter[Hashable] = Counter()

    def fits(self, target: Hashable, cost: int, *, own: int = 0) -> bool:
        """Whether `target` may add `cost`. What is alone in the queue always may: a single body is limited elsewhere.
        `own` is what the shadow in question holds already."""
        total = self.value
        if total == own:
            return True
        free = self.limit - total - cost
        return free >= 0 and self._held[target] + cost <= _SHARE * free

    def add(self, target: Hashable, cost: int) -> None:
        """Add, or with a negative number take away."""
        value = self.value = self.value + cost
        if value > self.high:
            self.high = value
        held = self._held[target] + cost
        if held:
            self._held[target] = held
        else:
            del self._held[target]

    def as_dict(self) -> dict[str, int]:
        return {"value": self.value, "high": self.high, "limit": self.limit}
