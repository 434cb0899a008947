"""How many bytes of bodies a worker may keep at a time. Pure.

Kept are response bodies until their pair is settled, and request bodies for a record with bodies. Without a limit, a
primary that takes long to respond, or a control that is missing, would let them fill the memory. A body that finds no
room is cut, and the comparison notes that it was.
"""

from __future__ import annotations

from mirror_addon.shadow.gauges import Gauge


class Budget:
    """A sum of bytes. `take` never lets it grow above its limit; each byte taken has to be given back once."""

    def __init__(self, limit: int) -> None:
        self._gauge = Gauge(limit)

    @property
    def numbers(self) -> tuple[int, int]:
        """Bytes kept now, and the most that were kept at any time."""
        return self._gauge.value, self._gauge.high

    def resize(self, limit: int) -> None:
        """Set another limit. If more is kept already, nothing is granted until enough of it has been given back."""
        self._gauge.limit = limit

    def take(self, wanted: int) -> int:
        """Ask for so many bytes more. Return how many are granted, which may be fewer, or 0."""
        granted = max(0, min(wanted, (self._gauge.limit or 0) - self._gauge.value))
        self._gauge.add(granted)
        return granted

    def give(self, size: int) -> None:
        """So many bytes are no longer kept."""
        self._gauge.add(-size)
