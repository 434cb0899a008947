"""Small messages of Envoy's API: durations, fractions, string matchers, addresses."""

from __future__ import annotations

from typing import Any

from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.fractions import HUNDRED
from mirror_addon.routing.fractions import Fraction

Message = dict[str, Any]
"""A protobuf message in its JSON form, fields in snake_case."""

_TYPE = "type.googleapis.com/envoy"


def typed(name: str, /, **fields: Any) -> Message:
    """Return a protobuf `Any`; `name` is the type without the leading `envoy.`."""
    return {"@type": f"{_TYPE}.{name}", **fields}


def duration(seconds: float) -> str:
    """Return seconds in protobuf's JSON form, `1.5s`, with up to nine decimals."""
    text = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{text}s"


def fraction(value: Fraction) -> Message:
    """Return a FractionalPercent with the denominator that Istio gives it."""
    return {"numerator": value.numerator, "denominator": "HUNDRED" if value.denominator == HUNDRED else "MILLION"}


def safe_regex(pattern: str) -> Message:
    return {"regex": pattern}


def string_matcher(match: StringMatch) -> Message | None:
    """Return a StringMatcher; None where every value meets the match.

    Where a document sets several members of the oneof, the last declared one wins, as in protobuf's JSON parser.
    """
    if match.regex is not None:
        # Envoy rejects an empty regex, which would match only the empty value.
        return {"safe_regex": safe_regex(match.regex)} if match.regex else {"exact": ""}
    if match.prefix is not None:
        return {"prefix": match.prefix} if match.prefix else None
    if match.exact is not None:
        return {"exact": match.exact}
    return None


def endpoint_address(endpoint: Endpoint) -> Message:
    if endpoint.address.startswith("unix:"):
        path = endpoint.address.removeprefix("unix:")
        return {"pipe": {"path": "/" + path.lstrip("/") if path.startswith("/") else path}}
    return socket_address(endpoint.address, endpoint.port)


def socket_address(address: str, port: int) -> Message:
    return {"socket_address": {"address": address, "port_value": port}}
