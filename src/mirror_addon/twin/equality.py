"""What the comparison of a pair has to know: where the primary's response has a value for which the mirror has its own,
and where the mirror answers the primary's id instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.twin_values import ANYWHERE
from mirror_addon.compare.twin_values import Foreign
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.twin import responses
from mirror_addon.twin.json_spots import MAX_DEPTH
from mirror_addon.twin.json_spots import member
from mirror_addon.twin.json_spots import scalar_text
from mirror_addon.twin.names import COOKIE
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import TOKEN
from mirror_addon.twin.names import Place
from mirror_addon.twin.names import is_token_name
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.naming import Named
from mirror_addon.twin.naming import Situation
from mirror_addon.twin.naming import named
from mirror_addon.twin.responses import Side
from mirror_addon.twin.twin_map import TwinMap
from mirror_addon.twin.urls import url_spots

_MAX_TEXTS = 2000
_MAX_TEXT = 2000
_IDENTITY_COOKIE = re.compile(
    r"(?i)(?:^|[_.-])(?:s|c|u)?id$|sess|cart|basket|user|login|auth|remember|token|csrf|xsrf|jwt"
)


class Known(NamedTuple):
    """What is known of a pair. `refuted`: entries that were only seen, and whose values are equal here."""

    values: TwinValues
    refuted: tuple[Place, ...] = ()


class Pair(NamedTuple):
    """A pair whose mirror has responded. `translations`: in its request. `missing`: something was not translated, so
    that the mirror could not know better."""

    situation: Situation
    primary: Side
    shadow: Side
    translations: Sequence[Translation]
    client: str
    missing: bool


def known_of(known: TwinMap, pair: Pair) -> Known:
    """What is known of a pair's values."""
    same: set[tuple[str, str, str]] = set()
    names: dict[tuple[str, str], str] = {}
    """The mirror's value by resource and the primary's; the resource is empty for wide ones."""
    foreign: list[Foreign] = []
    refuted: list[Place] = []
    for translation in pair.translations:
        if is_wide(translation.primary):
            same.add((ANYWHERE, translation.primary, translation.shadow))
            names["", translation.primary] = translation.shadow
    for each in named(pair.situation, pair.primary, known.texts.has) if len(known) else ():
        found = known.find(each.keys, each.scope, pair.client)
        if found is None or found[2].value == each.text:
            continue
        key, scope, entry = found
        if not entry.sure:
            if _has_the_same(each, pair.shadow):
                refuted.append((key, scope))
            continue
        if _is_identity(each):
            wide = is_wide(each.text) or key[0] == TOKEN
            names["" if wide else key[1], each.text] = entry.value
            if not each.where.startswith(("path[", "query:")):  # else a part of a URL, which is compared as a whole
                same.add((ANYWHERE if wide else each.path, each.text, entry.value))
        if key[0] == ID and not pair.missing and not known.is_own(key) and _has_the_same(each, pair.shadow):
            value = int(each.text) if each.number else each.text
            foreign.append(Foreign(each.path, each.where, value, entry.value))
    if (names or pair.translations) and pair.primary.answer.body != pair.shadow.answer.body:
        same.update(_texts(known, pair.primary, names))
    values = TwinValues(frozenset(each for each in same if each[1] != each[2]), tuple(foreign))
    return Known(values, tuple(refuted))


def _has_the_same(each: Named, shadow: Side) -> bool:
    """Whether the mirror has the primary's value in this place. In a list it may be that of another element."""
    if each.path == "header:location":
        return any(
            spot.text == each.text and spot.where == each.where for spot in url_spots(shadow.location, each.text.__eq__)
        )
    if each.steps is None or "[*]" in each.path:
        return False
    value = shadow.body.document
    for step in each.steps:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return False
    return scalar_text(value) == each.text


def _is_identity(each: Named) -> bool:
    """Whether another value of the mirror is another name of the same thing. A cookie may also hold a preference."""
    if each.keys[0][0] != COOKIE:
        return True
    name = each.keys[0][1]
    return is_wide(each.text) or is_token_name(name) or _IDENTITY_COOKIE.search(name) is not None


def _texts(known: TwinMap, primary: Side, names: dict[tuple[str, str], str]) -> Iterator[tuple[str, str, str]]:
    """URLs and texts of the primary's response as the mirror would write them."""
    if primary.location:
        yield "header:location", primary.location, _translated_url(primary.location, known)
    body = primary.body
    if body.form == "json":
        patterns = [_pattern(key) for key in names]
        for path, text in _strings(body.document):
            if responses.is_url(text):
                yield path, text, _translated_url(text, known)
            elif any(each in text for _, each in names):
                yield path, text, _rewritten(text, patterns, list(names.values()))


def _translated_url(url: str, known: TwinMap) -> str:
    for spot in reversed(list(url_spots(url, known.texts.has))):
        found = known.find(spot.keys, spot.scope, None)
        if found is not None:
            url = url[: spot.start] + spot.written(found[2].value) + url[spot.end :]
    return url


def _pattern(key: tuple[str, str]) -> re.Pattern[str]:
    """A value in a text: a wide one by itself, others behind what they are ids of, as in `Order #1007`."""
    resource, text = key
    before = rf"(?i:\b{re.escape(resource)})[ #:/-]{{1,3}}" if resource else r"(?<!\w)"
    return re.compile(rf"({before}){re.escape(text)}(?!\w)")


def _rewritten(text: str, patterns: list[re.Pattern[str]], values: list[str]) -> str:
    for pattern, value in zip(patterns, values, strict=True):
        text = pattern.sub(lambda found, value=value: found[1] + value, text)  # type: ignore[misc]
    return text


def _strings(document: Any) -> Iterator[tuple[str, str]]:
    """The texts of a document with their paths, as in a difference."""
    stack: list[tuple[Any, str, int]] = [(document, "$", 0)]
    left = _MAX_TEXTS
    while stack and left > 0:
        value, path, depth = stack.pop()
        if isinstance(value, dict) and depth < MAX_DEPTH:
            stack.extend((item, path + member(name), depth + 1) for name, item in value.items())
        elif isinstance(value, list) and depth < MAX_DEPTH:
            stack.extend((item, f"{path}[*]", depth + 1) for item in value)
        elif isinstance(value, str) and 1 < len(value) <= _MAX_TEXT:
            left -= 1
            yield path, value
