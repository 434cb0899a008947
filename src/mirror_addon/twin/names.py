"""Which places hold identities, and of what: the keys under which a value is learned and looked up.

Theory of operation. A value is translated only where it is the *name of a thing*, never because it looks alike. What it
names is its key:

    ("id", "order", "1007")     a short id: a number, or a text such as `ORD-7`, together with the resource that it is
                                of, by the name of the member (`order_id`), by what it stands in (`$.order.id`), by the
                                segment before it (`/orders/1007`), or by the endpoint (`POST /orders`: `$.id`)
    ("id", "", "0b5f...")       a wide id, which no other value equals by chance: UUID, ULID, ObjectId, long token
    ("token", "", "eyJ...")     a token: a member or field named as one (`access_token`, `csrf`), a bearer token
    ("cookie", "sid", "a1b2")   a cookie, by its name
    ("etag", "/orders/7", '"3"')  an ETag, by the target that it is of

So `quantity: 1007` has no key, and neither has `?page=1007`; `/products/1007` has another one than `/orders/1007`.
Tokens and cookies are private: they are learned by client.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mirror_addon.compare.resources import resource_at
from mirror_addon.compare.resources import resource_of
from mirror_addon.compare.resources import singular

Key = tuple[str, str, str]
"""Kind, space, and the primary's value as text."""

Place = tuple[Key, str]
"""A key, and its scope or, of a private value, its client."""

ID, TOKEN, COOKIE, ETAG = "id", "token", "cookie", "etag"
PRIVATE = frozenset({TOKEN, COOKIE})
MAX_VALUE = 8192
"""Characters of a value. Longer ones are neither learned nor translated."""
_WIDE = re.compile(
    r"\d{15,}"  # snowflakes; more digits than a counter has
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?=[A-Za-z_~+/=.-]*\d)(?=[\d_~+/=.-]*[A-Za-z])[A-Za-z0-9_~+/=.-]{16,}"
)
_MIXED = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,}")
"""Letters and digits without a separator: a token has such a part, `summer-sale-2026-black` has not."""
_TIME = re.compile(r"\d{4}-\d\d|\d{8}T\d{6}")
_SHORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_TOKEN = re.compile(
    r"(?:(?:access|refresh|id|auth|authorization|session|csrf|xsrf|csrfmiddleware|authenticity|requestverification|form|api"
    r"|bearer|security|user|login)?token|jwt|csrf|xsrf|bearer|apikey|sessionkey|sid|sessionid)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_AS_ID = frozenset({"uuid", "guid", "ulid", "ref", "reference", "slug"})
"""Last words of names that are ids as well."""
_COUNTING = frozenset(
    {
        "page",
        "p",
        "version",
        "limit",
        "offset",
        "year",
        "month",
        "day",
        "top",
        "last",
        "first",
        "size",
        "step",
        "max",
        "min",
    }
)
"""Segments after which a number counts, and names nothing."""
_ACTIONS = {
    "checkout": "order", "purchase": "order", "signup": "user", "register": "user", "me": "user", "profile": "user",
}  # fmt: skip
"""What comes of an endpoint that is named for what it does."""
CSRF_HEADERS = frozenset({b"x-csrf-token", b"x-xsrf-token", b"x-csrftoken", b"csrf-token", b"xsrf-token"})


@lru_cache(maxsize=4096)
def is_wide(text: str) -> bool:
    """Whether no other value equals this one by chance."""
    if len(text) < 15 or len(text) > MAX_VALUE or _WIDE.fullmatch(text) is None or _TIME.match(text):
        return False
    return text.isdigit() or text.count("-") == 4 or _MIXED.search(text) is not None


@lru_cache(maxsize=4096)
def is_token_name(name: str) -> bool:
    """Whether a member, field or parameter of this name is a token: `access_token`, `csrfToken`, `_csrf`."""
    return len(name) <= 60 and _TOKEN.fullmatch("".join(_WORD.findall(name)).lower()) is not None


@lru_cache(maxsize=4096)
def _resource(path: str, name: str, endpoint: str) -> str:
    words = _WORD.findall(name)
    if words and words[-1].lower() in _AS_ID:
        name = name[: name.rindex(words[-1])] + "id"
        path = path[: path.rfind(".")] + f".{name}" if "." in path else path
    return resource_at(path, name, endpoint)


def resources(path: str, name: str, endpoint: str) -> tuple[str, ...]:
    """What the id at a path of a document is of: several where that has two names; none if it is no id.

    `endpoint`: of the request, for an id that stands in nothing else.
    """
    found = _resource(path, name, endpoint)
    if not found:
        return ()
    other = _ACTIONS.get(found)
    return (found, other) if other else (found,)


def field_keys(path: str, name: str, text: str, endpoint: str) -> tuple[Key, ...]:
    """The keys of a scalar in a document, a form or a query, the most certain one first; none if it names nothing."""
    if len(text) > MAX_VALUE:
        return ()
    wide = is_wide(text)
    if is_token_name(name) and text:
        return ((TOKEN, "", text), (ID, "", text)) if wide else ((TOKEN, "", text),)
    if wide:
        return (ID, "", text), (TOKEN, "", text)
    return tuple((ID, each, text) for each in resources(path, name, endpoint) if is_short_id(text))


def is_short_id(text: str) -> bool:
    """Whether a text can be an id that is not wide."""
    return _SHORT.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def segment_resource(before: str) -> str:
    """What a path segment is an id of, by the segment before it; empty if that names nothing."""
    if before.lower() in _COUNTING or any(each.isdigit() for each in before) or before[:1] in ("", "{"):
        return ""
    return resource_of("/" + before)


def segment_keys(before: str, text: str) -> tuple[Key, ...]:
    """The keys of a path segment, without its suffix."""
    if is_wide(text):
        return (ID, "", text), (TOKEN, "", text)
    if not is_short_id(text) or not (resource := segment_resource(before)):
        return ()
    return (ID, resource, text), (ID, resource + "#", text)


@lru_cache(maxsize=4096)
def endpoint_resource(target: str) -> str:
    """What the endpoint of a target is about: `order` for `/v1/orders/7?x=1`; empty if it does not say."""
    segments = target.partition("?")[0].split("/")
    for segment in reversed(segments):
        if segment and not any(each.isdigit() for each in segment) and (found := resource_of("/" + segment)):
            return found
    return ""


@lru_cache(maxsize=4096)
def acted_on(target: str) -> str:
    """`order` for `/orders/7/pay`: what the last id in a path is of, if a verb follows; empty for `/orders/7/items`."""
    segments = [each for each in target.partition("?")[0].split("/") if each]
    if len(segments) < 3 or not segments[-1].isalpha() or not any(each.isdigit() for each in segments[-2]):
        return ""
    return segment_resource(segments[-3]) if singular(segments[-1].lower()) == segments[-1].lower() else ""


def type_resource(document: dict[str, object]) -> str:
    """What an object says that it is: `type` of JSON:API, `__typename` of GraphQL, `object` of others."""
    for name in ("type", "__typename", "object", "kind"):
        value = document.get(name)
        if isinstance(value, str) and 2 < len(value) <= 40 and value.replace("-", "").replace("_", "").isalpha():
            return singular("".join(_WORD.findall(value)).lower())
    return ""
