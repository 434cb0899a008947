"""Which requests have their responses compared where most are not: in plain mitmdump, which keeps no responses.

`ComparisonSamples.wants` is asked once for each mirrored request, in the proxy's event loop, and only where comparison
is not on anyway. At present it chooses the first request of each rule, so that the log can show that mirroring works.
"""

from __future__ import annotations

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.table import RouteTable


class ComparisonSamples:
    """Chooses the first mirrored request of each rule."""

    def __init__(self) -> None:
        self._waiting: dict[int, Rule] = {}
        """The rules without a request so far, by identity: to hash a rule takes longer than all else here."""
        self._met: set[tuple[str, str]] = set()

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force."""
        present = {(rule.virtual_service, rule.rule): rule for rule in table.mirroring}
        self._met &= present.keys()
        self._waiting = {id(rule): rule for name, rule in present.items() if name not in self._met}

    def wants(self, decision: Decision) -> bool:
        """Whether the responses of this request are compared."""
        if not self._waiting:
            return False
        rule = self._waiting.pop(id(decision.rule), None)
        if rule is None:
            return False
        self._met.add((rule.virtual_service, rule.rule))
        return True
