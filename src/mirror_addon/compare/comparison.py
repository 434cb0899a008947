"""Two answers compared."""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.bodies import compare_bodies
from mirror_addon.compare.bodies import read_body
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.findings import ControlNoise
from mirror_addon.compare.findings import Findings
from mirror_addon.compare.headers import compare_headers
from mirror_addon.compare.headers import values_by_name
from mirror_addon.compare.moments import moment
from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.shapes import Sides

MAX_DIFFERENCES = 100
"""Differences that a comparison lists."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it. `verdict`: `same`, `different`, `noise` (all differences are), `failed` (the shadow got no
    complete answer), or None where nothing of the answers was kept. `differences`: those that count first. `more`:
    differences beyond those listed.
    """

    verdict: str | None
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    more: int = 0


def compare(
    primary: Answer,
    shadow: Answer,
    rules: Rules = DEFAULT_RULES,
    *,
    control: Answer | None = None,
    method: str = "",
    url: str = "",
    now: float | None = None,
    primary_now: float | None = None,
) -> Comparison:
    """Compare a pair. Nothing that stands in the answers makes it raise.

    `control`: another answer of the primary to the same request; where it differs from the first one, differences are
    noise. `method`, `url`: of the request, for rules that name an endpoint; an id that stands in the URL is no noise.
    `now`: seconds since the epoch when the answers were made, `primary_now` for the primary's if that was another time.
    """
    if shadow.error or shadow.status is None:
        return Comparison("failed")
    if not (primary.headers or shadow.headers) and primary.body is None and shadow.body is None:
        return Comparison(None)
    active = rules.applying(method, url)
    if control is not None and (control.error or control.status is None):
        control = None
    noise = None
    if control is not None:
        moment_of_primary = now if primary_now is None else primary_now
        own = _Pair(primary, control, url, moment_of_primary, moment_of_primary)
        noise = own.findings(rules, active, None).as_control()
    pair = _Pair(primary, shadow, url, now if primary_now is None else primary_now, now)
    findings = pair.findings(rules, active, noise)
    differences, more = findings.listed(MAX_DIFFERENCES)
    return Comparison(findings.verdict(), differences, tuple(dict.fromkeys(findings.notes)), more)


class _Pair:
    def __init__(
        self, primary: Answer, shadow: Answer, url: str, primary_now: float | None, shadow_now: float | None
    ) -> None:
        self._primary = primary
        self._shadow = shadow
        self._notes: list[str] = []
        self._bodies = [
            read_body(answer, side, self._notes) for side, answer in (("primary", primary), ("shadow", shadow))
        ]
        there, here = self._bodies
        self._sides = Sides(_moments(primary, primary_now), _moments(shadow, shadow_now), there.text, here.text, url)

    def findings(self, rules: Rules, active: tuple[PathRule, ...], noise: ControlNoise | None) -> Findings:
        primary, shadow = self._primary, self._shadow
        found = Findings(active, Shapes(self._sides) if rules.shapes else None, noise)
        if primary.status != shadow.status:
            kind = "value" if primary.status is not None else "extra"
            found.add(found.place("status"), kind, primary.status, shadow.status, lambda: "status")
        if primary.status is None or primary.error:
            found.notes.append(f"the primary gave no complete answer: {primary.error or 'none'}")
            return found
        compare_headers(found, primary.headers, shadow.headers)
        if primary.body is None or shadow.body is None:
            sides = [side for side, answer in (("primary", primary), ("shadow", shadow)) if answer.body is None]
            found.notes.append(f"body not compared: that of {' and '.join(sides)} was not kept")
            return found
        found.notes += self._notes
        compare_bodies(found, *self._bodies)
        return found


def _moments(answer: Answer, now: float | None) -> tuple[float, ...]:
    """When an answer was made: as it says itself, and as is known."""
    dates = values_by_name(answer.headers).get("date", [])
    said = [found.seconds for date in dates[:1] if (found := moment(date))]
    return tuple(said if now is None else [now, *said])
