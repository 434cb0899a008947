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

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.paths import member
from mirror_addon.compare.timestamps import parse_timestamp
from mirror_addon.twin import responses
from mirror_addon.twin.json_spots import MAX_DEPTH
from mirror_addon.twin.json_spots import scalar_keys
from mirror_addon.twin.json_spots import scalar_text
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import TOKEN
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import acted_on
from mirror_addon.twin.names import endpoint_resource
from mirror_addon.twin.names import is_short_id
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.names import resources
from mirror_addon.twin.names import type_resource
from mirror_addon.twin.urls import parent_scope
from mirror_addon.twin.urls import url_spots

MADE, GIVEN, SEEN = "made", "given", "seen"
_MAX_OBSERVED = 5000
"""Values of one pair."""
_MAX_ELEMENTS = 2000
_LONGEST_TIME = 40


class Observed(NamedTuple):
    """Two values at one place that names something. `how`: MADE, GIVEN, SEEN, or empty: not to be learned here."""

    path: str
    """As in a difference of the two responses."""
    where: str
    keys: tuple[Key, ...]
    scope: str
    primary: str
    shadow: str
    numbers: tuple[bool, bool]
    """Whether each of them is a number in JSON."""
    how: str
    listed: bool = False
    """In an element of a list."""


class Situation(NamedTuple):
    """The request of a pair. `target`: as it left, before anything was translated. `makes`: it makes something.

    `used`: says whether one of these keys stood in the request, on either side. `by_place`: elements of lists are
    paired by their place where they have no other values.
    """

    target: str
    makes: bool
    used: Callable[[Iterable[Key]], bool]
    by_place: bool = False

    def is_new(self, keys: tuple[Key, ...], shadow: str) -> bool:
        """Whether neither the primary's value nor the mirror's stood in the request under these keys."""
        return not self.used(keys) and not self.used((kind, space, shadow) for kind, space, _ in keys)


def observe(situation: Situation, primary: Answer, shadow: Answer) -> Iterator[Observed]:
    """Yield what two complete responses name at the same places. Equal values too."""
    yield from _given(situation, primary, shadow)
    if primary.status is None or shadow.status is None or primary.status // 100 != shadow.status // 100:
        return
    if primary.status // 100 not in (2, 3):
        return
    made = MADE if situation.makes else ""
    ours, theirs = responses.location(primary), responses.location(shadow)
    if ours and theirs:
        how = made or (GIVEN if primary.status // 100 == 3 else "")
        yield from _urls("header:location", ours, theirs, how, situation)
    body, other = responses.read_body(primary), responses.read_body(shadow)
    if body.form != other.form or not body.form:
        return
    if body.form == "html":
        tokens, others = responses.html_tokens(body.text), responses.html_tokens(other.text)
        for name in tokens.keys() & others.keys():
            text = tokens[name]
            yield Observed("", f"html:{name}", ((TOKEN, "", text),), "", text, others[name], (False, False), GIVEN)
        return
    if (one := responses.single_id(body)) and (two := responses.single_id(other)):
        endpoint = endpoint_resource(situation.target)
        numbers = type(body.document) is int, type(other.document) is int
        keys = responses.single_keys(one, endpoint)
        if keys:
            scope = parent_scope(situation.target) if keys[0][1] else ""
            how = made if situation.is_new(keys, two) else ""
            yield Observed("$" if body.form == "json" else "body", "$", keys, scope, one, two, numbers, how)
    elif body.form == "json":
        yield from _Documents(situation).pair(body.document, other.document)


def _given(situation: Situation, primary: Answer, shadow: Answer) -> Iterator[Observed]:
    mine, its = responses.cookies(primary), responses.cookies(shadow)
    for name in mine.keys() & its.keys():
        text = mine[name]
        keys = responses.cookie_keys(name, text)
        yield Observed("header:set-cookie", f"cookie:{name}", keys, "", text, its[name], (False, False), GIVEN)
    one, other = (responses.etag(each, situation.target) for each in (primary, shadow))
    if one is not None and other is not None:
        yield Observed("header:etag", "header:etag", (one,), "", one[2], other[2], (False, False), GIVEN)


def _urls(path: str, ours: str, theirs: str, how: str, situation: Situation) -> Iterator[Observed]:
    for spot, value in responses.paired_segments(ours, theirs):
        if spot.keys:
            keys = spot.keys[:1]
            how = how if situation.is_new(keys, value) else ""
            yield Observed(path, spot.where, keys, spot.scope or "", spot.text, value, (False, False), how)


class _Documents:
    """Reads two JSON documents side by side."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._makes = situation.makes
        self._endpoint = endpoint_resource(situation.target)
        self._acted_on = acted_on(situation.target)
        self._scope = parent_scope(situation.target)
        self._left = _MAX_OBSERVED

    def pair(self, primary: Any, shadow: Any) -> Iterator[Observed]:
        yield from self._values(primary, shadow, "$", "$", "", "", self._scope, True, False, 0)

    def _values(
        self,
        primary: Any,
        shadow: Any,
        path: str,
        where: str,
        name: str,
        kind: str,
        scope: str,
        alike: bool,
        listed: bool,
        depth: int,
    ) -> Iterator[Observed]:
        """`kind`: what the object around says that it is. `scope`: what that stands below. `alike`: it has the same
        other values on both sides. `listed`: it is an element of a list."""
        if depth > MAX_DEPTH or self._left <= 0:
            return
        if isinstance(primary, dict) and isinstance(shadow, dict):
            alike = alike and _telling(primary) == _telling(shadow)
            kind = type_resource(primary)
            own = scalar_text(primary.get("id"))
            below = f"{self._resource(path, kind)}:{own}" if own and is_short_id(own) else scope
            for key, item in primary.items():
                if key in shadow:
                    inner = scope if scalar_text(item) is not None else below
                    step = member(key)
                    yield from self._values(
                        item, shadow[key], path + step, where + step, key, kind, inner, alike, listed, depth + 1
                    )
        elif isinstance(primary, list) and isinstance(shadow, list):
            for (index, one), other in _elements(primary, shadow, by_place=self._makes or self._situation.by_place):
                yield from self._values(
                    one, other, f"{path}[*]", f"{where}[{index}]", name, kind, scope, alike, True, depth + 1
                )
        else:
            self._left -= 1
            yield from self._scalars(primary, shadow, path, where, name, kind, scope, alike, listed)

    def _resource(self, path: str, kind: str) -> str:
        found = resources(f"{path}.id", "id", self._endpoint)
        return kind or (found[0] if found else "")

    def _scalars(
        self,
        primary: Any,
        shadow: Any,
        path: str,
        where: str,
        name: str,
        kind: str,
        scope: str,
        alike: bool,
        listed: bool,
    ) -> Iterator[Observed]:
        one, other = scalar_text(primary), scalar_text(shadow)
        if not one or not other:
            return
        if isinstance(primary, str) and isinstance(shadow, str) and responses.is_url(primary):
            if primary != shadow and responses.is_url(shadow):
                yield from _urls(path, primary, shadow, MADE if self._makes else "", self._situation)
            return
        keys = scalar_keys(path, name, one, self._endpoint, kind)
        if self._acted_on and name == "id" and keys and keys[0][:2] == (ID, self._endpoint):
            keys += ((ID, self._acted_on, one),)
        if not keys and name.lower() == self._endpoint and is_short_id(one) and self._makes:
            keys = ((ID, self._endpoint, one),)  # POST /orders: {"order": 1007}
        if not keys or not _plain(other):
            return
        numbers = not isinstance(primary, str), not isinstance(shadow, str)
        of = keys[0][1]
        own = name == "id" or of == self._endpoint
        if keys[0][0] == TOKEN:
            how = GIVEN
        elif not self._situation.is_new(keys, other):
            how = ""
        elif self._makes:
            how = MADE
        else:
            how = SEEN if alike and (own or is_wide(other) or numbers[0] != numbers[1]) else ""
        yield Observed(path, where, keys, scope if of and own else "", one, other, numbers, how, listed)


def _plain(text: str) -> bool:
    return text.isprintable()


def _elements(primary: list[Any], shadow: list[Any], *, by_place: bool) -> Iterator[tuple[tuple[int, Any], Any]]:
    """The elements of two lists that are the same but for ids. `by_place`: those without other values are paired by
    their place, if there are as many on both sides."""
    if max(len(primary), len(shadow)) > _MAX_ELEMENTS:
        return
    same_length = len(primary) == len(shadow)
    mine, its = ([_telling(each) for each in side] for side in (primary, shadow))
    if same_length and mine == its and (by_place or all(mine)):
        yield from zip(enumerate(primary), shadow, strict=True)
        return
    by_telling: dict[frozenset[tuple[str, str]], list[int]] = {}
    for index, telling in enumerate(its):
        by_telling.setdefault(telling, []).append(index)
    counts: dict[frozenset[tuple[str, str]], int] = {}
    for telling in mine:
        counts[telling] = counts.get(telling, 0) + 1
    for index, telling in enumerate(mine):
        if telling and counts[telling] == 1 and len(by_telling.get(telling, ())) == 1:
            yield (index, primary[index]), shadow[by_telling[telling][0]]


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
    return bool(scalar_keys(f"$.{name}", name, text, "x", ""))


def named(situation: Situation, primary: Answer) -> Iterator[Observed]:
    """Yield what the primary's response names, in place of the mirror's values its own."""
    yield from observe(situation._replace(by_place=True), primary, primary)
    url = responses.location(primary)
    if url and primary.status is not None and primary.status // 100 in (2, 3):
        for spot in url_spots(url, lambda text: is_wide(text) or any(each.isdigit() for each in text)):
            keys, scope = spot.keys[:1], spot.scope or ""
            yield Observed("header:location", spot.where, keys, scope, spot.text, spot.text, (False, False), "")
