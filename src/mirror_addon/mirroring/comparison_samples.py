"""Which requests have their responses compared where most are not: in plain mitmdump, which keeps no responses.

`ComparisonSamples.wants` is asked once for each mirrored request, in the proxy's event loop, and only where comparison
is not on anyway. It chooses

- the first request of each rule, so that the log can show that mirroring works;
- of the others, `PER_SECOND` a second, and `BURST` at once after a pause (a token bucket).

What a comparison takes in the proxy's event loop is some 0.1 ms, and as much again for each `BODY_BYTES` of a body that
is passed to the worker. A body counts as so many pairs (`took`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.table import RouteTable

PER_SECOND = 20.0
BURST = 40.0
BODY_BYTES = 64 * 1024


class ComparisonSamples:
    """Chooses the pairs that are compared. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.enabled = True
        """False: none is chosen (`mirror_responses=discard`)."""
        self._waiting: dict[int, Rule] = {}
        """The rules without a request so far, by identity: to hash a rule takes longer than all else here."""
        self._met: set[tuple[str, str]] = set()
        self._clock = clock
        self._tokens = BURST
        self._at = clock()
        """When the tokens were counted."""

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force."""
        present = {(rule.virtual_service, rule.rule): rule for rule in table.mirroring}
        self._met &= present.keys()
        self._waiting = {id(rule): rule for name, rule in present.items() if name not in self._met}

    def wants(self, decision: Decision) -> bool:
        """Whether the responses of this request are compared."""
        if not self.enabled:
            return False
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._at) * PER_SECOND, BURST)
        self._at = now
        rule = self._waiting.pop(id(decision.rule), None) if self._waiting else None
        if rule is not None:
            self._met.add((rule.virtual_service, rule.rule))
        elif self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def took(self, body: int) -> None:
        """So many bytes of the body of a response that was chosen are passed to the worker."""
        self._tokens -= body / BODY_BYTES
