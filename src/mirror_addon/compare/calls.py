"""The calls that the mirror made to other services, beside the primary's: as the record has them, and as differences.

A sandbox (`mirror_sandbox`) answers the mirror's calls with what the primary's were answered. A pair differs if the
mirror's calls do, whatever it responded: each cause is a difference of the kind `call`, whose path names the call and
the field, `call:POST payments.test/charges $.amount`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

from mirror_addon.compare.causes import CALL
from mirror_addon.compare.causes import general
from mirror_addon.compare.causes import ids_of
from mirror_addon.compare.comparison import MAX_DIFFERENCES
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.differences import ACCEPTED
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.paths import root_place
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import twin_rows

ANSWERED, DIFFERENT, BLOCKED, PASSED, MISSING = "answered", "different", "blocked", "passed", "missing"
STATES = (ANSWERED, DIFFERENT, BLOCKED, PASSED, MISSING)
"""`answered` and `different`: as the primary was answered, and the mirror's request was the same or another one.
`blocked`, `passed`: the primary made no such call, or its response was not kept (`note`). `missing`: only the primary
made it."""


class Call(NamedTuple):
    """One call. `differences`: of its request. `note`: what a person should know of it, or empty. `twin`: the values of
    the mirror that were read as the primary's (`mirror_twin`). `primary_url`: of the primary's call, where its path is
    another one."""

    method: str
    url: str
    state: str
    differences: tuple[Difference, ...] = ()
    note: str = ""
    twin: tuple[Translation, ...] = ()
    primary_url: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As the record has it."""
        row: dict[str, Any] = {
            "method": self.method,
            "url": self.url,
            "state": self.state,
            "differences": [
                {name: getattr(each, name) for name in ("path", "kind", "primary", "shadow", "noise", "where")}
                for each in self.differences
            ],
        }
        more = {"note": self.note, "primary_url": self.primary_url, "twin": twin_rows(self.twin)}
        return row | {name: value for name, value in more.items() if value}

    @classmethod
    def from_dict(cls, row: Any) -> Call:
        """Raises LookupError, TypeError or ValueError for what is no call."""
        method, url, state, note = str(row["method"]), str(row["url"]), str(row["state"]), str(row.get("note", ""))
        twin = tuple(
            Translation(*(str(each[name]) for name in ("where", "primary", "shadow", "from")))
            for each in row.get("twin", ())
        )
        differences = tuple(Difference(**each) for each in row["differences"])
        return cls(method, url, state, differences, note, twin, str(row.get("primary_url", "")))


def calls_of(rows: Any) -> tuple[Call, ...]:
    """The calls that were written with `as_dict`. Raises what `from_dict` raises."""
    return tuple(map(Call.from_dict, rows))


def call_differences(calls: Iterable[Call]) -> list[Difference]:
    """The differences of a pair by its calls, one for each path."""
    found: dict[str, Difference] = {}
    for call in calls:
        place, made = place_of(call), f"{call.method} {call.url}"
        if call.state == MISSING:
            found.setdefault(place, Difference(place, CALL, made, None, where=made))
        elif call.state in (BLOCKED, PASSED) and not call.note:
            found.setdefault(place, Difference(place, CALL, None, made, where=made))
        for each in call.differences:
            if not each.noise:
                path = f"{place} {general(each.path)}"
                where = f"{made} {each.where or each.path}"
                found.setdefault(path, Difference(path, CALL, each.primary, each.shadow, where=where))
    return list(found.values())


def place_of(call: Call) -> str:
    """`call:POST payments.test/charges/{id}`: what calls of the same kind share."""
    try:
        host = urlsplit(call.url).netloc
    except ValueError:
        host = ""
    return f"call:{call.method} {host}{endpoint_of('', call.url)}"


def judged(
    differences: Sequence[Difference], active: Sequence[PathRule], accepted: Iterable[str], endpoint: str
) -> list[Difference]:
    """Differences by calls, with the reason of those that do not count by a rule for their path or their finding."""
    patterns = tuple(rule.pattern for rule in active)
    taken = frozenset(accepted)
    found = []
    for each, id in zip(differences, ids_of(differences, endpoint), strict=True):
        place = root_place(each.path, patterns)
        ignored = any(active[number].ignore for number in (*place.above, *place.rules))
        found.append(replace(each, noise="ignored" if ignored else ACCEPTED if id in taken else ""))
    return found


def with_calls(
    comparison: Comparison,
    calls: Sequence[Call],
    rules: Rules,
    *,
    method: str,
    url: str,
    operation: str = "",
    endpoint: str = "",
) -> Comparison:
    """The comparison of a pair with what its calls add. One without a verdict on the responses stays as it is.
    `endpoint`: of the pair, if it is known."""
    if comparison.verdict not in ("same", "noise", "different"):
        return comparison
    endpoint = endpoint or endpoint_of(method, url, operation)
    added = judged(call_differences(calls), rules.applying(method, url, operation), rules.accepted, endpoint)
    if not added:
        return comparison
    differences = sorted((*added, *comparison.differences), key=lambda each: bool(each.noise))
    counts = comparison.verdict == "different" or any(not each.noise for each in added)
    more = comparison.more + len(differences[MAX_DIFFERENCES:])
    verdict = "different" if counts else "noise"
    return replace(comparison, verdict=verdict, differences=tuple(differences[:MAX_DIFFERENCES]), more=more)
