"""Header values of `set` and `add` as Envoy reads them: text with `%COMMAND(argument):length%` operators.

The grammar is that of Envoy's `SubstitutionFormatParser`, measured with 1.40. Istio checks less
(`pkg/config/validation/header_value_validator.go`): a value that passes there can still make Envoy refuse the whole
route configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPERATOR = re.compile(r"%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::([0-9]+))?%")
_FIELD_NAME = re.compile(r":?[-!#$&'*+.^_`|~0-9A-Za-z]*")

_BY_NAME = frozenset({"REQ", "RESP", "TRAILER"})
"""Operators whose argument is a header name, or two with a `?` between them."""
_PLAIN = frozenset(
    [
        "PROTOCOL",
        "ROUTE_NAME",
        "HOSTNAME",
        "RESPONSE_CODE",
        "UPSTREAM_HOST",
        "UPSTREAM_CLUSTER",
        "UPSTREAM_CLUSTER_RAW",
        "DOWNSTREAM_REMOTE_ADDRESS",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_REMOTE_PORT",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_DIRECT_REMOTE_PORT",
        "DOWNSTREAM_LOCAL_ADDRESS",
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_LOCAL_PORT",
    ]
)
FILLED = _PLAIN | {"REQ", "RESP", "QUERY_PARAM", "START_TIME"}
"""The operators that this proxy fills in."""
_EMPTY = frozenset(
    [
        "TRAILER",
        "PATH",
        "CEL",
        "COALESCE",
        "METADATA",
        "DYNAMIC_METADATA",
        "CLUSTER_METADATA",
        "UPSTREAM_METADATA",
        "FILTER_STATE",
        "UPSTREAM_FILTER_STATE",
        "ENVIRONMENT",
        "FILE_CONTENT",
        "TYPED_FILTER_STATE",
    ]
)
"""Operators with an argument that have no value here."""
_EMPTY_PLAIN = re.compile(
    r"(?:DOWNSTREAM|UPSTREAM|REQUEST|RESPONSE|BYTES|CONNECTION|FILTER_CHAIN|TLS|ACCESS_LOG)_[A-Z0-9_]+"
    r"|REQUESTED_SERVER_NAME|VIRTUAL_CLUSTER_NAME|STREAM_ID|UNIQUE_ID|TRACE_ID|SPAN_ID|DURATION|COMMON_DURATION"
    r"|ROUNDTRIP_DURATION|GRPC_STATUS|GRPC_STATUS_NUMBER|START_TIME_LOCAL|EMIT_TIME|EMIT_TIME_LOCAL|LOCAL_REPLY_BODY"
    r"|CUSTOM_FLAGS|QUERY_PARAMS|JA3_FINGERPRINT"
)
"""Operators that Envoy knows and that have no value here: what they name is not known where headers are edited."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a value."""

    name: str
    argument: str = ""
    length: int | None = None
    """The longest text that it gives; None: no limit."""


def parse_value(value: str) -> tuple[str | Operator, ...]:
    """Return a value as texts, in which `%%` has become `%`, and operators.

    Raises ValueError, with the reason, for a value that Envoy refuses.
    """
    parts: list[str | Operator] = []
    text, position = "", 0
    while (percent := value.find("%", position)) >= 0:
        text += value[position:percent]
        if value.startswith("%%", percent):
            text, position = text + "%", percent + 2
            continue
        found = _OPERATOR.match(value, percent)
        if found is None:
            raise ValueError(f"no operator of the form %NAME(argument)% begins at {value[percent : percent + 20]!r}")
        if text:
            parts.append(text)
        parts.append(_operator(found[1], found[2], found[3]))
        text, position = "", found.end()
    text += value[position:]
    return (*parts, text) if text else tuple(parts)


def header_value_problem(value: str) -> str | None:
    """Return why Envoy refuses a value, or None."""
    try:
        parse_value(value)
    except ValueError as error:
        return str(error)
    return None


def _operator(name: str, argument: str | None, length: str | None) -> Operator:
    if name in _BY_NAME:
        if not argument:
            raise ValueError(f"%{name}% needs the name of a header field: %{name}(NAME)%")
        names = argument.split("?")
        if len(names) > 2 or not all(map(_FIELD_NAME.fullmatch, names)):
            raise ValueError(f"%{name}({argument})%: write one header name, or two with '?' between them")
    elif name == "QUERY_PARAM" and not argument:
        raise ValueError("%QUERY_PARAM% needs the name of a query parameter")
    elif name == "START_TIME":
        if length is not None:
            raise ValueError("%START_TIME% has no length")
    elif name in _PLAIN or _EMPTY_PLAIN.fullmatch(name):
        if length is not None or argument:
            raise ValueError(f"%{name}% has no argument and no length")
    elif name not in _EMPTY and name != "QUERY_PARAM":
        raise ValueError(f"Envoy knows no operator %{name}%")
    return Operator(name, argument or "", int(length) if length is not None else None)
