"""The identities in a request, and the request with other values in their places. Pure.

Looked at are, and nothing else: segments of the path, the query, JSON bodies and forms, Cookie, Authorization, If-Match
and its like, Referer, and the fields that carry CSRF tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from functools import lru_cache
from functools import partial
from typing import NamedTuple

from mirror_addon.compare.media_types import MediaType
from mirror_addon.compare.media_types import media_type
from mirror_addon.twin.json_spots import Steps
from mirror_addon.twin.json_spots import json_spots
from mirror_addon.twin.json_spots import read_document
from mirror_addon.twin.json_spots import replaced
from mirror_addon.twin.json_spots import scalar_keys
from mirror_addon.twin.names import COOKIE
from mirror_addon.twin.names import CSRF_HEADERS
from mirror_addon.twin.names import ETAG
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import TOKEN
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import endpoint_resource
from mirror_addon.twin.names import field_keys
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.urls import query_spots
from mirror_addon.twin.urls import url_spots
from mirror_addon.twin.variables import place_of
from mirror_addon.twin.variables import query_of

MAX_BODY = 256 * 1024
"""Bytes of a body that is searched. A longer one is sent as it is."""
PATH, BODY = -1, -2
"""Parts of a request beside its header fields, which are counted from 0."""
_TAG = re.compile(r'(?:W/)?"[^"]*"')
_MARKED = (
    frozenset({b"cookie", b"authorization", b"if-match", b"if-none-match", b"if-range", b"referer"}) | CSRF_HEADERS
)
_TAGGED = frozenset({b"if-match", b"if-none-match", b"if-range"})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_PART_NAME = re.compile(r'content-disposition:\s*form-data;[^\r\n]*?\bname="([^"\r\n]*)"', re.IGNORECASE)

Headers = tuple[tuple[bytes, bytes], ...]
Known = Callable[[str], bool]


class Call(NamedTuple):
    """A request on its way to the mirror. `body`: None where it is not there as a whole, or too long."""

    method: bytes
    path: bytes
    headers: Headers
    body: bytes | None = b""


class Value(NamedTuple):
    """What takes a value's place: its text, and whether it is a number in JSON; None: as the value before it."""

    text: str
    number: bool | None = None


class Spot(NamedTuple):
    """A place in a request: where (`path[1]`, `query:id`, `$.order_id`, `form:csrf`, `cookie:sid`, `header:if-match`),
    the value, its keys and what it stands below (None: not said); and the part of the request that it is in."""

    where: str
    text: str
    keys: tuple[Key, ...]
    scope: str | None
    part: int
    start: int = 0
    end: int = 0
    write: Callable[[str], str] = str
    steps: Steps = ()
    number: bool = False
    """A number in JSON."""


def wants_body(headers: Headers) -> bool:
    """Whether the body of a request with these header fields is searched."""
    declared = _declared(headers)
    return declared is not None and (_is_json(declared) or declared.name in _FORMS)


def has_private_fields(headers: Headers) -> bool:
    """Whether a request has header fields that are searched."""
    return any(name.lower() in _MARKED for name, _ in headers)


def _is_json(declared: MediaType) -> bool:
    return declared.name.endswith(("/json", "+json"))


def _declared(headers: Headers) -> MediaType | None:
    """The type of the body; None if it is not there or has a content coding."""
    declared = None
    for name, value in headers:
        if len(name) == 12 and name.lower() == b"content-type":
            declared = _media_type(value)
        elif len(name) == 16 and name.lower() == b"content-encoding":
            return None
    return declared


@lru_cache(maxsize=256)
def _media_type(value: bytes) -> MediaType:
    return media_type(value.decode("latin-1"))


def may_hold(call: Call, text: str) -> bool:
    """Whether a text may stand in a request as a value. False for most that do not, without reading the request."""
    if not text.isascii():
        return True
    raw = text.encode()
    body = call.body or b""
    if raw in call.path or raw in body or b"%" in call.path or b"%" in body or b"\\" in body:
        return True
    return any(raw in value for name, value in call.headers if name.lower() in _MARKED)


def spots(call: Call, known: Known) -> Iterator[Spot]:
    """Yield the places of a request that hold a value that is `known`."""
    path = call.path.decode("latin-1")
    for each in url_spots(path, known):
        yield Spot(each.where, each.text, each.keys, each.scope, PATH, each.start, each.end, each.written)
    for index, (name, value) in enumerate(call.headers):
        lower = name.lower()
        if lower in _MARKED:
            yield from _header_spots(index, lower, value.decode("latin-1"), path, known)
    if call.body and len(call.body) <= MAX_BODY and (declared := _declared(call.headers)) is not None:
        yield from _body_spots(call.body, declared, endpoint_resource(path), known)


def _header_spots(index: int, name: bytes, value: str, target: str, known: Known) -> Iterator[Spot]:
    where = f"header:{name.decode()}"
    if name == b"cookie":
        yield from _cookies(index, value, known)
    elif name == b"authorization":
        scheme, space, _ = value.partition(" ")
        start = len(scheme) + 1 if space else 0
        text = value[start:].strip()
        if known(text) and scheme.lower() != "basic":
            yield _raw(where, text, ((TOKEN, "", text), (ID, "", text)), index, value.index(text, start))
    elif name in _TAGGED:
        for tag in _TAG.finditer(value):
            if known(tag[0]):
                yield _raw(where, tag[0], ((ETAG, target, tag[0]),), index, tag.start())
    elif name == b"referer":
        for each in url_spots(value, known):
            yield Spot(
                f"{where} {each.where}", each.text, each.keys, each.scope, index, each.start, each.end, each.written
            )
    elif known(text := value.strip()):
        yield _raw(where, text, ((TOKEN, "", text),), index, value.index(text))


def _raw(where: str, text: str, keys: tuple[Key, ...], part: int, start: int) -> Spot:
    return Spot(where, text, keys, None, part, start, start + len(text))


def _cookies(index: int, value: str, known: Known) -> Iterator[Spot]:
    at = 0
    for pair in value.split(";"):
        name, equals, text = pair.partition("=")
        clean = text.strip()
        if equals and clean and known(clean):
            label = name.strip()
            keys: tuple[Key, ...] = ((COOKIE, label, clean),)
            if is_wide(clean):
                keys += ((TOKEN, "", clean), (ID, "", clean))
            start = at + len(name) + 1 + len(text) - len(text.lstrip())
            yield _raw(f"cookie:{label}", clean, keys, index, start)
        at += len(pair) + 1


def _body_spots(body: bytes, declared: MediaType, endpoint: str, known: Known) -> Iterator[Spot]:
    if _is_json(declared):
        try:
            document = read_document(body)
        except ValueError:
            return
        for found in json_spots(document, partial(_field_keys, endpoint, query_of(document)), known):
            number = not isinstance(found.value, str)
            yield Spot(found.path, found.text, found.keys, None, BODY, steps=found.steps, number=number)
    elif declared.name == "multipart/form-data":
        yield from _multipart(body.decode("latin-1"), declared.parameter("boundary"), endpoint, known)
    elif declared.name in _FORMS:
        for each in query_spots(body.decode("latin-1"), 0, endpoint, "form", known):
            yield Spot(each.where, each.text, each.keys, None, BODY, each.start, each.end, each.written)


def _field_keys(endpoint: str, query: str, path: str, name: str, text: str, kind: str) -> tuple[Key, ...]:
    """The keys of a scalar in JSON. `query`: the operation of GraphQL whose variables may be in it, or empty."""
    if query and (place := place_of(query, path, name)) is not None:
        path, name = place
    return scalar_keys(path, name, text, endpoint, kind)


def _multipart(text: str, boundary: str, endpoint: str, known: Known) -> Iterator[Spot]:
    """Fields of a form in parts. Those with a file are left alone."""
    mark = f"--{boundary}"
    at = 0
    for part in text.split(mark) if boundary else ():
        head, blank, content = part.partition("\r\n\r\n")
        value = content.removesuffix("\r\n")
        found = _PART_NAME.search(head)
        if blank and found is not None and "filename" not in head and known(value):
            name = found[1].encode("latin-1").decode("utf-8", "replace")
            if keys := field_keys(f"$.{name}", name, value, endpoint):
                yield _raw(f"form:{name}", value, keys, BODY, at + len(head) + 4)
        at += len(part) + len(mark)


def rewritten(call: Call, values: Iterable[tuple[Spot, Value]]) -> Call:
    """The request with these values in these places, which are its own. Content-Length follows the body."""
    parts: dict[int, list[tuple[Spot, Value]]] = {}
    for spot, value in values:
        parts.setdefault(spot.part, []).append((spot, value))
    path, headers, body = call.path, list(call.headers), call.body
    for part, changes in parts.items():
        if part == PATH:
            path = _edited(path, changes)
        elif part != BODY:
            name, old = headers[part]
            headers[part] = name, _edited(old, changes)
        elif body is not None:
            body = _edited_body(body, changes)
    if body is not None and call.body is not None and len(body) != len(call.body):
        length = b"%d" % len(body)
        headers = [(name, length if name.lower() == b"content-length" else value) for name, value in headers]
    return Call(call.method, path, tuple(headers), body)


def _edited(data: bytes, changes: list[tuple[Spot, Value]]) -> bytes:
    text = data.decode("latin-1")
    for spot, value in sorted(changes, key=lambda each: -each[0].start):
        text = text[: spot.start] + spot.write(value.text) + text[spot.end :]
    return text.encode("latin-1", "replace")


def _edited_body(body: bytes, changes: list[tuple[Spot, Value]]) -> bytes:
    scalars = {spot.steps: _json_text(spot, value) for spot, value in changes if spot.steps or not spot.end}
    if not scalars:
        return _edited(body, changes)
    try:
        return replaced(body, scalars)
    except (ValueError, IndexError):  # in an encoding other than UTF-8, which JSON may not have (RFC 8259 8.1)
        return body


def _json_text(spot: Spot, value: Value) -> str:
    number = spot.number if value.number is None else value.number
    return value.text if number and re.fullmatch(r"-?\d+", value.text) else json.dumps(value.text)
