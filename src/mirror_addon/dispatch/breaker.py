"""A circuit breaker: a mirror that fails again and again is left alone for a while. Pure, the caller has the clock."""

from __future__ import annotations

from typing import Any
from typing import Literal

from mirror_addon.shadow.request import Target

FAILURES = 5
"""So many failures in a row open it (Envoy's outlier detection, consecutive_5xx, has the same default)."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
"""Seconds."""

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Closed: everything passes. Open: nothing does until the pause is over. Then one shadow passes, the probe: its
    success closes the breaker, its failure opens it again for twice as long."""

    __slots__ = ("_failures", "_pause", "_probe_at", "opened", "state")

    def __init__(self) -> None:
        self.state: State = "closed"
        self.opened = 0
        """How often it opened."""
        self._failures = 0
        self._pause = 0.0
        self._probe_at = 0.0

    def allow(self, now: float) -> bool:
        """May a shadow be sent at `now` (seconds of a monotonic clock)? After a pause the one True is the probe."""
        if self.state == "closed":
            return True
        if self.state == "open" and now >= self._probe_at:
            self.state = "half_open"
            return True
        return False

    def succeeded(self) -> None:
        """A shadow was answered. Also one that was sent before the breaker opened: the mirror is alive."""
        self.state = "closed"
        self._failures = 0
        self._pause = 0.0

    def failed(self, now: float, *, probe: bool) -> bool:
        """A shadow was not. Those that were on their way when the breaker opened say nothing new by failing. True: the
        breaker opens now."""
        self._failures += 1
        opens = probe or (self.state == "closed" and self._failures >= FAILURES)
        if opens:
            self.state = "open"
            self.opened += 1
            self._pause = min(self._pause * 2, LONGEST_PAUSE) if self._pause else FIRST_PAUSE
            self._probe_at = now + self._pause
        return opens

    def given_up(self, now: float) -> None:
        """The probe came to no end that says anything of the mirror: the next shadow is the probe."""
        if self.state == "half_open":
            self.state = "open"
            self._probe_at = now


class Breakers:
    """A target has one from its first failure on."""

    def __init__(self) -> None:
        self._breakers: dict[Target, Breaker] = {}

    def is_closed(self, target: Target) -> bool:
        """Whether shadows may be sent without asking `allow`."""
        if not self._breakers:
            return True
        breaker = self._breakers.get(target)
        return breaker is None or breaker.state == "closed"

    def allow(self, target: Target, now: float) -> bool:
        """Whether a shadow may be sent as a probe to a target whose breaker is not closed."""
        return self._breakers[target].allow(now)

    def succeeded(self, target: Target) -> None:
        """A shadow was answered."""
        breaker = self._breakers.get(target) if self._breakers else None
        if breaker is not None:
            breaker.succeeded()

    def failed(self, target: Target, now: float, *, probe: bool) -> bool:
        """A shadow was not. True: the breaker opens now."""
        breaker = self._breakers.get(target)
        if breaker is None:
            breaker = self._breakers[target] = Breaker()
        return breaker.failed(now, probe=probe)

    def given_up(self, target: Target, now: float) -> None:
        """A probe came to no end that says anything of its target."""
        self._breakers[target].given_up(now)

    def status(self, targets: dict[str, dict[str, Any]]) -> None:
        """Add state and count of openings to what is known of targets by their labels."""
        for target, breaker in self._breakers.items():
            breakers = targets.setdefault(target.label, {}).setdefault("circuit_breakers", {})
            breakers[f"{target.address}:{target.port}"] = {"state": breaker.state, "opened": breaker.opened}
