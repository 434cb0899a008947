"""How many bytes of bodies a worker may keep at a time. Pure."""

from __future__ import annotations

from mirror_addon.shadow.gauges import Gauge


class Budget:
    """A sum of bytes that is never above its limit."""

    def __init__(self, limit: int) -> None:
        self._gauge = Gauge(limit)

    @property
    def numbers(self) -> tuple[int, int]:
        """Bytes kept now, and at most."""
        return self._gauge.value, self._gauge.high

    def resize(self, limit: int) -> None:
        """Another limit. What is kept above it stays until it is given back."""
        self._gauge.limit = limit

    def take(self, wanted: int) -> int:
        """Keep so many bytes more; how many there is room for."""
        granted = max(0, min(wanted, (self._gauge.limit or 0) - self._gauge.value))
        self._gauge.add(granted)
        return granted

    def give(self, size: int) -> None:
        """These bytes are no longer kept."""
        self._gauge.add(-size)
