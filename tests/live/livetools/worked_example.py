"""What the rules in `rules/` must do to a request, said without the code that does it."""

from __future__ import annotations

import ipaddress

from livetools.wire import Received
from livetools.wire import lines

HOST = b"istio.gateway.xxxx.tech"
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"expect"}


def endpoints(v1: object, v2: object) -> tuple[str, ...]:
    """Options that move the example's two subsets to these addresses."""
    return "--set", f"mirror_endpoints=serviceB/v1={v1}", "--set", f"mirror_endpoints=serviceB/v2={v2}"


def request(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """A request for the example's host; `line` is `METHOD TARGET`."""
    return lines(line + b" HTTP/1.1", b"Host: " + HOST, *fields) + body


def address_of_this_machine(hop: bytes) -> bytes:
    """Checks that a hop of X-Forwarded-For is an address others could reach this machine by, and returns it."""
    address = ipaddress.ip_address(hop.decode())
    assert not address.is_loopback
    assert not address.is_unspecified
    return hop


def assert_shadow(primary: Received, shadow: Received) -> None:
    """The shadow is the primary but for Host, X-Forwarded-For and hop-by-hop fields (and where Host stands)."""
    assert shadow.start_line == primary.start_line
    assert shadow.body == primary.body
    assert shadow.value(b"host") == primary.value(b"host") + b"-shadow"
    came = primary.value(b"x-forwarded-for")
    went = shadow.value(b"x-forwarded-for")
    hops, comma, own = went.rpartition(b",")
    assert hops + comma == (came + b"," if came else b"")
    address_of_this_machine(own)
    named = {token.strip().lower() for value in primary.values(b"connection") for token in value.split(b",")}
    dropped = HOP_BY_HOP | named | {b"host", b"x-forwarded-for"}
    kept = [(name, value) for name, value in primary.headers if name.lower() not in dropped]
    assert [(name, value) for name, value in shadow.headers if name.lower() not in dropped] == kept
    assert {name.lower() for name, _ in shadow.headers} & (dropped - {b"host", b"x-forwarded-for", b"te"}) == set()
