"""Gauges: numbers with their highest values so far, for `mirror.status`."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Gauge:
    """A number, its highest value so far, and the limit that its owner keeps it to, if there is one."""

    limit: int | None = None
    value: int = 0
    high: int = 0

    def add(self, difference: int) -> None:
        value = self.value = self.value + difference
        if value > self.high:
            self.high = value

    def set(self, value: int) -> None:
        self.value = value
        if value > self.high:
            self.high = value

    def as_dict(self) -> dict[str, int | None]:
        return {"value": self.value, "high": self.high, "limit": self.limit}


class WorkerGauges:
    """What all workers tell of themselves in STATUS. `lanes`: how many a target may have, in all workers."""

    def __init__(self, lanes: int) -> None:
        self.lanes = LaneGauges(lanes)
        self.kept = KeptGauges()
        self.comparisons = ComparisonGauges()

    def tell(self, worker: Hashable, status: tuple[Any, ...]) -> None:
        """Set a worker's numbers: the fields of a STATUS."""
        lanes, kept, comparisons = status
        self.lanes.tell(worker, lanes)
        self.kept.tell(worker, *kept)
        self.comparisons.tell(worker, *comparisons)

    def lost(self, worker: Hashable) -> None:
        """A worker has ended."""
        self.tell(worker, ((), (0, 0), (0, 0)))


class LaneGauges:
    """The lanes of each target in all workers, under the names of the corresponding statistics of an Envoy cluster."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._told: dict[Hashable, tuple[tuple[str, int, int, int], ...]] = {}
        self._targets: dict[str, dict[str, Gauge]] = {}

    def tell(self, worker: Hashable, groups: tuple[tuple[str, int, int, int], ...]) -> None:
        """Set a worker's numbers: for each target its label, lanes, busy lanes, and shadows that wait for a lane."""
        if self._told.get(worker, ()) == groups:
            return
        self._told[worker] = groups
        sums: dict[str, list[int]] = {label: [0, 0, 0] for label in self._targets}
        for label, *numbers in (group for groups in self._told.values() for group in groups):
            sums[label] = [a + b for a, b in zip(sums.get(label, (0, 0, 0)), numbers, strict=True)]
        for label, (lanes, active, waiting) in sums.items():
            gauges = self._targets.get(label)
            if gauges is None:
                gauges = self._targets[label] = {
                    "upstream_cx_active": Gauge(self._limit),
                    "upstream_rq_active": Gauge(self._limit),
                    "upstream_rq_pending_active": Gauge(),
                }
            for gauge, value in zip(gauges.values(), (lanes, active, waiting), strict=True):
                gauge.set(value)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        return {
            label: {name: gauge.as_dict() for name, gauge in gauges.items()} for label, gauges in self._targets.items()
        }


class KeptGauges:
    """The bytes of bodies that all workers keep."""

    def __init__(self) -> None:
        self._told: dict[Hashable, int] = {}
        self._gauge = Gauge()

    def tell(self, worker: Hashable, value: int, high: int) -> None:
        """Set a worker's numbers: it keeps `value` bytes, and `high` was the most it has kept."""
        if value or high or worker in self._told:
            others = self._gauge.value - self._told.get(worker, 0)
            self._told[worker] = value
            self._gauge.set(others + high)
            self._gauge.set(others + value)

    def as_dict(self, limit: int) -> dict[str, int | None]:
        self._gauge.limit = limit
        return self._gauge.as_dict()


class ComparisonGauges:
    """The pairs that wait for their comparison in all workers, and how many were given up."""

    def __init__(self) -> None:
        self._told: dict[Hashable, tuple[int, int]] = {}
        self._waiting = Gauge()
        self._given_up = 0

    def tell(self, worker: Hashable, waiting: int, given_up: int) -> None:
        """Set a worker's numbers. `given_up` are those of its present process; zeros: that has ended."""
        before, counted = self._told.get(worker, (0, 0))
        self._told[worker] = waiting, given_up
        self._waiting.add(waiting - before)
        self._given_up += max(given_up - counted, 0)

    def as_dict(self) -> dict[str, Any]:
        return {"waiting": self._waiting.as_dict(), "given_up": self._given_up}
