"""The request of an exchange, from what Envoy tells of it. Pure.

The filter stands directly before Envoy's router. The connection manager has done its part by then: the path is
normalised, the client's address is appended to X-Forwarded-For on an edge, cookies of HTTP/2 are joined, and hop-by-hop
fields are gone. What the router does, rewrites and edits of the route, comes after.
"""

from __future__ import annotations

import functools
import socket
from typing import NamedTuple

from mirror_addon.processor.events import CLIENT
from mirror_addon.processor.events import PROTOCOL
from mirror_addon.processor.events import Head
from mirror_addon.routing.decision import Facts
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.names import authority_port

_FORWARDED = b"x-forwarded-for"
_OWN_OF_ENVOY = frozenset({b"x-envoy-upstream-service-time"})
"""Fields of a response that Envoy's router adds, which the mirror's own response does not have."""


class Arrived(NamedTuple):
    """A request on its way through Envoy."""

    asked: Request
    """As the client sent it, but for its path, which Envoy may have normalised."""
    request: Request
    """As Envoy's router gets it."""
    client: str
    """`ADDRESS:PORT` of the client's end of its connection; empty if Envoy did not tell."""
    upgrade: bool
    """It asks for another protocol (RFC 9110 7.8), or for a tunnel."""
    streamed: bool
    """It has a body, and no field says how long that is: it leaves chunked."""


def read_request(head: Head, start: float, *, edge: bool, facts: bool) -> Arrived:
    """Return the request of a head. `start`: when it came, in seconds since the epoch.

    `edge`: Envoy is one (`use_remote_address`), and has appended its client to X-Forwarded-For. `facts`: whether the
    rules need those.
    """
    pseudo: dict[bytes, bytes] = {}
    fields = []
    upgrade = counted = False
    for name, value in head.fields:
        if name.startswith(b":"):
            pseudo[name] = value
            continue
        fields.append((name, value))
        if name == b"upgrade":
            upgrade = True
        elif name == b"content-length":
            counted = True
    headers = tuple(fields)
    method, scheme = pseudo.get(b":method", b"GET"), pseudo.get(b":scheme", b"http")
    authority, path = pseudo.get(b":authority", b""), pseudo.get(b":path", b"")
    port = authority_port(authority, scheme)
    own, hop = without_hop(headers) if edge else (headers, b"")
    peer = head.attributes.get(CLIENT, "")
    known = _facts(peer, head.attributes.get(PROTOCOL, ""), start) if facts else None
    client = hop or split_address(peer)[0].encode()
    request = Request(method, scheme, authority, path, headers, port, client, known)
    asked = Request(method, scheme, authority, path, own, port, client, known) if own is not headers else request
    return Arrived(asked, request, peer, upgrade or method == b"CONNECT", not head.end and not counted)


def without_hop(fields: Fields) -> tuple[Fields, bytes]:
    """Return the fields without the last hop of X-Forwarded-For, and that hop."""
    for index, (name, value) in enumerate(fields):
        if name == _FORWARDED:
            rest, _, hop = value.rpartition(b",")
            before = ((name, rest.rstrip()),) if rest else ()
            return (*fields[:index], *before, *fields[index + 1 :]), hop.strip()
    return fields, b""


def split_address(text: str) -> tuple[str, int]:
    """Return IP address and port of `127.0.0.1:80` or `[::1]:80`; empty and 0 where it is neither."""
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() else ("", 0)


def read_response(head: Head) -> tuple[int | None, Fields]:
    """Return the status and the header fields of a response, without Envoy's own."""
    status = next((value for name, value in head.fields if name == b":status"), b"")
    fields = tuple([each for each in head.fields if not each[0].startswith(b":") and each[0] not in _OWN_OF_ENVOY])
    return int(status) if status.isdigit() and len(status) == 3 else None, fields


def service_time(head: Head) -> float | None:
    """Return Envoy's own measure of the upstream's time in milliseconds, None where it is not told."""
    for name, value in head.fields:
        if name == b"x-envoy-upstream-service-time" and value.isdigit():
            return float(value[:12])
    return None


def _facts(peer: str, protocol: str, start: float) -> Facts:
    return Facts(split_address(peer), ("", 0), protocol or "HTTP/1.1", start, _hostname())


@functools.lru_cache(maxsize=1)
def _hostname() -> str:
    return socket.gethostname()
