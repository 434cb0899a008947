"""A circuit breaker: a mirror that fails again and again is left alone for a while. Pure, the caller has the clock."""

from __future__ import annotations

from typing import Literal

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
