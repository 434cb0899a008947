"""Compare header fields by name, with all their values."""

from __future__ import annotations

import re
from urllib.parse import unquote

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.lists import in_one_spelling
from mirror_addon.compare.lists import is_long_ago
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.signed_tokens import is_signed
from mirror_addon.compare.timestamps import parse_timestamp
from mirror_addon.compare.values import short

NEVER_COMPARED = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection"})
"""Fields of the connection (RFC 9110 7.6.1), and Content-Length, which the comparison of the bodies covers."""

_TIMING = re.compile(
    r"server-timing|x-runtime|x-(?:response|process|processing|request)-(?:time|duration)"
    r"|x-envoy-upstream-service-time|x-kong-(?:upstream|proxy|response)-latency"
)
# RFC 9110 8.8.3
_ETAG = re.compile(r'(W/)?"[^"]*"')
_NUMBER = re.compile(r"\d{1,15}")
_OF_THIS_CHALLENGE = re.compile(r'(?<![\w-])(nonce|opaque)=(?:"([^"]*)"|([^,\s]+))')
"""What a server draws anew for each challenge (RFC 7616 3.3)."""
_NO_CASE = frozenset({"samesite", "priority", "domain"})
"""Attributes of cookies whose values have no case (RFC 6265 5.2.3)."""
_FLAGS = frozenset({"secure", "httponly", "partitioned"})
"""Attributes of cookies whose values mean nothing (RFC 6265 5.2.5, 5.2.6)."""

Headers = tuple[tuple[bytes, bytes], ...]
HeaderValues = dict[str, list[str]]


def compare_headers(differences: Differences, primary: Headers, shadow: Headers) -> None:
    """Compare all fields except those of NEVER_COMPARED, by what they mean (`lists`).

    Case and order of names do not matter; the values of one name have an order (RFC 9110 5.3), unless they are a set.
    """
    primary, shadow = _differing(primary, shadow)
    by_name, others_by_name = values_by_name(primary), values_by_name(shadow)
    if by_name == others_by_name:
        return
    for name in dict.fromkeys((*by_name, *others_by_name)):
        values, others = by_name.get(name, []), others_by_name.get(name, [])
        if values == others or name in NEVER_COMPARED:
            continue
        place = differences.place(f"header:{short(name)}")
        if values and others:
            if name == "set-cookie":
                _compare_cookies(differences, values, others)
                continue
            parts = in_one_spelling(name, values, others)
            if parts is None or _unfolded(*parts, primary, shadow):
                continue
            values, others = parts
        compare_values(differences, place, values, others, _shape(name, values, others))


def _differing(primary: Headers, shadow: Headers) -> tuple[Headers, Headers]:
    """The fields of both without those that are the same on both sides, where that is soon seen: most are."""
    if len(primary) != len(shadow):
        return primary, shadow
    names = {
        name.lower() for one, other in zip(primary, shadow, strict=True) if one != other for name, _ in (one, other)
    }
    one, other = (tuple([each for each in fields if each[0].lower() in names]) for fields in (primary, shadow))
    return one, other


def values_by_name(headers: Headers) -> HeaderValues:
    """The values of each field as Latin-1 text, by its name in lower case, folded lines as one (RFC 9112 5.2)."""
    values: HeaderValues = {}
    for name, value in headers:
        text = value.decode("latin-1").strip(" \t\r\n")
        if "\n" in text:
            text = " ".join(line.strip(" \t\r") for line in text.split("\n"))
        values.setdefault(name.decode("latin-1").lower(), []).append(text)
    return values


def values_of(headers: Headers, name: bytes) -> list[str]:
    """The values of one field, whose name is in lower case. Quicker than `values_by_name`."""
    return [
        value.decode("latin-1").strip(" \t\r\n")
        for each, value in headers
        if len(each) == len(name) and each.lower() == name
    ]


def _unfolded(values: list[str], others: list[str], primary: Headers, shadow: Headers) -> bool:
    """Whether two fields differ in nothing except how many spaces a folded line became."""
    if [value.split() for value in values] != [value.split() for value in others]:
        return False
    return any(b"\n" in value for _, value in (*primary, *shadow))


def _shape(name: str, primary: list[str], shadow: list[str]) -> str:
    """The known shape of all values of a field on both sides, derived from its name, or empty."""
    values = (*primary, *shadow)
    if _TIMING.fullmatch(name):
        return "timing"
    if name == "etag" and all(map(_ETAG.fullmatch, values)):
        return "etag" if len({value.startswith("W/") for value in values}) == 1 else ""
    if name == "age" and all(map(_NUMBER.fullmatch, values)):
        return "age"
    if name == "date" and all(map(parse_timestamp, values)):
        return "time"
    if name.endswith("-authenticate"):
        return _challenge_shape(primary, shadow)
    return ""


def _challenge_shape(primary: list[str], shadow: list[str]) -> str:
    """`id` if challenges differ only in what is drawn anew for each."""
    texts = [_OF_THIS_CHALLENGE.sub(r"\1", ", ".join(values)) for values in (primary, shadow)]
    drawn, others = ([a or b for _, a, b in _OF_THIS_CHALLENGE.findall(", ".join(each))] for each in (primary, shadow))
    if texts[0] != texts[1]:
        return ""
    return "id" if all(one == other or _alike(one, other) for one, other in zip(drawn, others, strict=True)) else ""


def _compare_cookies(differences: Differences, primary: list[str], shadow: list[str]) -> None:
    """Compare Set-Cookie fields by cookie. Values that look like session tokens are noise; attributes must agree."""
    place = differences.place("header:set-cookie")
    cookies, others = _cookies(primary), _cookies(shadow)
    for name in dict.fromkeys((*cookies, *others)):

        def where(name: str = name) -> str:
            return f"header:set-cookie[{short(name)}]"

        cookie, other = cookies.get(name), others.get(name)
        if cookie == other:
            continue
        if cookie is None or other is None:
            differences.add(place, "extra" if cookie is None else "missing", cookie, other, where)
            continue
        parts = "policy" if name.startswith(_POLICY) else "value", "expires", ""
        for ours, theirs, part in zip(_parts(cookie), _parts(other), parts, strict=True):
            if ours != theirs:
                # A token that can be read is compared by what it says.
                readable = is_signed(ours) and is_signed(theirs)
                opaque = part == "value" and _alike(ours, theirs) and not readable
                shape = "cookie" if opaque else ""
                differences.add(place, "value", ours, theirs, where, shape=shape, excerpt=(cookie, other), name=part)


_POLICY = "CloudFront-Policy"
"""A cookie with a policy that can be read, as a signed URL has it."""


def _alike(ours: str, theirs: str) -> bool:
    """Whether two values are opaque tokens. Express writes `s%3A` before one. A URL is none."""
    texts = [unquote(each) if "%" in each else each for each in (ours, theirs)]
    return not any("://" in text for text in texts) and Shapes.alike(*(text.replace(":", "_") for text in texts))


def _cookies(values: list[str]) -> dict[str, str]:
    """The cookies by name, those of one name by domain and path too (RFC 6265 5.3)."""
    cookies = {value.partition("=")[0].strip(): value for value in values}
    if len(cookies) == len(values):
        return cookies
    return {f"{value.partition('=')[0].strip()}; {_scope(value)}": value for value in values}


def _scope(cookie: str) -> str:
    attributes = _parts(cookie)[2].split("; ")
    return "; ".join(each for each in attributes if each.startswith(("domain=", "path=")))


def _parts(cookie: str) -> tuple[str, str, str]:
    """A cookie's value, its Expires attribute, and its other attributes in one spelling (RFC 6265 5.2, 5.3).

    Of two attributes of one name the last one counts. An expiry long ago removes a cookie, whenever it was.
    """
    pair, _, rest = cookie.partition(";")
    attributes: dict[str, str] = {}
    for each in rest.split(";"):
        name, _, value = each.partition("=")
        if name := name.strip().lower():
            value = value.strip()
            attributes[name] = "" if name in _FLAGS else value.lower() if name in _NO_CASE else value
    if "domain" in attributes:
        attributes["domain"] = attributes["domain"].removeprefix(".")
    if attributes.get("max-age", "").startswith("-"):
        attributes["max-age"] = "0"  # any that is not above 0 removes the cookie
    expires = attributes.pop("expires", "")
    if expires and parse_timestamp(expires) and is_long_ago(expires):
        expires = _REMOVED
    others = "; ".join(sorted(f"{name}={value}" for name, value in attributes.items()))
    return pair.partition("=")[2].strip(), expires, others


_REMOVED = "(removed)"
