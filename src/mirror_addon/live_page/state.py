"""What the page shows: a snapshot of the session, taken in the event loop and read in the thread that renders it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import Protocol

from mirror_addon.admission.overrides import Override
from mirror_addon.admission.overrides import RuleKey
from mirror_addon.statistics.pair_statistics import PairStatistics

if TYPE_CHECKING:
    from mirror_addon.admission.gate import AdmissionGate
    from mirror_addon.mirroring.rerun import RerunResult
    from mirror_addon.routing.table import RouteTable

Mode = Literal["mirroring", "paused", "off", "expired", "not started"]


@dataclass(frozen=True, slots=True)
class State:
    """The session at one moment. Times are seconds since the epoch."""

    now: float
    mode: Mode
    statistics: PairStatistics
    """A copy."""
    requests: int = 0
    unmatched: int = 0
    """Of them, those whose host or path no rule names."""
    totals: dict[str, int] = field(default_factory=dict)
    """The counters by name, including `failed.connect`."""
    targets: dict[str, dict[str, int]] = field(default_factory=dict)
    """The counters of each target."""
    table: RouteTable | None = None
    """The rules in force. A table is never changed, so it is not copied."""
    overrides: dict[RuleKey, Override] = field(default_factory=dict)
    """What was changed by commands and buttons."""
    backoffs: list[dict[str, Any]] = field(default_factory=list)
    """`Backoffs.as_list()`."""
    expires: float | None = None
    problem: str = ""
    """Why the rules in the files, or the comparison rules, are not in force; empty if they are."""
    engine: dict[str, Any] = field(default_factory=dict)
    """`Dispatcher.status()`."""
    accepted: frozenset[str] = frozenset()
    """The ids of the findings that the rules of comparison accept."""
    compared_since: float | None = None
    """None: only status codes are compared."""
    reruns: tuple[RerunResult, ...] = ()
    """What came of sending pairs again, the newest for each target."""
    addresses: tuple[str, ...] = ()
    """On which addresses and ports the proxy listens."""


class Source(Protocol):
    """What the app needs of the session. Called in the thread that renders."""

    def state(self) -> State:
        """Return the present state."""

    def opened(self) -> None:
        """Compare whole responses from now on, because the page is open in a browser."""

    def command(self, name: str, *arguments: str) -> str:
        """Run `mirror.NAME` and return its text. Raises CommandRefused."""


class CommandRefused(Exception):
    """A command failed. The text says why."""


def not_started() -> State:
    """Return the state of a session that has not started."""
    return State(now=time.time(), mode="not started", statistics=PairStatistics())


def mode_of(gate: AdmissionGate) -> Mode:
    """Return what the page shows as its heading."""
    if gate.paused:
        return "paused"
    if not gate.settings.enabled:
        return "off"
    return "expired" if gate.expired else "mirroring"
