"""What the comparison of a pair has to know: where the primary's response has a value for which the mirror has its own,
and where the mirror answers the primary's id instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.paths import member
from mirror_addon.compare.twin_values import ANYWHERE
from mirror_addon.compare.twin_values import Foreign
from mirror_addon.compare.twin_values import Translation
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.twin import responses
from mirror_addon.twin.json_spots import MAX_DEPTH
from mirror_addon.twin.learning import Observed
from mirror_addon.twin.learning import Situation
from mirror_addon.twin.learning import named
from mirror_addon.twin.names import COOKIE
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import TOKEN
from mirror_addon.twin.names import is_token_name
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.twin_map import TwinMap
from mirror_addon.twin.urls import url_spots

_MAX_TEXTS = 2000
_MAX_TEXT = 2000
_IDENTITY_COOKIE = re.compile(
    r"(?i)(?:^|[_.-])(?:s|c|u)?id$|sess|cart|basket|user|login|auth|remember|token|csrf|xsrf|jwt"
)


def values_of_pair(
    known: TwinMap,
    situation: Situation,
    primary: Answer,
    observed: Iterable[Observed],
    translations: Iterable[Translation],
    client: str,
) -> TwinValues:
    """What is known of a pair's values. `observed`: what both responses named, to find the primary's ids in the
    mirror's; empty where the mirror could not know better. `translations`: what was translated in the request."""
    same: set[tuple[str, str, str]] = set()
    pairs: dict[tuple[str, str], str] = {}
    """The mirror's value by resource and the primary's; the resource is empty for wide ones."""
    for translation in translations:
        if is_wide(translation.primary):
            same.add((ANYWHERE, translation.primary, translation.shadow))
            pairs["", translation.primary] = translation.shadow
    if len(known):
        for each in named(situation, primary):
            found = known.find(each.keys, each.scope, client)
            if found is None or not found[2].sure or not _is_identity(each):
                continue
            key, _, entry = found
            wide = is_wide(each.primary) or key[0] == TOKEN
            if not each.where.startswith(("path[", "query:")):  # else a part of a URL, which is compared as a whole
                same.add((ANYWHERE if wide else each.path, each.primary, entry.value))
            pairs["" if wide else key[1], each.primary] = entry.value
        same.update(_texts(known, primary, pairs))
    return TwinValues(frozenset(each for each in same if each[1] != each[2]), tuple(_foreign(known, observed, client)))


def _is_identity(each: Observed) -> bool:
    """Whether another value of the mirror is another name of the same thing. A cookie may also hold a preference."""
    if each.keys[0][0] != COOKIE:
        return True
    name = each.keys[0][1]
    return is_wide(each.primary) or is_token_name(name) or _IDENTITY_COOKIE.search(name) is not None


def _foreign(known: TwinMap, observed: Iterable[Observed], client: str) -> Iterator[Foreign]:
    for each in observed:
        if each.primary != each.shadow or each.listed or each.keys[0][0] != ID:
            continue
        found = known.find(each.keys, each.scope, client)
        if found is None or not found[2].sure or found[2].value == each.primary or known.is_own(found[0]):
            continue
        value = int(each.primary) if all(each.numbers) else each.primary
        yield Foreign(each.path, each.where, value, found[2].value)


def _texts(known: TwinMap, primary: Answer, pairs: dict[tuple[str, str], str]) -> Iterator[tuple[str, str, str]]:
    """URLs and texts of the primary's response as the mirror would write them."""
    url = responses.location(primary)
    if url:
        yield "header:location", url, _translated_url(url, known)
    body = responses.read_body(primary)
    if body.form == "json":
        patterns = [_pattern(key) for key in pairs]
        for path, text in _strings(body.document):
            if responses.is_url(text):
                yield path, text, _translated_url(text, known)
            elif any(each in text for _, each in pairs):
                yield path, text, _rewritten(text, patterns, list(pairs.values()))


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
