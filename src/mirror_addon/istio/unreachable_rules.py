"""Rules and matches that no request reaches, because an earlier one matches it (IST0130, IST0131)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.istio.resources.virtual_service import TCPRoute
from mirror_addon.istio.resources.virtual_service import TLSRoute

UNREACHABLE = "IST0130"
INEFFECTIVE = "IST0131"
_MOST_COMPARED = 1000
"""Earlier matches with the same prefix that a match is compared with; more would take too long for a hint."""

_Conditions = frozenset[tuple[Any, ...]]


def find_unreachable(routes: Sequence[HTTPRoute], findings: Findings) -> None:
    first_open: int | None = None
    used: dict[tuple[Any, ...], int] = {}
    prefixes = _Prefixes()
    for number, route in enumerate(routes):
        path = ("spec", "http", number)
        if first_open is not None:
            findings.warning(
                path,
                f"is never reached: {_name(routes, first_open)} above it has no match, so every request matches it; "
                "put that one last",
                code=UNREACHABLE,
            )
        if not route.match:
            first_open = number if first_open is None else first_open
            continue
        duplicates = 0
        for index, match in enumerate(route.match):
            conditions = _conditions(match)
            here = (*path, "match", index)
            same = (_string(match.uri), match.ignore_uri_case, match.port, match.method is None, conditions)
            if same in used:
                duplicates += 1
                first = _name(routes, used[same])
                findings.info(here, f"never matches: {first} has the same match above; remove one", code=INEFFECTIVE)
                continue
            used[same] = number
            if (covering := prefixes.covering(match, conditions)) is not None:
                findings.info(
                    here,
                    f"never matches: the prefix in {_name(routes, covering)} covers it; put this rule before that one",
                    code=INEFFECTIVE,
                )
            prefixes.add(match, conditions, number)
        if duplicates == len(route.match) and first_open is None:
            findings.warning(path, "is never reached: rules above it have all its matches; remove it", code=UNREACHABLE)


def find_unreachable_l4(name: str, routes: Sequence[TCPRoute | TLSRoute], findings: Findings) -> None:
    """Find rules of `tcp` or `tls` after one that takes every connection, and matches that stand above already."""
    first_open: int | None = None
    used: dict[str, int] = {}
    for number, route in enumerate(routes):
        path: FieldPath = ("spec", name, number)
        if first_open is not None:
            findings.warning(
                path,
                f"is never reached: {name}[{first_open}] above it has no match, so every connection matches it; "
                "put that one last",
                code=UNREACHABLE,
            )
            continue
        if not route.match:
            first_open = number
            continue
        duplicates = 0
        for index, match in enumerate(route.match):
            text = json.dumps(match.model_dump(), sort_keys=True)
            if text in used:
                duplicates += 1
                findings.info(
                    (*path, "match", index),
                    f"never matches: {name}[{used[text]}] has the same match above; remove one",
                    code=INEFFECTIVE,
                )
            used.setdefault(text, number)
        if duplicates == len(route.match):
            findings.warning(path, "is never reached: rules above it have all its matches; remove it", code=UNREACHABLE)


def _name(routes: Sequence[HTTPRoute], number: int) -> str:
    name = routes[number].name
    return f"http[{number}] ({name})" if name else f"http[{number}]"


def _string(match: StringMatch | None) -> tuple[str | None, str | None, str | None] | None:
    return None if match is None else (match.exact, match.prefix, match.regex)


def _conditions(match: HTTPMatchRequest) -> _Conditions:
    """Return the conditions of a match other than uri and port, each as one comparable value."""
    found: list[tuple[Any, ...]] = []
    # Istio treats a missing method as GET in this check (validation.go).
    method = _string(match.method) or ("GET", None, None)
    found.append(("method", method))
    for name, condition in (("scheme", match.scheme), ("authority", match.authority)):
        if condition is not None:
            found.append((name, _string(condition)))
    for name, conditions in (
        ("headers", match.headers),
        ("withoutHeaders", match.without_headers),
        ("queryParams", match.query_params),
    ):
        for key, condition in conditions.items():
            found.append((name, key, _string(condition)))
    if match.gateways:
        found.append(("gateways", match.gateways))
    else:
        if match.source_namespace:
            found.append(("sourceNamespace", match.source_namespace))
        for key, value in match.source_labels.items():
            found.append(("sourceLabels", key, value))
    return frozenset(found)


class _Prefixes:
    """The prefix matches so far.

    An earlier match covers a later one if its prefix begins the later prefix and its conditions are a subset of the
    later conditions. To compare each pair would take quadratic time, so the matches are found in a dict: by each
    beginning of the prefix, and by the subsets of the conditions where those are fewer than the known matches.
    """

    def __init__(self) -> None:
        self._rules: dict[tuple[str, int, bool], dict[_Conditions, int]] = {}
        self._lengths: set[int] = set()

    def add(self, match: HTTPMatchRequest, conditions: _Conditions, number: int) -> None:
        if match.uri is not None and match.uri.prefix is not None:
            key = (match.uri.prefix, match.port, match.ignore_uri_case)
            self._rules.setdefault(key, {}).setdefault(conditions, number)
            self._lengths.add(len(match.uri.prefix))

    def covering(self, match: HTTPMatchRequest, conditions: _Conditions) -> int | None:
        if match.uri is None or match.uri.prefix is None:
            return None
        prefix = match.uri.prefix
        for length in self._lengths:
            if length >= len(prefix):  # Istio does not compare equal prefixes
                continue
            rules = self._rules.get((prefix[:length], match.port, match.ignore_uri_case))
            if rules is not None:
                for known in self._candidates(rules, conditions):
                    if known in rules:
                        return rules[known]
        return None

    @staticmethod
    def _candidates(rules: dict[_Conditions, int], conditions: _Conditions) -> Iterator[_Conditions]:
        if len(rules) < 1 << min(len(conditions), 10):
            return (known for known in itertools.islice(rules, _MOST_COMPARED) if known <= conditions)
        chosen = sorted(conditions, key=repr)[:10] if len(conditions) > 10 else list(conditions)
        sizes = range(len(chosen) + 1)
        return (frozenset(subset) for size in sizes for subset in itertools.combinations(chosen, size))
