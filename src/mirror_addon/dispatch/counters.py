"""The counters: what the proxy saw, and what became of every shadow.

Every shadow that should be sent is `offered`, and at any moment exactly one of sent, failed, dropped and pending.
`offered` is computed as their sum, so it always balances. `InFlight` counts shadows; the rest is counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator


class TargetCounters:
    """The shadows of one mirror target."""

    __slots__ = ("adapted", "dropped", "failed", "pending", "sent", "skipped")

    def __init__(self) -> None:
        self.sent = 0
        self.pending = 0
        self.failed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.adapted: Counter[str] = Counter()

    @property
    def offered(self) -> int:
        return self.sent + self.failed.total() + self.dropped.total() + self.pending

    def add(self, other: TargetCounters) -> None:
        self.sent += other.sent
        self.pending += other.pending
        self.failed.update(other.failed)
        self.dropped.update(other.dropped)
        self.skipped.update(other.skipped)
        self.adapted.update(other.adapted)

    def items(self) -> Iterator[tuple[str, int]]:
        """Names and numbers in the order in which people read them, each total before its parts."""
        yield "offered", self.offered
        yield "sent", self.sent
        for name in ("failed", "dropped", "pending", "skipped", "adapted"):
            value: int | Counter[str] = getattr(self, name)
            if isinstance(value, int):
                yield name, value
                continue
            yield name, value.total()
            for reason in sorted(value):
                yield f"{name}.{reason}", value[reason]


class Counters:
    """All counters of one proxy. Labels are those of the clusters, `serviceB/v2`."""

    def __init__(self) -> None:
        self.requests = 0
        self.unmatched = 0
        """Requests whose host or path no rule names."""
        self.recorded = 0
        """Lines of the record."""
        self.unrecorded = 0
        """Shadows that should have got a line, and could not get one."""
        self.sandbox: dict[str, int] = {}
        """Calls of mirrors by what became of them. Empty unless there is a sandbox."""
        self.rerun = TargetCounters()
        """What was sent again to mirrors that were gone (`mirror_rerun`). No part of the totals."""
        self.targets: dict[str, TargetCounters] = {}
        self._unlabelled = TargetCounters()

    def of(self, label: str) -> TargetCounters:
        """The counters of a target. The book of shadows in flight counts in them."""
        counters = self.targets.get(label)
        if counters is None:
            if not label:
                return self._unlabelled
            counters = self.targets[label] = TargetCounters()
        return counters

    def request(self) -> None:
        """A request was seen."""
        self.requests += 1

    def skip(self, label: str, reason: str) -> None:
        """By a rule there is no shadow; `label` is empty where the target is not known either."""
        self.of(label).skipped[reason] += 1

    def adapt(self, label: str, names: Iterable[str]) -> None:
        """A shadow could not be exactly as the primary, in these respects."""
        self.of(label).adapted.update(names)

    def totals(self) -> TargetCounters:
        total = TargetCounters()
        total.add(self._unlabelled)
        for counters in self.targets.values():
            total.add(counters)
        return total

    def items(self) -> Iterator[tuple[str, int]]:
        """`requests`, `unmatched`, the totals, `sandbox.NAME` and `rerun` if any, then `LABEL.NAME` for each target."""
        yield "requests", self.requests
        yield "unmatched", self.unmatched
        yield from self.totals().items()
        yield from self.calls()
        if self.rerun.offered or self.rerun.skipped:
            yield "rerun", self.rerun.offered
            for name, number in self.rerun.items():
                if name != "offered":
                    yield f"rerun.{name}", number
        for label in sorted(self.targets):
            for name, number in self.targets[label].items():
                yield f"{label}.{name}", number

    def calls(self) -> Iterator[tuple[str, int]]:
        """`sandbox.answered` and so on, if there is a sandbox."""
        for name, number in self.sandbox.items():
            yield f"sandbox.{name}", number

    def text(self) -> str:
        """One `NAME NUMBER` a line."""
        return "".join(f"{name} {number}\n" for name, number in self.items())
