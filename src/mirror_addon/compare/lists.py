"""The meaning of header fields that are lists, sets or directives, in one spelling.

A field whose value is a list may stand on one line or on several, with any white space around the commas, and with
empty elements (RFC 9110 5.3, 5.6.1). Of some fields the elements are a set, so their order does not matter, and some
have names in them whose case does not matter. What is not known to be a list is not split at commas, except that one
line may have become several on the way, or the reverse.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mirror_addon.compare.json_documents import JsonError
from mirror_addon.compare.json_documents import read_json
from mirror_addon.compare.media_types import media_type
from mirror_addon.compare.parameters import challenges
from mirror_addon.compare.parameters import dictionary
from mirror_addon.compare.parameters import extended
from mirror_addon.compare.parameters import with_parameters
from mirror_addon.compare.timestamps import parse_timestamp

Values = list[str]

_ELEMENT = re.compile(r'(?:[^",<]|"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)|<[^>]*(?:>|\Z))+', re.DOTALL)
"""An element: quoted strings, and the URIs of Link, may have commas in them."""

CSP = frozenset({"content-security-policy", "content-security-policy-report-only"})

_NAMES = frozenset(
    (
        "vary", "access-control-allow-headers", "access-control-expose-headers", "accept-ranges", "accept-ch",
        "critical-ch", "trailer", "pragma", "content-language", "accept-encoding", "x-robots-tag",
        "dav", "x-frame-options", "x-content-type-options",
    )
)  # fmt: skip
"""Sets of names whose case does not matter. (RFC 9110 8.5, 12.5.3, 12.5.5, 14.3; Fetch 3.3; RFC 7034)"""
_EXACT = frozenset(
    (
        "allow", "access-control-allow-methods", "timing-allow-origin", "clear-site-data", "cache-tag",
        "edge-cache-tag",
    )
)  # fmt: skip
"""Sets whose elements have case: methods (RFC 9110 9.1), origins."""
_DICTIONARIES = frozenset(
    (
        "permissions-policy", "document-policy", "reporting-endpoints", "priority", "no-vary-search", "ratelimit",
        "digest", "repr-digest", "content-digest", "want-repr-digest", "want-content-digest", "accept-signature",
        "signature", "signature-input",
    )
)  # fmt: skip
"""Dictionaries (RFC 9651 3.2), and what is written like them."""
_WORDS = frozenset({"surrogate-key", "xkey"})
"""Sets between spaces."""
_DIRECTIVES = frozenset(
    {"cache-control", "surrogate-control", "cdn-cache-control", "preference-applied", "expect-ct", "p3p"}
)
"""RFC 9111 5.2: the order does not matter, nor the case of names, nor whether an argument is quoted."""
_FIELD_NAMES = frozenset({"no-cache", "private"})
"""Directives whose argument is a set of field names (RFC 9111 5.2.2.4, 5.2.2.7)."""
_MEDIA_TYPES = frozenset({"accept", "accept-post", "accept-patch", "accept-query"})
_JSON = frozenset({"report-to", "nel"})
"""Lists of JSON objects."""
_WITH_PARAMETERS = frozenset(
    (
        "link", "alt-svc", "cache-status", "proxy-status", "ratelimit-policy", "forwarded", "accept-language",
        "cross-origin-opener-policy", "cross-origin-embedder-policy", "cross-origin-opener-policy-report-only",
        "cross-origin-embedder-policy-report-only", "x-xss-protection",
    )
)  # fmt: skip
"""Elements with parameters, whose own order does not matter (RFC 8288 3, RFC 7838 3, RFC 9211 2)."""
_CHALLENGES = frozenset({"www-authenticate", "proxy-authenticate"})
_ORDERED = frozenset(
    (
        "content-encoding", "via", "warning", "authentication-info", "referrer-policy", "server-timing", "upgrade",
        "x-forwarded-for", *_WITH_PARAMETERS, *_CHALLENGES,
    )
)  # fmt: skip
_ONE_VALUE = frozenset(
    (
        "set-cookie", "date", "expires", "last-modified", "location", "content-location", "etag", "retry-after",
        "age", "server", "content-range", "refresh", "access-control-allow-origin", "sunset",
    )
)  # fmt: skip
"""Fields that are not lists. Those of several lines are compared line by line."""
_SEMICOLONS = frozenset({"strict-transport-security", "feature-policy", "refresh"})
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
        in_order = name in _ORDERED or name in _PARAMETERS or name == "expires"
        return (one, other) if in_order else ([", ".join(values)], [", ".join(others)])
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
    name = name.strip().lower()
    if len(argument) > 1 and argument[0] == argument[-1] == '"':
        argument = argument[1:-1]
    if name in _FIELD_NAMES:
        argument = ", ".join(_names([argument]))
    return f"{name}{equals}{argument}"


def _media_types(values: Values) -> Values:
    return _set(values, media_range)


def media_range(text: str) -> str:
    """A media type, or another value with parameters, in one spelling (RFC 9110 5.6.6, 8.3.1).

    Without the boundary of multipart bodies, which is random.
    """
    name, parameters = media_type(text)
    values = (
        f"{key}={extended(value) if key[-1:] == '*' else value}" for key, value in parameters if key != "boundary"
    )
    return "; ".join([name, *sorted(values)])


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
            directives[name.lower()] = " ".join([name.lower(), *sorted(set(map(_source, sources)))])
    return "; ".join(directives[name] for name in sorted(directives))


def _source(text: str) -> str:
    """A source of a policy: keywords, schemes and hosts have no case (CSP3 2.3.1), nonces, digests and paths have."""
    if text.startswith("'"):
        return text if _WITH_CASE.match(text) else text.lower()
    origin = _ORIGIN.match(text)
    return text if origin is None else origin[0].lower() + text[origin.end() :]


_WITH_CASE = re.compile(r"'(?:nonce|sha\d{3})-", re.IGNORECASE)
_ORIGIN = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:(?://)?)?[^/]*")


def _hops(values: Values) -> Values:
    """The name of the protocol is left out where it is HTTP, or not (RFC 9110 7.6.3)."""
    return [_HTTP.sub("", each) for each in elements(values)]


_HTTP = re.compile(r"HTTP/(?=\d)", re.IGNORECASE)


def _with_parameters(values: Values) -> Values:
    return list(map(with_parameters, elements(values)))


def _dictionary(values: Values) -> Values:
    return dictionary(elements(values))


def _challenges(values: Values) -> Values:
    return challenges(elements(values))


def _words(values: Values) -> Values:
    return sorted({word for value in values for word in value.split()})


def _json(values: Values) -> Values:
    """Objects of JSON as lists of their members. What is no JSON stays as it is."""
    try:
        return [repr(_sorted(each)) for each in read_json(f"[{','.join(values)}]")]
    except JsonError:
        return values


def _sorted(value: object, depth: int = 0) -> object:
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        return [(name, _sorted(value[name], depth + 1)) for name in sorted(value)]
    return [_sorted(each, depth + 1) for each in value] if isinstance(value, list) else value


_MAX_DEPTH = 20


def _expiry(values: Values) -> Values:
    """What is no date says that a response has expired, as a date long ago does (RFC 9111 5.3)."""
    return [_EXPIRED if is_long_ago(each) else each for each in values]


_EXPIRED = "(expired)"
_LONG_AGO = 946684800.0
"""Seconds since the epoch: the year 2000."""


def is_long_ago(text: str) -> bool:
    """Whether an expiry says that something has expired already: no date at all, or one long before any response."""
    time = parse_timestamp(text)
    return time is None or time.seconds < _LONG_AGO


def _ranges(values: Values) -> Values:
    return [unit.lower() + rest for unit, rest in (_split_unit(each) for each in values)]


def _split_unit(text: str) -> tuple[str, str]:
    unit, space, rest = text.partition(" ")
    return unit, space + rest


_SPELLINGS: dict[str, Callable[[Values], Values]] = {
    **dict.fromkeys(_NAMES, _names),
    **dict.fromkeys(_EXACT, _set),
    **dict.fromkeys(_DIRECTIVES, _directives),
    **dict.fromkeys(_MEDIA_TYPES, _media_types),
    **dict.fromkeys(_ORDERED, elements),
    **dict.fromkeys(_DICTIONARIES, _dictionary),
    **dict.fromkeys(_WORDS, _words),
    **dict.fromkeys(_JSON, _json),
    **dict.fromkeys(_WITH_PARAMETERS, _with_parameters),
    **dict.fromkeys(_CHALLENGES, _challenges),
    "content-encoding": _lower,
    "referrer-policy": _lower,
    "via": _hops,
    "expires": _expiry,
    "content-range": _ranges,
    **dict.fromkeys(_SEMICOLONS, _semicolons),
    **dict.fromkeys(_PARAMETERS, _parameters),
    **dict.fromkeys(CSP, _policies),
}
