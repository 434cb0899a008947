"""The identities in a response, outside its JSON: cookies, ETag, Location, and the CSRF tokens of a page. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.headers import values_of
from mirror_addon.compare.media_types import form_of
from mirror_addon.compare.media_types import media_type
from mirror_addon.twin.json_spots import read_document
from mirror_addon.twin.names import COOKIE
from mirror_addon.twin.names import ETAG
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import MAX_VALUE
from mirror_addon.twin.names import TOKEN
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import is_short_id
from mirror_addon.twin.names import is_token_name
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.urls import UrlSpot
from mirror_addon.twin.urls import path_start
from mirror_addon.twin.urls import url_spots

MAX_BODY = 256 * 1024
"""Bytes of a decoded body that is learned from. Parsing two of them takes some 5 ms of the worker's event loop."""
_COOKIE = re.compile(r"\s*([^=;\s]+)\s*=\s*([^;]*)")
_GONE = re.compile(r"(?i);\s*max-age\s*=\s*(?:0|-\d+)\s*(?:;|\Z)|;\s*expires\s*=\s*[^;]*\b19[79]0\b")
_TAG = re.compile(r'(?:W/)?"[^"]*"')
_FIELD = re.compile(r"<(?:input|meta)\b[^>]{0,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""\s(name|value|content)\s*=\s*(?:"([^"]{0,8192})"|'([^']{0,8192})'|([^\s"'>]{1,8192}))""", re.IGNORECASE
)
_MAX_HTML = 64 * 1024
_MAX_FIELDS = 500
_TEXT_ID = re.compile(r"\s*([A-Za-z0-9-]{1,64})\s*\Z")


class Body(NamedTuple):
    """A response's body as it is read: a JSON `document`, or the `text` of HTML or of a single id."""

    form: str
    document: Any = None
    text: str = ""


NO_BODY = Body("")


class Side:
    """A response, of which each part is read when it is first asked for. `other`: that of the primary, whose body is
    not read once more if this one has the same."""

    def __init__(self, answer: Answer, other: Side | None = None) -> None:
        self.answer = answer
        self.status = answer.status
        self._other = other

    @property
    def kind(self) -> int | None:
        """The first digit of its status."""
        return None if self.status is None else self.status // 100

    @cached_property
    def body(self) -> Body:
        other = self._other
        if other is not None and self.answer.body == other.answer.body and _is_alike(self.answer, other.answer):
            return other.body
        return read_body(self.answer)

    @cached_property
    def cookies(self) -> dict[str, str]:
        return cookies(self.answer) if self._has_named else {}

    @cached_property
    def location(self) -> str:
        return location(self.answer) if self._has_named else ""

    @cached_property
    def _has_named(self) -> bool:
        """Whether there is a field as long as Location or Set-Cookie: few responses have one."""
        return any(len(name) == 8 or len(name) == 10 for name, _ in self.answer.headers)


def _is_alike(one: Answer, other: Answer) -> bool:
    """Whether two responses with the same body are read in the same way."""
    return (one.bytes, one.ended) == (other.bytes, other.ended) and all(
        values_of(one.headers, name) == values_of(other.headers, name)
        for name in (b"content-type", b"content-encoding")
    )


def read_body(response: Answer) -> Body:
    """The body of a response; NO_BODY where it is not whole, too long, or in no form that ids are learned from."""
    body = response.body
    if not body or len(body) < response.bytes or not response.ended:
        return NO_BODY
    declared = media_type(", ".join(values_of(response.headers, b"content-type")))
    codings = ", ".join(values_of(response.headers, b"content-encoding"))
    if codings:
        try:
            body, whole = undo(body, codings, MAX_BODY)
        except CodingError:
            return NO_BODY
        if not whole:
            return NO_BODY
    if len(body) > MAX_BODY:
        return NO_BODY
    form = form_of(declared, body)
    if form == "json":
        try:
            return Body(form, read_document(body))
        except ValueError:
            return NO_BODY
    return Body(form, text=body[:_MAX_HTML].decode("utf-8", "replace")) if form in ("html", "text") else NO_BODY


def cookies(response: Answer) -> dict[str, str]:
    """The cookies that a response sets, without those that it removes."""
    found: dict[str, str] = {}
    for line in values_of(response.headers, b"set-cookie"):
        match = _COOKIE.match(line)
        if match is not None:
            value = match[2].strip()
            if value and len(value) <= MAX_VALUE and not _GONE.search(line):
                found[match[1]] = value
    return found


def cookie_keys(name: str, value: str) -> tuple[Key, ...]:
    """The keys of a cookie. One that carries a CSRF token is repeated in a header field or a form."""
    if is_wide(value) or (is_token_name(name) and "srf" in name.lower()):
        return (COOKIE, name, value), (TOKEN, "", value)
    return ((COOKIE, name, value),)


def etag(response: Answer, target: str) -> Key | None:
    """The key of a response's ETag; `target`: of the request."""
    found = values_of(response.headers, b"etag")
    if len(found) != 1 or len(found[0]) > MAX_VALUE or not _TAG.fullmatch(found[0]):
        return None
    return ETAG, target, found[0]


def location(response: Answer) -> str:
    """The value of Location, or empty."""
    found = values_of(response.headers, b"location")
    return found[0] if found else ""


def html_tokens(text: str) -> dict[str, str]:
    """The CSRF tokens in the inputs and the meta elements of a page, by name."""
    found: dict[str, str] = {}
    for number, field in enumerate(_FIELD.finditer(text)):
        if number >= _MAX_FIELDS:
            break
        values = {name.lower(): one or two or three for name, one, two, three in _ATTRIBUTE.findall(field[0])}
        name, value = values.get("name", ""), values.get("value") or values.get("content", "")
        if name and value and is_token_name(name):
            found[name] = value
    return found


def single_id(body: Body) -> str:
    """The id that a body consists of; empty if it is anything else."""
    if body.form == "json" and (type(body.document) is int or isinstance(body.document, str)):
        text = str(body.document)
        return text if is_short_id(text) or is_wide(text) else ""
    found = _TEXT_ID.match(body.text) if body.form == "text" else None
    return found[1] if found is not None and any(each.isdigit() for each in found[1]) else ""


def single_keys(text: str, endpoint: str) -> tuple[Key, ...]:
    """The keys of a body that is one id."""
    if is_wide(text):
        return ((ID, "", text),)
    return ((ID, endpoint, text),) if endpoint else ()


def is_url(text: str) -> bool:
    """Whether a value is a URL or a path."""
    return 1 < len(text) <= 2000 and (text[0] == "/" or text.startswith(("http://", "https://"))) and " " not in text


def paired_segments(primary: str, shadow: str) -> Iterator[tuple[UrlSpot, str]]:
    """The places in two URLs of one thing where the ids differ, with the mirror's value; none if more differs.

    Paths are compared from their ends, as the mirror's may have a prefix of its own, and parameters by their order.
    """
    ones, others = (list(url_spots(each, _everything)) for each in (primary, shadow))
    for query in (False, True):
        mine = [each for each in ones if each.query == query]
        its = [each for each in others if each.query == query]
        if not query and _words(primary) != _words(shadow)[-len(_words(primary)) :]:
            return
        for one, other in zip(reversed(mine), reversed(its), strict=False):
            alike = _is_id(one.text) and _is_id(other.text) and (not query or one.where == other.where)
            if alike and one.text != other.text:
                yield one, other.text


def _everything(_: str) -> bool:
    return True


def _is_id(text: str) -> bool:
    return is_wide(text) or any(each.isdigit() for each in text)


def _words(url: str) -> list[str]:
    """The segments of a path, `*` for each that may be an id."""
    path = url[max(path_start(url), 0) :].partition("?")[0].partition("#")[0]
    return ["*" if _is_id(each) else each for each in path.split("/") if each]
