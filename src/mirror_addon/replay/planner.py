"""From a recorded request to its shadows: the rules, the draw, and what the command line says of them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from dataclasses import field

from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.admission.when import compile_when
from mirror_addon.captures.entry import Recorded
from mirror_addon.flows.exchange import Exchange
from mirror_addon.options.settings import Settings
from mirror_addon.replay.arguments import Faults
from mirror_addon.replay.order import Turn
from mirror_addon.routing.decision import as_drawn
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.control import is_control
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says of shadows."""

    seed: int = 0
    draw: int | None = None
    """One random number for all; None: each record's own, else one by the seed."""
    all_mirrors: bool = False
    """Whatever percentages say."""
    headers: Headers = ()
    """Put into shadows in the place of what they have under these names."""
    faults: Faults = field(default_factory=Faults)
    forced: bool = False
    """Do not wait for room."""


@dataclass(slots=True)
class Planned:
    """The shadows of one turn, and why its other mirrors get none."""

    exchange: Exchange
    shadows: list[tuple[ShadowRequest, bool]]
    """Each with whether it is a control."""


class Planner:
    """From a recorded request to its shadows. Pure but for the random numbers, which a seed decides."""

    def __init__(self, settings: Settings, table: RouteTable, gate: AdmissionGate, choices: Choices) -> None:
        self._settings = settings
        self._table = table
        self._mirroring = gate
        self._choices = choices
        self._names = frozenset(name.lower() for name, _ in choices.headers)
        self.blanked: Counter[str] = Counter()
        """Requests that went without a field that was redacted when they were recorded, by its name."""

    def plan(self, turn: Turn) -> Planned:
        recorded, choices = turn.recorded, self._choices
        number = chance(choices.seed, turn, "draw").getrandbits(64)
        draw = choices.draw if choices.draw is not None else recorded.draw if recorded.draw is not None else number
        decision = self._table.route(recorded.request, draw)
        if choices.all_mirrors:
            decision.mirrors = tuple(map(as_drawn, decision.mirrors))
        exchange = Exchange(self._table, recorded.request, draw, decision)
        self._mirroring.counters.request()
        instead = None if _wanted(exchange, recorded) else "when"
        shadows = []
        for count, mirror in enumerate(self._mirroring.due(recorded.request, decision, instead=instead)):
            shadow = shadow_request(
                exchange.decision.request or recorded.request,
                mirror,
                id=f"{turn.id}/{count}",
                body=len(recorded.body),
                own_address=self._mirroring.local_address,
                suffix=self._settings.host_suffix.encode(),
                timeout=self._settings.timeout,
            )
            shadows.append((self._edited(shadow), is_control(decision, mirror)))
        if shadows:
            for name in {name.lower() for name in recorded.redacted}:
                if name.encode("latin-1", "replace") not in self._names:
                    self.blanked[name] += 1
        return Planned(exchange, shadows)

    def _edited(self, shadow: ShadowRequest) -> ShadowRequest:
        if not self._choices.headers:
            return shadow
        kept = [each for each in shadow.headers if each[0].lower() not in self._names]
        for name, value in self._choices.headers:
            if name.lower() == b"host":
                shadow.authority = value
            else:
                kept.append((name, value))
        shadow.headers = tuple(kept)
        return shadow


def chance(seed: int, turn: Turn, of: str) -> random.Random:
    """Random numbers of a turn, the same in every replay with this seed, whenever mirrors answer."""
    return random.Random(f"{seed} {turn.number} {of}")


def _wanted(exchange: Exchange, recorded: Recorded) -> bool:
    """By `mirror-addon/when`."""
    rule = exchange.decision.rule
    text = rule.annotations.when if rule is not None and rule.annotations is not None else ""
    return not text or compile_when(text).at_end(recorded.flow)
