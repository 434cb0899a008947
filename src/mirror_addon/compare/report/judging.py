"""Judge the lines of a record anew, by other rules: `mirror-addon report --compare compare.yaml`.

Where the line has both responses they are compared again. Where it has not, only rules that need no values apply:
accepted findings, and `ignore` and `unordered`, to the differences that the line lists.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import judged
from mirror_addon.compare.causes import CALL
from mirror_addon.compare.causes import ids_of
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.differences import ACCEPTED
from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.paths import PathError
from mirror_addon.compare.paths import Place
from mirror_addon.compare.paths import pattern
from mirror_addon.compare.paths import root_place
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import KeptSide
from mirror_addon.compare.report.lines import ListedDifference
from mirror_addon.compare.report.tally import endpoint_of_line
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.twin_values import PRIMARY_ID

_BY_RULE = frozenset(("ignored", "presence", "regex", "tolerance", "unordered", "accepted"))
"""Reasons that the rules of that time gave."""
_OF_CONTEXT = frozenset(("control", "echo", "new_id", "nonce", "twin"))
"""Reasons that need more than the two responses, so they are kept."""


class JudgedLine(KeptLine, frozen=True, gc=False):
    """A line with both responses."""

    shadow: KeptSide


class Judge:
    """Judges lines by `rules`. `anew` and `listed` count those that were compared again, and those that were not
    because the record has no bodies."""

    def __init__(self, rules: Rules) -> None:
        self.anew = 0
        self.listed = 0
        self._rules = rules
        self._of_places = tuple(each for each in rules.rules if each.ignore or each.unordered)

    def lines(self, lines: Iterable[JudgedLine]) -> Iterator[JudgedLine]:
        return map(self.line, lines)

    def line(self, line: JudgedLine) -> JudgedLine:
        """The line with the verdict and the differences that the rules give."""
        if line.verdict not in ("same", "noise", "different"):
            return line
        comparison = self._anew(line)
        if comparison is None:
            if not line.differences:
                return line
            self.listed += 1
            comparison = self._by_list(line)
        else:
            self.anew += 1
        listed = tuple(
            ListedDifference(each.path, each.kind, each.primary, each.shadow, each.noise, each.where)
            for each in comparison.differences
        )
        verdict: Any = comparison.verdict
        return msgspec.structs.replace(line, verdict=verdict, differences=listed, more=comparison.more)

    def _anew(self, line: JudgedLine) -> Comparison | None:
        """Compare the responses again. None if the line has not both of them."""
        if line.primary.body is None or line.shadow.body is None:
            return None
        try:
            primary, shadow = _answer(line.primary), _answer(line.shadow)
        except ValueError:
            return None
        now = line.start or None
        operation = _operation(endpoint_of_line(line))
        found = compare(primary, shadow, self._rules, method=line.method, url=line.url, operation=operation, now=now)
        kept = {(each.path, each.kind): each for each in line.differences if each.noise in _OF_CONTEXT}
        blanked = {f"header:{name.lower()}" for name, value in line.primary.headers if value == REDACTED.decode()}
        differences = [_difference(each) for each in line.differences if each.path in blanked]
        differences += self._of_twin(line)
        for each in found.differences:
            if each.path not in blanked:
                before = kept.get((each.path, each.kind))
                differences.append(replace(each, noise=before.noise) if before and not each.noise else each)
        differences = [*self._of_calls(line, operation), *differences]
        unlisted = found.more > 0 and found.verdict == "different"
        return Comparison(_verdict(differences, unlisted=unlisted), tuple(differences), (), found.more)

    def _of_calls(self, line: JudgedLine, operation: str) -> list[Difference]:
        """The differences of the calls that both sides made, which are not in the responses."""
        differences = [_difference(each) for each in line.differences if each.kind == CALL]
        active = self._rules.applying(line.method, line.url, operation)
        return judged(differences, active, self._rules.accepted, endpoint_of_line(line))

    def _of_twin(self, line: JudgedLine) -> list[Difference]:
        """The primary's ids in the mirror's response: that they are wrong cannot be seen in two equal values."""
        found = tuple(each for each in line.differences if each.kind == PRIMARY_ID)
        return list(self._by_list(msgspec.structs.replace(line, differences=found)).differences) if found else []

    def _by_list(self, line: JudgedLine) -> Comparison:
        """Judge the listed differences by their paths."""
        endpoint = endpoint_of_line(line)
        active = tuple(each for each in self._of_places if each.applies(line.method, line.url, _operation(endpoint)))
        cut = line.more > 0 and not line.differences[-1].noise
        unlisted = line.verdict == "different" and (cut or all(each.noise for each in line.differences))
        differences = [_difference(each) for each in line.differences]
        for number, each in enumerate(differences):
            noise = "" if each.noise in _BY_RULE else each.noise
            differences[number] = replace(each, noise=noise or _by_place(each, active))
        counting = [number for number, each in enumerate(differences) if not each.noise]
        for number, id in zip(counting, ids_of([differences[at] for at in counting], endpoint), strict=True):
            if id in self._rules.accepted:
                differences[number] = replace(differences[number], noise=ACCEPTED)
        return Comparison(_verdict(differences, unlisted=unlisted), tuple(differences), (), line.more)


def _verdict(differences: list[Difference], *, unlisted: bool) -> str:
    """`unlisted`: differences that are not listed count."""
    if unlisted or any(not each.noise for each in differences):
        return "different"
    return "noise" if differences else "same"


def _operation(endpoint: str) -> str:
    """The GraphQL operation in an endpoint, or empty."""
    return endpoint.partition(" ")[2].partition(" ")[2]


def _by_place(difference: Difference, active: tuple[PathRule, ...]) -> str:
    """Why a difference does not count by rules that need no values, or empty."""
    place = _place(difference, active)
    if any(active[number].ignore for number in (*place.above, *place.rules)):
        return "ignored"
    unordered = difference.kind == "order" and any(active[number].unordered for number in place.rules)
    return "unordered" if unordered else ""


def _difference(each: ListedDifference) -> Difference:
    return Difference(each.path, each.kind, each.primary, each.shadow, each.noise, each.where)


def _place(difference: Difference, active: tuple[PathRule, ...]) -> Place:
    """The place of a listed difference, by its exact path where it has one."""
    patterns = tuple(each.pattern for each in active)
    for text in (difference.where, difference.path):
        try:
            found = pattern(text)
        except PathError:
            continue
        if found.root not in ("$", "/"):
            break
        place = root_place("$" if found.root == "$" else "", patterns)
        for step in found.steps:
            place = place.below(str(step.key)) if isinstance(step.key, str) else place.element(step.key or 0)
        return place
    return root_place(difference.path, patterns)


def _answer(side: KeptSide) -> Answer:
    """The response. Raises ValueError if its body is not in its encoding."""
    headers = tuple((_raw(name), _raw(value)) for name, value in side.headers)
    body = side.body or ""
    content = base64.b64decode(body, validate=True) if side.encoding == "base64" else body.encode()
    # A body that was kept whole may have another length than on the wire, because something was left out of it.
    size = side.bytes if side.cut else len(content)
    return Answer(side.status, headers, content, size, side.ms, ended=not side.cut or size > len(content))


def _raw(text: str) -> bytes:
    return text.encode("latin-1", "replace")
