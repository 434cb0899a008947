"""The meaning of header fields that are lists, sets or directives, in one spelling.

A field whose value is a list may stand on one line or on several, with any white space around the commas, and with
empty elements (RFC 9110 5.3, 5.6.1). Of some fields the elements are a set, so their order does not matter, and some
have names in them whose case does not matter. What is not known to be a list is not split at commas, except that one
line may have become several on the way, or the reverse.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mirror_addon.compare.media_types import media_type

Values = list[str]

_ELEMENT = re.compile(r'(?:[^",<]|"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)|<[^>]*(?:>|\Z))+', re.DOTALL)
"""An element: quoted strings, and the URIs of Link, may have commas in them."""

CSP = frozenset({"content-security-policy", "content-security-policy-report-only"})

_NAMES = frozenset(
    (
        "vary", "access-control-allow-headers", "access-control-expose-headers", "accept-ranges", "accept-ch",
        "critical-ch", "trailer", "pragma", "content-language", "accept-encoding", "x-robots-tag",
        "preference-applied", "dav", "x-frame-options", "x-content-type-options",
    )
)  # fmt: skip
"""Sets of names whose case does not matter. (RFC 9110 8.5, 12.5.3, 12.5.5, 14.3; Fetch 3.3; RFC 7034)"""
_EXACT = frozenset(
    (
        "allow", "access-control-allow-methods", "timing-allow-origin", "clear-site-data", "permissions-policy",
        "reporting-endpoints", "digest", "repr-digest", "content-digest", "cache-tag",
    )
)  # fmt: skip
"""Sets whose elements have case: methods (RFC 9110 9.1), origins, dictionaries (RFC 8941 3.2)."""
_DIRECTIVES = frozenset({"cache-control", "surrogate-control", "cdn-cache-control"})
"""RFC 9111 5.2: the order does not matter, nor the case of names, nor whether an argument is quoted."""
_MEDIA_TYPES = frozenset({"accept", "accept-post", "accept-patch"})
_ORDERED = frozenset(
    (
        "content-encoding", "via", "link", "warning", "www-authenticate", "proxy-authenticate",
        "authentication-info", "referrer-policy", "alt-svc", "server-timing", "upgrade", "accept-language",
        "forwarded", "x-forwarded-for",
    )
)  # fmt: skip
_ONE_VALUE = frozenset(
    (
        "set-cookie", "date", "expires", "last-modified", "location", "content-location", "etag", "retry-after",
        "age", "server", "content-range", "refresh", "access-control-allow-origin", "sunset", "p3p", "nel",
        "report-to",
    )
)  # fmt: skip
"""Fields that are not lists. Those of several lines are compared line by line."""
_SEMICOLONS = frozenset({"strict-transport-security", "feature-policy"})
"""Directives between semicolons, in any order (RFC 6797 6.1)."""
_PARAMETERS = frozenset({"content-disposition", "content-type"})


def in_one_spelling(name: str, values: Values, others: Values) -> tuple[Values, Values] | None:
    """The parts of a field that are to be compared one by one; None if both sides mean the same.

    `name` is lower case. `values`, `others` are the field's lines on both sides. A set is one part, because its
    elements have no order.
    """
    write = _SPELLINGS.get(name)
    if write is not None:
        one, other = write(values), write(others)
        if one == other:
            return None
        return (one, other) if name in _ORDERED or name in _PARAMETERS else ([", ".join(values)], [", ".join(others)])
    if len(values) != len(others) and name not in _ONE_VALUE and elements(values) == elements(others):
        return None
    return values, others


def elements(values: Values) -> Values:
    """The elements of all lines (RFC 9110 5.6.1), without empty ones."""
    text = ",".join(values)
    parts = _ELEMENT.findall(text) if '"' in text or "<" in text else text.split(",")
    return [element for part in parts if (element := part.strip(" \t"))]


def _set(values: Values, write: Callable[[str], str] = str) -> Values:
    return sorted({write(each) for each in elements(values)})


def _names(values: Values) -> Values:
    return _set(values, str.lower)


def _lower(values: Values) -> Values:
    return [each.lower() for each in elements(values)]


def _directives(values: Values) -> Values:
    return _set(values, _directive)


def _directive(text: str) -> str:
    name, equals, argument = text.partition("=")
    argument = argument.strip()
    if len(argument) > 1 and argument[0] == argument[-1] == '"':
        inner = argument[1:-1]
        # The argument of no-cache and private is a set of field names.
        argument = ", ".join(_names([inner])) if "," in inner else inner
    return f"{name.strip().lower()}{equals}{argument}"


def _media_types(values: Values) -> Values:
    return _set(values, media_range)


def media_range(text: str) -> str:
    """A media type, or another value with parameters, in one spelling (RFC 9110 5.6.6, 8.3.1).

    Without the boundary of multipart bodies, which is random.
    """
    name, parameters = media_type(text)
    return "; ".join([name, *sorted(f"{key}={value}" for key, value in parameters if key != "boundary")])


def _parameters(values: Values) -> Values:
    return [media_range(value) for value in values]


def _semicolons(values: Values) -> Values:
    parts = (part.strip() for value in values for part in value.split(";"))
    return sorted({_directive(part) for part in parts if part})


def _policies(values: Values) -> Values:
    """Content security policies (CSP3 2.2): a list of policies, each with directives, each with a set of sources."""
    return sorted(filter(None, (_policy(text) for text in ",".join(values).split(","))))


def _policy(text: str) -> str:
    directives: dict[str, str] = {}
    for part in text.split(";"):
        name, *sources = part.split() or [""]
        if name and name.lower() not in directives:  # later ones are ignored (CSP3 2.2.1)
            directives[name.lower()] = " ".join([name.lower(), *sorted(set(sources))])
    return "; ".join(directives[name] for name in sorted(directives))


_SPELLINGS: dict[str, Callable[[Values], Values]] = {
    **dict.fromkeys(_NAMES, _names),
    **dict.fromkeys(_EXACT, _set),
    **dict.fromkeys(_DIRECTIVES, _directives),
    **dict.fromkeys(_MEDIA_TYPES, _media_types),
    **dict.fromkeys(_ORDERED, elements),
    "content-encoding": _lower,
    **dict.fromkeys(_SEMICOLONS, _semicolons),
    **dict.fromkeys(_PARAMETERS, _parameters),
    **dict.fromkeys(CSP, _policies),
}
