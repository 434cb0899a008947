"""What one response names: ids, cookies, tokens and tags, with the keys under which they are learned. Pure.

This runs for the primary's response of every pair, mostly to find that nothing is known of it. So a document is walked
once, most names are known by then not to be those of ids, and `known` is asked before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from mirror_addon.compare.paths import exact
from mirror_addon.twin import responses
from mirror_addon.twin.json_spots import JsonSpot
from mirror_addon.twin.json_spots import Steps
from mirror_addon.twin.json_spots import json_spots
from mirror_addon.twin.json_spots import scalar_keys
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import TOKEN
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import acted_on
from mirror_addon.twin.names import endpoint_resource
from mirror_addon.twin.names import is_short_id
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.responses import Side
from mirror_addon.twin.urls import parent_scope
from mirror_addon.twin.urls import url_spots

Known = Callable[[str], bool]


class Named(NamedTuple):
    """A value that a response names. `scope`: what it stands below. `steps`: where it is in a JSON document."""

    path: str
    """As in a difference of two responses."""
    where: str
    keys: tuple[Key, ...]
    scope: str
    text: str
    number: bool = False
    """It is a number in JSON."""
    steps: Steps | None = None


class Situation(NamedTuple):
    """The request of a pair. `target`: as it left, before anything was translated. `makes`: it makes something.

    `used`: says whether one of these keys stood in the request, on either side.
    """

    target: str
    makes: bool
    used: Callable[[Iterable[Key]], bool]

    def is_new(self, keys: tuple[Key, ...], shadow: str) -> bool:
        """Whether neither the primary's value nor the mirror's stood in the request under these keys."""
        return not self.used(keys) and not self.used((kind, space, shadow) for kind, space, _ in keys)

    def keys(self, path: str, name: str, text: str, kind: str) -> tuple[Key, ...]:
        """The keys of a scalar in the response; see `json_spots.scalar_keys`."""
        endpoint = endpoint_resource(self.target)
        keys = scalar_keys(path, name, text, endpoint, kind)
        if keys:
            if name == "id" and keys[0][:2] == (ID, endpoint) and (of := acted_on(self.target)):
                return (*keys, (ID, of, text))  # POST /orders/7/pay: {"id": 7}
        elif self.makes and name.lower() == endpoint and is_short_id(text):
            return ((ID, endpoint, text),)  # POST /orders: {"order": 1007}
        return keys

    def scope_of(self, keys: tuple[Key, ...], name: str, scope: str) -> str:
        """What a scalar stands below, if that says which of several it is."""
        of = keys[0][1]
        return scope if of and (name == "id" or of == endpoint_resource(self.target)) else ""


def is_complete(side: Side) -> bool:
    """Whether a response is a success or a redirection, so that what it names is there."""
    return side.status is not None and side.status // 100 in (2, 3)


def named(situation: Situation, side: Side, known: Known) -> Iterator[Named]:
    """Yield what a response names, as far as it is `known`."""
    for name, text in side.cookies.items():
        if known(text):
            yield Named("header:set-cookie", f"cookie:{name}", responses.cookie_keys(name, text), "", text)
    tag = responses.etag(side.answer, situation.target)
    if tag is not None and known(tag[2]):
        yield Named("header:etag", "header:etag", (tag,), "", tag[2])
    if not is_complete(side):
        return
    if side.location:
        for spot in url_spots(side.location, known):
            if is_wide(spot.text) or any(each.isdigit() for each in spot.text):
                yield Named("header:location", spot.where, spot.keys[:1], spot.scope or "", spot.text)
    yield from _in_body(situation, side, known)


def _in_body(situation: Situation, side: Side, known: Known) -> Iterator[Named]:
    body = side.body
    if body.form == "html":
        for name, text in responses.html_tokens(body.text).items():
            if known(text):
                yield Named("", f"html:{name}", ((TOKEN, "", text),), "", text)
    elif one := responses.single_id(body):
        if known(one) and (keys := responses.single_keys(one, endpoint_resource(situation.target))):
            scope = parent_scope(situation.target) if keys[0][1] else ""
            yield Named("$" if body.form == "json" else "body", "$", keys, scope, one, type(body.document) is int, ())
    elif body.form == "json":
        scope = parent_scope(situation.target)
        for found in json_spots(body.document, situation.keys, known, endpoint_resource(situation.target), scope):
            yield _of_spot(situation, found)


def _of_spot(situation: Situation, found: JsonSpot) -> Named:
    scope = situation.scope_of(found.keys, found.name, found.scope)
    number = not isinstance(found.value, str)
    return Named(found.path, exact("$", [*found.steps]), found.keys, scope, found.text, number, found.steps)
