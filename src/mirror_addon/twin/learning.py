"""What a pair of responses teaches: which value of the mirror stands for which value of the primary. Pure.

Theory of operation. Both responses are read side by side. Where they hold different values at the same place, and the
place names something (`names`), the mirror's value may stand for the primary's. How sure that is depends on the
request:

- **Made.** The request makes something (POST, PUT, PATCH), both sides did so, and neither value was in the request: the
  values are new. They are learned, and are the same thing in this comparison already.
- **Given.** Cookies, tokens and ETags are whatever their server says, whatever the method: they are learned.
- **Seen.** In a response to GET the same thing has two ids: an object whose other values are equal, of which there is
  no second one. They are learned for translation; in a comparison they count as the same from the second pair on, since
  the first could as well be a fault of the mirror. They count at once where the request had a cookie or a token of the
  mirror's own: what belongs to such a session, as a cart does, was made for it.

Elements of lists are paired by their other values, never by their place alone, unless all of them agree. What
contradicts something that was made is not learned: it is a difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.paths import member
from mirror_addon.compare.timestamps import parse_timestamp
from mirror_addon.twin import responses
from mirror_addon.twin.json_spots import MAX_DEPTH
from mirror_addon.twin.json_spots import below
from mirror_addon.twin.json_spots import holds
from mirror_addon.twin.json_spots import names_something
from mirror_addon.twin.json_spots import scalar_text
from mirror_addon.twin.names import TOKEN
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import endpoint_resource
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.names import type_resource
from mirror_addon.twin.naming import Known
from mirror_addon.twin.naming import Situation
from mirror_addon.twin.naming import is_complete
from mirror_addon.twin.responses import Side
from mirror_addon.twin.urls import parent_scope

MADE, GIVEN, SEEN = "made", "given", "seen"
_MAX_OBSERVED = 5000
"""Values of one pair."""
_MAX_ELEMENTS = 2000
_LONGEST_TIME = 40


class Observed(NamedTuple):
    """Two values at one place that names something. `how`: MADE, GIVEN, SEEN, or empty: not to be learned here."""

    path: str
    """As in a difference of the two responses."""
    keys: tuple[Key, ...]
    scope: str
    primary: str
    shadow: str
    numbers: tuple[bool, bool] = (False, False)
    """Whether each of them is a number in JSON."""
    how: str = ""
    listed: bool = False
    """In an element of a list."""


def _any_text(_: str) -> bool:
    return True


Objects = tuple["Objects", dict[str, Any], dict[str, Any]] | None
"""The objects around a value on both sides, the inner ones first."""


def observe(situation: Situation, primary: Side, shadow: Side, known: Known = _any_text) -> Iterator[Observed]:
    """Yield where two complete responses name different values, and equal ones where something was made: those that
    are `known`, at least."""
    yield from _given(situation, primary, shadow)
    if not is_complete(primary) or not is_complete(shadow) or primary.kind != shadow.kind:
        return
    made = MADE if situation.makes else ""
    if primary.location and shadow.location:
        how = made or (GIVEN if primary.kind == 3 else "")
        yield from _urls("header:location", primary.location, shadow.location, how, situation)
    equal = primary.answer.body == shadow.answer.body
    if equal and not made:
        return
    body, other = primary.body, shadow.body
    if equal and body.form == "json" and not holds(body.document, known):
        return
    if body.form != other.form or not body.form:
        return
    if body.form == "html":
        tokens, others = responses.html_tokens(body.text), responses.html_tokens(other.text)
        for name in tokens.keys() & others.keys():
            text = tokens[name]
            yield Observed("", ((TOKEN, "", text),), "", text, others[name], how=GIVEN)
    elif (one := responses.single_id(body)) and (two := responses.single_id(other)):
        if keys := responses.single_keys(one, endpoint_resource(situation.target)):
            scope = parent_scope(situation.target) if keys[0][1] else ""
            numbers = type(body.document) is int, type(other.document) is int
            how = made if situation.is_new(keys, two) else ""
            yield Observed("$" if body.form == "json" else "body", keys, scope, one, two, numbers, how)
    elif body.form == "json":
        yield from _Documents(situation).pair(body.document, other.document)


def _given(situation: Situation, primary: Side, shadow: Side) -> Iterator[Observed]:
    mine, its = primary.cookies, shadow.cookies
    for name in mine.keys() & its.keys() if mine else ():
        text = mine[name]
        yield Observed("header:set-cookie", responses.cookie_keys(name, text), "", text, its[name], how=GIVEN)
    one = responses.etag(primary.answer, situation.target)
    other = responses.etag(shadow.answer, situation.target) if one is not None else None
    if one is not None and other is not None:
        yield Observed("header:etag", (one,), "", one[2], other[2], how=GIVEN)


def _urls(path: str, ours: str, theirs: str, how: str, situation: Situation) -> Iterator[Observed]:
    for spot, value in responses.paired_segments(ours, theirs):
        keys = spot.keys[:1]
        if keys:
            found = how if situation.is_new(keys, value) else ""
            yield Observed(path, keys, spot.scope or "", spot.text, value, how=found)


class _Documents:
    """Reads two JSON documents side by side. Parts that are equal are left out, unless something was made."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._makes = situation.makes
        self._endpoint = endpoint_resource(situation.target)
        self._left = _MAX_OBSERVED

    def pair(self, primary: Any, shadow: Any) -> Iterator[Observed]:
        yield from self._values(primary, shadow, "$", "", "", parent_scope(self._situation.target), None, 0)

    def _values(
        self, primary: Any, shadow: Any, path: str, name: str, kind: str, scope: str, around: Objects, depth: int
    ) -> Iterator[Observed]:
        """`kind`: what the object around says that it is. `scope`: what that stands below."""
        if depth > MAX_DEPTH or self._left <= 0 or (not self._makes and primary == shadow):
            return
        if isinstance(primary, dict) and isinstance(shadow, dict):
            around, kind = (around, primary, shadow), type_resource(primary)
            inside = below(primary, path, kind, self._endpoint, scope)
            for key, item in primary.items():
                if key in shadow:
                    inner = scope if scalar_text(item) is not None else inside
                    step = path + member(key)
                    yield from self._values(item, shadow[key], step, key, kind, inner, around, depth + 1)
        elif isinstance(primary, list) and isinstance(shadow, list):
            for one, other in _elements(primary, shadow, by_place=self._makes):
                yield from self._values(one, other, f"{path}[*]", name, kind, scope, around, depth + 1)
        else:
            self._left -= 1
            yield from self._scalars(primary, shadow, path, name, kind, scope, around)

    def _scalars(
        self, primary: Any, shadow: Any, path: str, name: str, kind: str, scope: str, around: Objects
    ) -> Iterator[Observed]:
        one, other = scalar_text(primary), scalar_text(shadow)
        if not one or not other:
            return
        if isinstance(primary, str) and isinstance(shadow, str) and responses.is_url(primary):
            if primary != shadow and responses.is_url(shadow):
                yield from _urls(path, primary, shadow, MADE if self._makes else "", self._situation)
            return
        keys = self._situation.keys(path, name, one, kind)
        if not keys:
            return
        numbers = not isinstance(primary, str), not isinstance(shadow, str)
        if keys[0][0] == TOKEN:
            how = GIVEN
        elif not self._situation.is_new(keys, other):
            how = ""
        elif self._makes:
            how = MADE
        else:
            own = name == "id" or keys[0][1] == self._endpoint
            told = own or is_wide(other) or numbers[0] != numbers[1]
            how = SEEN if told and _are_alike(around) else ""
        within = self._situation.scope_of(keys, name, scope)
        yield Observed(path, keys, within, one, other, numbers, how, "[*]" in path)


def _are_alike(around: Objects) -> bool:
    """Whether the objects around a value say the same on both sides."""
    while around is not None:
        around, one, other = around
        if _telling(one) != _telling(other):
            return False
    return True


def _elements(primary: list[Any], shadow: list[Any], *, by_place: bool) -> Iterator[tuple[Any, Any]]:
    """The elements of two lists that are the same but for ids. `by_place`: those without other values are paired by
    their place, if there are as many on both sides."""
    if max(len(primary), len(shadow)) > _MAX_ELEMENTS:
        return
    mine, its = ([_telling(each) for each in side] for side in (primary, shadow))
    if mine == its and (by_place or all(mine)):
        yield from zip(primary, shadow, strict=True)
        return
    by_telling: dict[frozenset[tuple[str, str]], list[int]] = {}
    for index, telling in enumerate(its):
        by_telling.setdefault(telling, []).append(index)
    counts: dict[frozenset[tuple[str, str]], int] = {}
    for telling in mine:
        counts[telling] = counts.get(telling, 0) + 1
    for one, telling in zip(primary, mine, strict=True):
        if telling and counts[telling] == 1 and len(by_telling.get(telling, ())) == 1:
            yield one, shadow[by_telling[telling][0]]


def _telling(value: Any) -> frozenset[tuple[str, str]]:
    """What an object says besides ids, times and URLs: by it the same object is found on the other side."""
    if not isinstance(value, dict):
        return frozenset()
    return frozenset(
        (key, repr(item))
        for key, item in value.items()
        if (isinstance(item, str | int | float) or item is None) and not _names_or_times(key, item)
    )


def _names_or_times(name: str, item: object) -> bool:
    text = scalar_text(item)
    if not text:
        return False
    if isinstance(item, str) and (
        responses.is_url(item) or (len(item) <= _LONGEST_TIME and parse_timestamp(item) is not None)
    ):
        return True
    return names_something(name, text)
