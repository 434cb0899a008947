"""URLs that are signed for a time: of AWS, Google Cloud, Azure, CloudFront, Laravel and the like.

Two of them say the same if they name the same thing for an equally long time. The signature is noise then: it is made
of the rest and the time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import parse_qsl

Agree = Callable[[str, str, str], bool]
"""Whether two texts are times that say the same; the first argument is the parameter's name."""

_SIGNATURES = frozenset(
    {"x-amz-signature", "x-goog-signature", "x-oss-signature", "q-signature", "signature", "sig", "hmac"}
)
_WITH_END = frozenset({"token", "hash", "md5", "s", "key", "sign"})
"""Signatures if the URL has an end too."""
_ENDS = frozenset({"expires", "exp", "expiry", "expire", "e", "se", "ske"})
_BEGINNINGS = frozenset({"x-amz-date", "x-goog-date", "x-oss-date", "st", "skt"})
_CREDENTIALS = frozenset({"x-amz-credential", "x-goog-credential", "x-oss-credential"})
_CREDENTIAL = re.compile(r"(?P<key>(?P<temporary>ASIA)?[^/]*)/\d{8}/(?P<scope>.*)", re.DOTALL)
_QUERY = re.compile(r"[?&;~](?:[Xx]-[A-Za-z]{3,4}-|q-)?(?:[Ss]ig(?:n(?:ature)?)?|hmac|token|hash|md5|s|key)=")
_OPAQUE = re.compile(r"[0-9A-Za-z_~+/=. -]{8,4096}")
_EPOCH = re.compile(r'("AWS:EpochTime"\s*:\s*)(\d{10})')
_MAX_PARAMETERS = 100
_SHORTEST, _LONGEST = 0.75, 4 / 3
"""How much shorter or longer one signature may be than the other. DER has no fixed length."""


def may_be_signed(text: str) -> bool:
    """Whether a text has a signed URL in it, by a quick look."""
    return _QUERY.search(text) is not None


def say_the_same(primary: str, shadow: str, agree: Agree) -> bool:
    """Whether two different URLs are signed, and differ in signature and times only."""
    path, _, query = primary.partition("?")
    other_path, _, other_query = shadow.partition("?")
    if path != other_path:
        return False
    fields, others = _fields(query), _fields(other_query)
    if fields is None or others is None or fields.keys() != others.keys():
        return False
    has_end = not _ENDS.isdisjoint(fields)
    if _SIGNATURES.isdisjoint(fields) and not (has_end and not _WITH_END.isdisjoint(fields)):
        return False
    return all(
        value == others[name] or _same(name, value, others[name], has_end, agree) for name, value in fields.items()
    )


def _fields(query: str) -> dict[str, str] | None:
    """The parameters by name in lower case; None if one is there twice."""
    try:
        pairs = parse_qsl(query.replace("&amp;", "&"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return None
    fields = {name.lower(): value for name, value in pairs}
    return _spread(fields) if len(fields) == len(pairs) else None


def _spread(fields: dict[str, str]) -> dict[str, str]:
    """With the parts of parameters that have several: `exp=...~acl=...~hmac=...` of Akamai, `begin;end` of Tencent."""
    spread: dict[str, str] = {}
    for name, value in fields.items():
        if "~hmac=" in value:
            spread |= {part.partition("=")[0]: part.partition("=")[2] for part in value.split("~")}
        elif name in ("q-sign-time", "q-key-time") and value.count(";") == 1:
            spread["st"], _, spread["expires"] = value.partition(";")
        else:
            spread[name] = value
    return spread


def _same(name: str, value: str, other: str, has_end: bool, agree: Agree) -> bool:
    if name in _ENDS or name in _BEGINNINGS:
        return agree(name, value, other)
    if name in _SIGNATURES or name == "x-amz-security-token" or (has_end and name in _WITH_END):
        both_opaque = _OPAQUE.fullmatch(value) and _OPAQUE.fullmatch(other)
        return bool(both_opaque) and _SHORTEST <= len(value) / len(other) <= _LONGEST
    if name in _CREDENTIALS:
        one, two = _CREDENTIAL.fullmatch(value), _CREDENTIAL.fullmatch(other)
        if one is None or two is None or one["scope"] != two["scope"]:
            return False
        return one["key"] == two["key"] or bool(one["temporary"] and two["temporary"])
    return name == "policy" and same_policy(value, other, agree)


def same_policy(value: str, other: str, agree: Agree) -> bool:
    """A policy of CloudFront is JSON in base64, with times in it."""
    texts = []
    for each in (value, other):
        try:
            texts.append(base64.b64decode(each.translate(_CLOUDFRONT)).decode())
        except (binascii.Error, ValueError):
            return False
    times = [[found[2] for found in _EPOCH.finditer(text)] for text in texts]
    if _EPOCH.sub(r"\1", texts[0]) != _EPOCH.sub(r"\1", texts[1]):
        return False
    return len(times[0]) == len(times[1]) and all(map(agree, ("expires",) * len(times[0]), *times))


_CLOUDFRONT = str.maketrans("-_~", "+=/")
