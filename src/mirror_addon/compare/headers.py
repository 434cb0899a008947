"""Header fields compared: by name, whatever its case and place, with all their values."""

from __future__ import annotations

import re

from mirror_addon.compare.fields import compare_values
from mirror_addon.compare.findings import Findings
from mirror_addon.compare.media_types import media_type
from mirror_addon.compare.moments import moment
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.values import short

NEVER_COMPARED = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})
"""Of the connection, or told by the body."""

_TIMING = re.compile(
    r"server-timing|x-runtime|x-(?:response|process|processing|request)-(?:time|duration)"
    r"|x-envoy-upstream-service-time|x-kong-(?:upstream|proxy|response)-latency"
)
_ETAG = re.compile(r'(W/)?"[^"]*"')
_NUMBER = re.compile(r"\d{1,15}")

Headers = tuple[tuple[bytes, bytes], ...]
Values = dict[str, list[str]]


def compare_headers(findings: Findings, primary: Headers, shadow: Headers) -> None:
    """Compare all fields but those of NEVER_COMPARED. The order of fields of different names does not matter."""
    there, here = values_by_name(primary), values_by_name(shadow)
    if there == here:
        return
    for name in dict.fromkeys((*there, *here)):
        values, others = there.get(name, []), here.get(name, [])
        if values == others or name in NEVER_COMPARED:
            continue
        place = findings.place(f"header:{short(name)}")
        if name == "set-cookie" and values and others:
            _compare_cookies(findings, values, others)
            continue
        if name == "content-type":
            values, others = _types(values), _types(others)
        compare_values(findings, place, values, others, _shape(name, values, others))


def values_by_name(headers: Headers) -> Values:
    """All values of each field, names in lower case."""
    values: Values = {}
    for name, value in headers:
        values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip(" \t"))
    return values


def _shape(name: str, primary: list[str], shadow: list[str]) -> str:
    """The shape that all values of a field have on both sides by its name, or empty."""
    values = (*primary, *shadow)
    if _TIMING.fullmatch(name):
        return "timing"
    if name == "etag" and all(map(_ETAG.fullmatch, values)):
        return "etag" if len({value.startswith("W/") for value in values}) == 1 else ""
    if name == "age" and all(map(_NUMBER.fullmatch, values)):
        return "age"
    if name == "date" and all(map(moment, values)):
        return "time"
    return ""


def _types(values: list[str]) -> list[str]:
    """Content types spelled one way, without the boundary, which is made up for each body."""
    told = []
    for value in values:
        name, parameters = media_type(value)
        told.append("; ".join([name, *sorted(f"{key}={value}" for key, value in parameters if key != "boundary")]))
    return told


def _compare_cookies(findings: Findings, primary: list[str], shadow: list[str]) -> None:
    """By the cookie's name: its value is a session's where it looks like a token, its attributes have to agree."""
    place = findings.place("header:set-cookie")
    there, here = _cookies(primary), _cookies(shadow)
    for name in dict.fromkeys((*there, *here)):

        def where(name: str = name) -> str:
            return f"header:set-cookie[{short(name)}]"

        if name not in there or name not in here:
            findings.add(place, "extra" if name not in there else "missing", there.get(name), here.get(name), where)
            continue
        if there[name] == here[name]:
            continue
        told = (there[name], here[name])
        for value, other, shape in zip(_parts(told[0]), _parts(told[1]), ("cookie", "", ""), strict=True):
            if value != other:
                shape = shape if Shapes.alike(value, other) else ""
                findings.add(place, "value", value, other, where, shape=shape, excerpt=told)


def _cookies(values: list[str]) -> dict[str, str]:
    return {value.partition("=")[0].strip(): value for value in values}


def _parts(cookie: str) -> tuple[str, str, str]:
    """A cookie's value, the time that it expires at, and its other attributes."""
    pair, _, rest = cookie.partition(";")
    expires, others = "", []
    for each in rest.split(";"):
        name, _, value = each.strip().partition("=")
        if name.lower() == "expires":
            expires = value
        elif name:
            others.append(f"{name.lower()}={value}")
    return pair.partition("=")[2].strip(), expires, "; ".join(sorted(others))
