"""Values of header fields with `%OPERATORS%`, filled in for a request.

What each operator gives, and when, is Envoy's (measured with 1.40): a request's values are made after the removes and
before the sets, adds and rewrites; those of a response see the request as it left. An operator without a value gives
nothing, and a field whose whole value is empty is left alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from urllib.parse import unquote_to_bytes

from mirror_addon.istio.header_values import FILLED
from mirror_addon.istio.header_values import Operator
from mirror_addon.istio.header_values import parse_value
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.lookup import RequestLookup

_DIRECTIVE = re.compile(r"%(?:([1-9]?f)|([A-Za-z%]))")
_STRFTIME = frozenset("YmdHMSjyaAbBpIDTFReuUWwhnC")
_DEFAULT_TIME = "%Y-%m-%dT%H:%M:%S.%3fZ"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the operators of a value see. `fields` and `status` are those of the response, where there is one."""

    request: Request
    route: str
    edge: bool
    cluster: Cluster | None = None
    endpoint: Endpoint | None = None
    """Known for a response only."""
    fields: Fields = ()
    status: int = 0


class Template:
    """A value with operators."""

    __slots__ = ("_parts",)

    def __init__(self, parts: tuple[str | Operator, ...]) -> None:
        self._parts = parts

    def render(self, moment: Moment) -> bytes:
        return b"".join(
            part.encode() if isinstance(part, str) else _value(part, moment)[: part.length] for part in self._parts
        )


def template(value: str) -> Template | None:
    """Return the template of a header value; None for one without operators, or that Envoy refuses."""
    if "%" not in value:
        return None
    try:
        parts = parse_value(value)
    except ValueError:
        return None
    return Template(parts) if any(isinstance(part, Operator) for part in parts) else None


def _value(operator: Operator, moment: Moment) -> bytes:
    name, argument = operator.name, operator.argument
    if name not in FILLED:
        return b""
    if name == "REQ":
        return _first(RequestLookup(moment.request, b"").lines(each) for each in _names(argument))
    if name == "RESP":
        return _first(_lines(moment.fields, each) for each in _names(argument))
    if name == "QUERY_PARAM":
        return unquote_to_bytes(RequestLookup(moment.request, b"").param(argument.encode()) or b"")
    if name == "START_TIME":
        facts = moment.request.facts
        return _time(facts.start, argument or _DEFAULT_TIME) if facts is not None else b""
    if name.startswith("DOWNSTREAM_"):
        return _address(name.removeprefix("DOWNSTREAM_"), moment).encode()
    return _plain(name, moment).encode()


def _plain(name: str, moment: Moment) -> str:
    facts = moment.request.facts
    match name:
        case "PROTOCOL":
            return facts.protocol if facts is not None else ""
        case "HOSTNAME":
            return facts.hostname if facts is not None else ""
        case "ROUTE_NAME":
            return moment.route
        case "RESPONSE_CODE":
            return str(moment.status)
        case "UPSTREAM_HOST":
            return str(moment.endpoint) if moment.endpoint is not None else ""
    cluster = moment.cluster
    return f"outbound|{cluster.port}|{cluster.subset}|{cluster.host}" if cluster is not None else ""


def _names(argument: str) -> Iterator[bytes]:
    return (name.lower().encode() for name in argument.split("?"))


def _first(found: Iterable[list[bytes]]) -> bytes:
    """Return the first line of the first header that is there."""
    return next((lines[0] for lines in found if lines), b"")


def _lines(fields: Fields, name: bytes) -> list[bytes]:
    return [value for known, value in fields if known.lower() == name]


def _address(name: str, moment: Moment) -> str:
    """Return an address of the client's connection, with or without its port, or the port alone."""
    facts = moment.request.facts
    if facts is None:
        return ""
    if name.startswith("LOCAL_"):
        host, port = facts.local
    else:
        host, port = facts.peer
        if not moment.edge and not name.startswith("DIRECT_"):
            host, port = _forwarded(moment.request) or (host, port)
    if name.endswith("_PORT") and not name.endswith("_WITHOUT_PORT"):
        return str(port)
    return host if name.endswith("_WITHOUT_PORT") else str(Endpoint(host, port))


def _forwarded(request: Request) -> tuple[str, int] | None:
    """Return the last address of X-Forwarded-For, which a proxy that is no edge takes for the client's."""
    lines = RequestLookup(request, b"").lines(b"x-forwarded-for")
    last = lines[0].rpartition(b",")[2].strip() if lines else b""
    try:
        return str(ipaddress.ip_address(last.decode("latin-1"))), 0
    except ValueError:
        return None


def _time(start: float, form: str) -> bytes:
    """Return a time in UTC. Beside strftime's directives there are `%s`, seconds, and `%f` or `%3f`, their fraction."""
    moment = datetime.fromtimestamp(start, UTC)
    nanoseconds = f"{int(start * 1_000_000) % 1_000_000:06}000"

    def replaced(found: re.Match[str]) -> str:
        fraction, directive = found[1], found[2]
        if fraction:
            return nanoseconds[: int(fraction[:-1] or 9)]
        if directive == "s":
            return str(int(start))
        if directive == "%":
            return "%"
        return moment.strftime(f"%{directive}") if directive in _STRFTIME else found[0]

    return _DIRECTIVE.sub(replaced, form).encode()
