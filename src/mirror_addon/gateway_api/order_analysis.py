"""Matches that no request reaches, because of the order in which Istio tries the matches of all routes of a host."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirror_addon.gateway_api.attachment import Attached
from mirror_addon.gateway_api.attachment import Attachment
from mirror_addon.gateway_api.precedence import match_request
from mirror_addon.gateway_api.precedence import rank
from mirror_addon.gateway_api.reasons import UNSUPPORTED_VALUE
from mirror_addon.gateway_api.resources.routes import RouteSpec
from mirror_addon.gateway_api.resources.routes import matches_of
from mirror_addon.gateway_api.resources.routes import rules_of
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import StringMatch

FindingsOf = Callable[[Resource[Any]], Findings]


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    route: Resource[RouteSpec]
    rule: int
    match: HTTPMatchRequest | None
    path: FieldPath

    def __str__(self) -> str:
        return f"{self.route.kind} {self.route.namespace}/{self.route.name} rules[{self.rule}]"


def find_unreached(routes: Sequence[tuple[Resource[RouteSpec], Attached]], findings_of: FindingsOf) -> None:
    """Find matches behind a catch-all and repeated ones. `routes` are sorted, the oldest first.

    A match of several hosts is reported once, where it is unreached at the first of them.
    """
    groups: dict[Attachment, list[_Place]] = {}
    for route, attached in routes:
        places = list(_places(route))
        for attachment in attached.attachments:
            groups.setdefault(attachment, []).extend(places)
    told: set[int] = set()
    for places in groups.values():
        catch_all: _Place | None = None
        seen: dict[Any, _Place] = {}
        for place in sorted(places, key=lambda place: rank(place.match)):
            first = catch_all or seen.setdefault(_conditions(place.match), place)
            if first is not place and id(place) not in told:
                told.add(id(place))
                _report(place, first, catch_all is not None, findings_of(place.route))
            if catch_all is None and is_catch_all(place.match):
                catch_all = place


def is_catch_all(match: HTTPMatchRequest | None) -> bool:
    """Whether Istio makes no routes after this match (`route.go`, `IsCatchAllRoute`)."""
    if match is None:
        return True
    if match.headers or match.query_params or match.method is not None:
        return False
    return match.uri is None or match.uri.prefix == "/" or match.uri.regex == ".*"


def _places(route: Resource[RouteSpec]) -> Iterator[_Place]:
    for index, rule in enumerate(rules_of(route.spec)):
        path: FieldPath = ("spec", "rules", index)
        for number, match in enumerate(matches_of(rule)):
            yield _Place(route, index, match_request(match), (*path, "matches", number))
        if not matches_of(rule):
            yield _Place(route, index, None, path)


def _report(place: _Place, first: _Place, behind: bool, findings: Findings) -> None:
    if not behind:
        findings.warning(
            place.path, f"is never reached: {first} has the same match; remove one", code=UNSUPPORTED_VALUE
        )
    elif place.match is not None and place.match.uri is not None and place.match.uri.regex is not None:
        findings.warning(
            place.path,
            f"is never reached in Istio, nor here: regular expressions come after all prefixes, and {first} matches "
            "everything; write prefixes, or narrow that one",
            code=UNSUPPORTED_VALUE,
        )
    else:
        findings.warning(
            place.path,
            f"is never reached: {first} matches everything before it; narrow that one",
            code=UNSUPPORTED_VALUE,
        )


def _conditions(match: HTTPMatchRequest | None) -> Any:
    """Return a comparable value that is equal for matches of the same requests."""
    if match is None:
        return None
    return (
        _string(match.uri),
        _string(match.method),
        frozenset((name, _string(value)) for name, value in match.headers.items()),
        frozenset((name, _string(value)) for name, value in match.query_params.items()),
    )


def _string(match: StringMatch | None) -> tuple[str | None, str | None, str | None] | None:
    return None if match is None else (match.exact, match.prefix, match.regex)
