"""A request that the mirror makes itself, to another service, with the primary's values in place of its own. Pure.

A value is translated as in shadows: where it stands in a place that names the same thing. In a path that is not
enough: `/payments/2007` names a payment, and 2007 may well be the mirror's order that is paid. Whether it is, only the
primary's calls can tell, so such paths are `others`: the primary may have asked for one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from itertools import islice
from itertools import product
from typing import NamedTuple

from mirror_addon.compare.twin_values import Translation
from mirror_addon.twin import requests
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.requests import PATH
from mirror_addon.twin.requests import Call
from mirror_addon.twin.requests import Spot
from mirror_addon.twin.requests import Value
from mirror_addon.twin.requests import rewritten
from mirror_addon.twin.twin_map import Entry
from mirror_addon.twin.twin_map import TwinMap

MOST_OTHERS = 8
_MOST_PRIMARIES = 3
"""For one segment."""

Change = tuple[Spot, str, Entry]
"""A place, the primary's value for it, and the entry that says so."""


class OtherPath(NamedTuple):
    """A path that the primary may have asked for, with all that is translated in it."""

    path: bytes
    translations: tuple[Translation, ...]


class AsPrimary(NamedTuple):
    """The request as the primary would make it, and what was replaced."""

    call: Call
    translations: tuple[Translation, ...] = ()
    others: tuple[OtherPath, ...] = ()


def as_primary(known: TwinMap, call: Call) -> AsPrimary:
    """A request of the mirror with the primary's values. One that holds nothing known is returned as it is."""
    changes: list[Change] = []
    unsure: list[tuple[Spot, list[tuple[str, Entry]]]] = []
    for spot in requests.spots(call, known.has_own) if len(known) else ():
        found = known.find_primary(spot.keys, _scope(known, spot.scope))
        if found is None and is_wide(spot.text):  # it is itself wherever it stands
            found = next(known.primaries(spot.text), None)
        if found is None and spot.part == PATH and spot.where.startswith("path["):
            unsure.append((spot, list(islice(known.primaries(spot.text), _MOST_PRIMARIES))))
        if found is not None and found[0] != spot.text:
            changes.append((spot, *found))
    others = tuple(islice(_others(call, changes, unsure), MOST_OTHERS)) if unsure else ()
    if not changes:
        return AsPrimary(call, (), others)
    return AsPrimary(rewritten(call, map(_value, changes)), tuple(map(_translation, changes)), others)


def _scope(known: TwinMap, scope: str | None) -> str:
    """What a value stands below, `order:2007`, by the primary's value: `order:1007`."""
    resource, _, text = (scope or "").partition(":")
    found = known.find_primary(((ID, resource, text),)) if text else None
    return f"{resource}:{found[0]}" if found is not None else scope or ""


def _others(
    call: Call, changes: Sequence[Change], unsure: Sequence[tuple[Spot, list[tuple[str, Entry]]]]
) -> Iterator[OtherPath]:
    certain = [each for each in changes if each[0].part == PATH]
    head = call._replace(headers=(), body=None)
    options = [[(spot, *each) for each in found if each[0] != spot.text] for spot, found in unsure]
    for chosen in product(*([*each, None] for each in options)):
        more = [each for each in chosen if each is not None]
        if more:
            all_changes = [*certain, *more]
            path = rewritten(head, map(_value, all_changes)).path
            yield OtherPath(path, tuple(map(_translation, all_changes)))


def _value(change: Change) -> tuple[Spot, Value]:
    spot, value, entry = change
    return spot, Value(value, entry.numbers[0] if spot.number == entry.numbers[1] else None)


def _translation(change: Change) -> Translation:
    spot, value, entry = change
    return Translation(spot.where, value, spot.text, entry.source)
