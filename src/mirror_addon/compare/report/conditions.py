"""Conditions of `--fail-on`, which make a report fail.

    [each] MEASURE  >|>=|<|<=  VALUE

    differing, failed, dropped   0.1%  a share (of the compared pairs; of all requests)    5  a number
    compared, requests           1000  a number
    new, known, fixed, accepted, findings   0  a number of findings
    p50, p95, p99                1.2x  ratio of shadow to primary    250ms or 2s  the shadow's time    +20ms  difference

A condition is checked for each target as a whole, with `each` for every endpoint; one on findings over all targets.
Estimates are compared, not the ends of their intervals, so that the number in the message is the one that was
compared. Where the speed of the two sides cannot be compared (`speed`), ratios and differences cannot be judged; times
that differ less than can be measured have the ratio 1.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass

from mirror_addon.compare.findings import KNOWN
from mirror_addon.compare.findings import NEW
from mirror_addon.compare.report.speed import is_within_resolution
from mirror_addon.compare.report.summary import Part
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.wording import count
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.report.wording import duration
from mirror_addon.compare.report.wording import interval_text
from mirror_addon.compare.report.wording import percent
from mirror_addon.compare.report.wording import ratio_text
from mirror_addon.compare.report.wording import share_text
from mirror_addon.compare.report.wording import signed
from mirror_addon.compare.report.wording import target_name
from mirror_addon.display.text import printable

SHARES = ("differing", "failed", "dropped")
COUNTS = ("compared", "requests")
FINDINGS = ("new", "known", "fixed", "accepted", "findings")
"""Findings by their state; `findings` are those that are there and not accepted."""
ALL_TARGETS = "all targets"
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
UNITS = {
    **dict.fromkeys(SHARES, ("%", "")),
    **dict.fromkeys((*COUNTS, *FINDINGS), ("",)),
    **dict.fromkeys(QUANTILES, ("x", "ms", "s", "+ms", "+s")),
}
_NAMED = 5
"""Findings that are named in what was found."""
_COMPARING = ("x", "+ms", "+s")
"""Units of both times together."""
_EXAMPLES = {"%": "0.1%", "": "5", "x": "1.2x", "ms": "250ms", "s": "2s", "+ms": "+20ms", "+s": "+1s"}
_FORM = re.compile(
    r"\s*(?:(each)\s+)?([a-z]\w*)\s*(>=|<=|>|<)\s*(\+?)\s*(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})\s*(%|x|ms|s)?\s*",
    re.ASCII,
)


class ConditionError(ValueError):
    """The text is not a condition. The message says why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class FailCondition:
    """`text`: as it was given. `unit`: one of UNITS of the measure; with a leading `+` for shadow minus primary."""

    text: str
    each: bool
    measure: str
    operator: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A condition checked for an endpoint, or for a whole target if `endpoint` is empty.

    `holds`: None if there is nothing to measure. `found`: the measured value in words, or why there is none.
    """

    condition: FailCondition
    target: str
    endpoint: str
    holds: bool | None
    found: str

    @property
    def failed(self) -> bool:
        """Whether the report fails. It also does if there is nothing to measure."""
        return self.holds is not False

    def __str__(self) -> str:
        where = f"{self.target}, {self.endpoint}" if self.endpoint else self.target
        if self.holds is None:
            return f"{self.condition.text!r} cannot be judged for {where}: {self.found}"
        return f"{self.condition.text!r} {'holds' if self.holds else 'does not hold'} for {where}: {self.found}"


def parse_condition(text: str) -> FailCondition:
    """Parse a condition. Raises ConditionError."""
    match = _FORM.fullmatch(text)
    measures = ", ".join(UNITS)
    if match is None:
        raise ConditionError(
            f"{text!r} is not a condition; write [each] MEASURE > VALUE with MEASURE one of {measures}, "
            "and >, >=, < or <=, for example 'differing > 0.1%', 'p95 > 1.2x', 'each failed > 5'"
        )
    each, measure, sign, plus, number, unit = match.groups()
    if measure not in UNITS:
        raise ConditionError(f"{text!r}: unknown measure {measure!r}; the measures are {measures}")
    unit = plus + (unit or "")
    if unit not in UNITS[measure]:
        forms = ", ".join(_EXAMPLES[known] for known in UNITS[measure])
        raise ConditionError(f"{text!r}: {measure} takes values such as {forms}")
    if unit == "%" and float(number) > 100:
        raise ConditionError(f"{text!r}: a share is at most 100%")
    return FailCondition(" ".join(text.split()), each is not None, measure, sign, float(number), unit)


def judge(conditions: list[FailCondition], summary: Summary) -> Iterator[Outcome]:
    """Check every condition for every target, or for its endpoints. Those on findings come last."""
    of_findings = [each for each in conditions if each.measure in FINDINGS]
    for target in summary.targets:
        name = target_name(target)
        for condition in conditions:
            if condition in of_findings:
                continue
            for part in target.endpoints if condition.each else (target.total,):
                yield ask(condition, name, part)

    endpoints = dict.fromkeys(part.name for target in summary.targets for part in target.endpoints)
    for condition in of_findings if summary.targets else ():
        for endpoint in endpoints if condition.each else ("",):
            yield _ask_findings(condition, summary, endpoint)


def _ask_findings(condition: FailCondition, summary: Summary, endpoint: str) -> Outcome:
    """Check a condition for the findings at an endpoint, or for all of them."""
    if not summary.compared:
        return Outcome(condition, ALL_TARGETS, printable(endpoint), None, "no responses were compared")
    states = (NEW, KNOWN) if condition.measure == "findings" else (condition.measure,)
    found = [each for each in summary.findings if each.state in states and (not endpoint or endpoint in each.endpoints)]
    names = "".join(f"; {each.id} {printable(each.cause.title)}" for each in found[:_NAMED])
    more = f" and {count(len(found) - _NAMED)} more" if len(found) > _NAMED else ""
    holds = OPERATORS[condition.operator](len(found), condition.value)
    text = f"{condition.measure} {count(len(found))}{names}{more}"
    return Outcome(condition, ALL_TARGETS, printable(endpoint), holds, text)


def ask(condition: FailCondition, target: str, part: Part) -> Outcome:
    """Check a condition for one part of the report."""
    measured = _measure(condition, part)
    if measured is None:
        missing = "no pair has both times" if condition.measure in QUANTILES else "no responses were compared"
        if part.latency is not None and condition.measure in QUANTILES:
            missing = f"{part.latency.obstacle or 'one of the times is 0'}, so speed is not compared"
        if not part.compared and not part.uncompared:
            missing = f"none of {counted(part.requests, 'shadow')} got a response"
        return Outcome(condition, target, printable(part.name), None, missing)
    value, found = measured
    return Outcome(
        condition, target, printable(part.name), OPERATORS[condition.operator](value, condition.value), found
    )


def _measure(condition: FailCondition, part: Part) -> tuple[float, str] | None:
    """The value in the condition's unit, and the same in words. None if there is nothing to measure."""
    measure = condition.measure
    if measure in COUNTS:
        number: int = getattr(part, measure)
        return number, f"{measure} {count(number)}"
    if not part.compared and not part.uncompared:
        return None
    if measure in QUANTILES:
        return _measure_latency(condition, part)
    number = getattr(part, measure)
    total = part.compared if measure == "differing" else part.requests
    if not total:
        return None
    share = share_text(part.share) if measure == "differing" else percent(number / total)
    found = f"{measure} {count(number)} of {count(total)}, {share}"
    return (number / total * 100 if condition.unit == "%" else number), found


def _measure_latency(condition: FailCondition, part: Part) -> tuple[float, str] | None:
    if part.latency is None:
        return None
    at = part.latency.at(QUANTILES[condition.measure])
    found = f"{condition.measure} {duration(at.shadow)} against {duration(at.primary)}"
    if condition.unit in _COMPARING and part.latency.obstacle:
        return None
    if condition.unit == "x":
        if is_within_resolution(at):
            return 1.0, f"{found}: as fast, as far as can be measured"
        return (at.ratio.value, f"{found}, {ratio_text(at.ratio)}") if at.ratio else None
    factor = 1000 if condition.unit.endswith("s") and not condition.unit.endswith("ms") else 1
    if condition.unit.startswith("+"):
        value = at.difference.value / factor
        return value, f"{found}, {signed(at.difference.value)} ({interval_text(at.difference)})"
    return at.shadow / factor, found
