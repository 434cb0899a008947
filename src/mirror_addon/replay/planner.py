"""From a recorded request to its shadows: routed by the rules, changed as the command line says."""

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
from mirror_addon.routing.local_replies import is_grpc
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.control import is_control
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says of draws and shadows."""

    seed: int = 0
    draw: int | None = None
    """The random number of all requests; None: the recorded one where there is one, else one derived from the seed."""
    all_mirrors: bool = False
    """Mirror to every mirror of a rule, whatever the percentages."""
    headers: Headers = ()
    """Set on every shadow; they replace the fields of the same names. Host sets the authority."""
    faults: Faults = field(default_factory=Faults)


@dataclass(slots=True)
class Planned:
    """The decision for one turn, and its shadows."""

    exchange: Exchange
    shadows: list[tuple[ShadowRequest, bool]]
    """Each with whether it is a control pair."""


class Planner:
    """Builds shadows of recorded requests. Counts in the gate's counters; sends nothing."""

    def __init__(self, settings: Settings, table: RouteTable, gate: AdmissionGate, choices: Choices) -> None:
        self._settings = settings
        self._table = table
        self._gate = gate
        self._choices = choices
        self._names = frozenset(name.lower() for name, _ in choices.headers)
        self.missing: dict[str, str] = {}
        """Why mirrors have no endpoint and what gives them one, by label."""
        self.blanked: Counter[str] = Counter()
        """Requests sent without a header field that was redacted when they were recorded, by the field's name."""

    def plan(self, turn: Turn) -> Planned:
        """Route the turn's request and build its shadows."""
        recorded, choices = turn.recorded, self._choices
        number = chance(choices.seed, turn, "draw").getrandbits(64)
        draw = choices.draw if choices.draw is not None else recorded.draw if recorded.draw is not None else number
        decision = self._table.route(recorded.request, draw)
        if choices.all_mirrors:
            decision.mirrors = tuple(map(as_drawn, decision.mirrors))
        for mirror in decision.mirrors:
            if mirror.skipped == "no_endpoint":
                self.missing[mirror.cluster.label] = mirror.cluster.missing
        exchange = Exchange(self._table, recorded.request, draw, decision)
        self._gate.counters.request()
        instead = None if _wanted(exchange, recorded) else "when"
        shadows = []
        for mirror in self._gate.due(recorded.request, decision, instead=instead):
            shadow = shadow_request(
                exchange.decision.request or recorded.request,
                mirror,
                body=len(recorded.body),
                own_address=self._gate.local_address,
                suffix=self._settings.host_suffix.encode(),
                timeout=self._settings.timeout,
                grpc=is_grpc(recorded.request),
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
    """Random numbers of a turn for one purpose, the same in every replay with this seed."""
    return random.Random(f"{seed} {turn.number} {of}")


def _wanted(exchange: Exchange, recorded: Recorded) -> bool:
    """Whether the annotation `mirror-addon/when` of the rule, if any, matches the recorded exchange."""
    rule = exchange.decision.rule
    text = rule.annotations.when if rule is not None and rule.annotations is not None else ""
    return not text or compile_when(text).at_end(recorded.flow)
