"""The circuit breakers of all targets of a dispatcher. Pure, the caller has the clock."""

from __future__ import annotations

from typing import Any

from mirror_addon.shadow.breaker import Breaker
from mirror_addon.shadow.request import Target


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
