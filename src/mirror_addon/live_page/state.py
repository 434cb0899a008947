"""What the page is made of: taken in the proxy's loop in one piece, read by the thread that renders it."""

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
    from mirror_addon.routing.table import RouteTable

Mode = Literal["mirroring", "paused", "off", "expired", "not started"]


@dataclass(frozen=True, slots=True)
class State:
    """The addon at one moment. Times are seconds since the epoch."""

    now: float
    mode: Mode
    statistics: PairStatistics
    """A copy."""
    requests: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    """The counters by name, `failed.connect` among them."""
    targets: dict[str, dict[str, int]] = field(default_factory=dict)
    """The same for each target."""
    table: RouteTable | None = None
    """The rules in force. Never changed, so it is read where it is."""
    overrides: dict[RuleKey, Override] = field(default_factory=dict)
    """What was changed by hand while running."""
    backoffs: list[dict[str, Any]] = field(default_factory=list)
    """`Backoffs.as_list()`."""
    expires: float | None = None
    problem: str = ""
    """Why the rules on disk, those of comparison too, are not those in force."""
    engine: dict[str, Any] = field(default_factory=dict)
    """`Dispatcher.status()`."""
    compared_since: float | None = None
    """None: answers are compared by their status alone."""
    addresses: tuple[str, ...] = ()
    """Where the proxy listens."""


class Source(Protocol):
    """Where the page gets its state, and whom it tells of its buttons. Called from the rendering thread."""

    def state(self) -> State: ...

    def opened(self) -> None:
        """Somebody looks at the page: compare answers from now on."""

    def command(self, name: str, *arguments: str) -> str:
        """Run `mirror.NAME`; what it says. Raises CommandRefused."""


class CommandRefused(Exception):
    """A command that could not be done; the text says why."""


def not_started() -> State:
    """There is nothing to tell yet."""
    return State(now=time.time(), mode="not started", statistics=PairStatistics())
