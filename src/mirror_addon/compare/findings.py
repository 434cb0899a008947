"""Findings: the causes of differences with the pairs and endpoints where they were met. Bounded in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from mirror_addon.compare.causes import Cause

MAX_FINDINGS = 300
"""Findings that are told apart. Pairs of further ones are counted in one more, `OTHER_CAUSES`."""
MAX_ENDPOINTS = 100
"""Endpoints of a finding that are named and counted."""
OTHER_CAUSES = Cause("(other differences)", "")
UNLISTED_CAUSE = Cause("(differences not listed)", "")

NEW, KNOWN, ACCEPTED, FIXED = "new", "known", "accepted", "fixed"


@dataclass(frozen=True, slots=True)
class Example:
    """One pair in which something differed."""

    id: str
    method: str
    url: str
    where: str
    kind: str
    primary: Any
    shadow: Any


@dataclass(slots=True)
class CauseTally:
    """The pairs of one cause. `accepted`: of them, those in which a rule accepted it."""

    cause: Cause
    example: Example | None
    pairs: int = 0
    accepted: int = 0
    endpoints: dict[str, int] = field(default_factory=dict)
    """Pairs by endpoint."""
    more_endpoints: bool = False

    def copy(self) -> CauseTally:
        endpoints = self.endpoints.copy()
        return CauseTally(self.cause, self.example, self.pairs, self.accepted, endpoints, self.more_endpoints)


@dataclass(frozen=True, slots=True)
class Finding:
    """`pairs` of the `compared` pairs differ for this cause. `state`: `new`, `known` (it was there before), `accepted`
    (a rule of `compare.yaml` names it), or `fixed` (it was there before only). `endpoints`: those with most pairs
    first."""

    cause: Cause
    pairs: int
    compared: int
    endpoints: tuple[str, ...]
    more_endpoints: bool
    example: Example | None
    state: str = NEW

    @property
    def id(self) -> str:
        return self.cause.id

    @property
    def share(self) -> float:
        return min(1.0, self.pairs / self.compared) if self.compared else 0.0

    @property
    def places(self) -> str:
        """The endpoint, or how many there are: `GET /users/{id}`, `12 endpoints`."""
        if len(self.endpoints) == 1 and not self.more_endpoints:
            return self.endpoints[0]
        return f"{'over ' if self.more_endpoints else ''}{len(self.endpoints)} endpoints"


class FindingsTally:
    """Counts the pairs of each cause."""

    def __init__(self) -> None:
        self._causes: dict[Cause, CauseTally] = {}

    def __len__(self) -> int:
        return len(self._causes)

    def copy(self) -> FindingsTally:
        made = FindingsTally()
        made._causes = {cause: tally.copy() for cause, tally in self._causes.items()}
        return made

    def add(
        self,
        cause: Cause,
        endpoint: str,
        example: Callable[[], Example | None],
        pairs: int = 1,
        *,
        accepted: bool = False,
    ) -> None:
        """Add pairs of an endpoint. `example` is called for the first of a cause."""
        tally = self._causes.get(cause)
        if tally is None:
            if len(self._causes) >= MAX_FINDINGS:
                cause = OTHER_CAUSES
            tally = self._causes.setdefault(cause, CauseTally(cause, example()))
        tally.pairs += pairs
        if accepted:
            tally.accepted += pairs
        if endpoint in tally.endpoints or len(tally.endpoints) < MAX_ENDPOINTS:
            tally.endpoints[endpoint] = tally.endpoints.get(endpoint, 0) + pairs
        else:
            tally.more_endpoints = True

    def findings(self, compared: int, accepted: Collection[str] = ()) -> list[Finding]:
        """The findings, those with most pairs first. `accepted`: ids that rules accept."""
        found = [
            Finding(
                each.cause,
                each.pairs,
                compared,
                tuple(sorted(each.endpoints, key=lambda name: (-each.endpoints[name], name))),
                each.more_endpoints,
                each.example,
                ACCEPTED if each.accepted == each.pairs or each.cause.id in accepted else NEW,
            )
            for each in self._causes.values()
        ]
        return in_order(found)


def headline(findings: Collection[Finding], differing: int) -> str:
    """`3 findings in 70 differing pairs (1 new, 2 known); 1 accepted, 2 fixed`; empty without findings."""
    numbers = Counter(each.state for each in findings)
    there = numbers[NEW] + numbers[KNOWN]
    if not findings:
        return ""
    text = f"{there} finding{'' if there == 1 else 's'} in {differing:,} differing pair{'' if differing == 1 else 's'}"
    if numbers[KNOWN] or numbers[FIXED]:
        text += f" ({numbers[NEW]} new, {numbers[KNOWN]} known)"
    others = [f"{numbers[state]} {state}" for state in (ACCEPTED, FIXED) if numbers[state]]
    return text + (f"; {', '.join(others)}" if others else "")


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Most pairs first."""
    return sorted(findings, key=lambda each: (-each.pairs, each.cause))


def against(now: Iterable[Finding], before: Iterable[Finding]) -> list[Finding]:
    """The findings of now, `known` where they were there before, and after them those that are `fixed`."""
    now, before = list(now), list(before)
    ids, earlier = {each.id for each in now}, {each.id for each in before}
    states = [replace(each, state=KNOWN) if each.state == NEW and each.id in earlier else each for each in now]
    return states + [replace(each, state=FIXED) for each in before if each.id not in ids]
