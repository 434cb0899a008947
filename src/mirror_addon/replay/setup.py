"""Everything a replay is given except the captures."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.dispatch.counters import Counters
from mirror_addon.options.settings import Settings
from mirror_addon.replay.order import Repeats
from mirror_addon.replay.planner import Choices
from mirror_addon.replay.planner import Planner
from mirror_addon.replay.player import Pace
from mirror_addon.routing.table import RouteTable

NO_PRIMARY = "mirror_control sends requests to the primary again, and a replay has no primary"


@dataclass(frozen=True, slots=True)
class Setup:
    """The rules, the options, and what the command line says of order, pace and shadows."""

    settings: Settings
    table: RouteTable
    local_address: bytes
    """IP address of this machine, for X-Forwarded-For."""
    pace: Pace
    repeats: Repeats
    choices: Choices

    def planner(self, counters: Counters) -> Planner:
        """A planner that counts requests and skipped shadows in `counters`."""
        gate = AdmissionGate(self.settings, counters, self.local_address, time.time())
        return Planner(self.settings, self.table, gate, self.choices)
