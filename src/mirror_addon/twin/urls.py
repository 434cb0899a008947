"""The identities in a URL: segments of its path and parameters of its query. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote
from urllib.parse import quote_plus
from urllib.parse import unquote
from urllib.parse import unquote_plus

from mirror_addon.twin.names import Key
from mirror_addon.twin.names import endpoint_resource
from mirror_addon.twin.names import field_keys
from mirror_addon.twin.names import segment_keys
from mirror_addon.twin.names import segment_resource

_SUFFIX = re.compile(r"(.+?)(?:\.(?:json|xml|html?|pdf|csv|txt|png|jpe?g)|:[a-z][A-Za-z]*)\Z", re.DOTALL)
_MAX_PARTS = 200
"""Segments and parameters that are looked at."""


class UrlSpot(NamedTuple):
    """A value in a URL: its place in the text, the value decoded, its keys, and what it stands below."""

    start: int
    end: int
    text: str
    keys: tuple[Key, ...]
    scope: str | None
    where: str
    """`path[1]`, counted from 0, or `query:NAME`."""
    query: bool

    def written(self, value: str) -> str:
        """A value as it stands in this place."""
        return quote_plus(value) if self.query else quote(value, safe="~!$&'()*+,;=:@")


def path_start(url: str) -> int:
    """Where the path begins: 0 for one without an authority, -1 if there is none."""
    scheme = url.find("://", 0, 16)
    return 0 if scheme < 0 else url.find("/", scheme + 3)


@lru_cache(maxsize=1024)
def parent_scope(url: str) -> str:
    """What the last segment of a path stands below: `order:1007` for `/orders/1007/items`, empty for `/orders/1007`."""
    scope = below = ""
    for _, _, text, before, _ in _segments(url):
        scope = below
        if _is_id(before, text):
            below = f"{segment_resource(before)}:{text}"
    return scope


def _is_id(before: str, text: str) -> bool:
    return bool(segment_resource(before)) and any(each.isdigit() for each in text)


def _segments(url: str) -> Iterator[tuple[int, int, str, str, int]]:
    """Start, end, decoded text without its suffix, the segment before, and the number of each segment."""
    at = path_start(url)
    if at < 0:
        return
    stop = min((each for each in (url.find("?", at), url.find("#", at)) if each >= 0), default=len(url))
    before = ""
    for number, segment in enumerate(url[at:stop].split("/")[: _MAX_PARTS + 1]):
        end = at + len(segment)
        core = segment
        if "." in segment or ":" in segment:
            found = _SUFFIX.match(segment)
            core = found[1] if found is not None else segment
        text = unquote(core) if "%" in core else core
        if text:
            yield at, at + len(core), text, before, number - 1
        before = segment
        at = end + 1


def url_spots(url: str, known: Callable[[str], bool]) -> Iterator[UrlSpot]:
    """Yield the places in a URL, or the target of a request, that hold a value that is `known`."""
    scope = ""
    for start, end, text, before, number in _segments(url):
        if known(text) and (keys := segment_keys(before, text)):
            yield UrlSpot(start, end, text, keys, scope, f"path[{number}]", False)
        if _is_id(before, text):
            scope = f"{segment_resource(before)}:{text}"
    question = url.find("?")
    if question >= 0:
        stop = url.find("#", question)
        query = url[question + 1 : stop if stop >= 0 else len(url)]
        yield from query_spots(query, question + 1, endpoint_resource(url[max(path_start(url), 0) :]), "query", known)


def query_spots(query: str, at: int, endpoint: str, label: str, known: Callable[[str], bool]) -> Iterator[UrlSpot]:
    """The same for parameters, or the fields of a form, which begin at `at`; `endpoint` as for `names.field_keys`."""
    for part in query.split("&")[:_MAX_PARTS]:
        name, equals, value = part.partition("=")
        start = at + len(name) + 1
        at += len(part) + 1
        if not equals:
            continue
        for piece in value.split(","):  # ids=1,2,3
            text = unquote_plus(piece) if "%" in piece or "+" in piece else piece
            if text and known(text):
                field = unquote_plus(name).removesuffix("[]")
                if keys := field_keys(f"$.{field}", field, text, endpoint):
                    yield UrlSpot(start, start + len(piece), text, keys, None, f"{label}:{field}", True)
            start += len(piece) + 1
