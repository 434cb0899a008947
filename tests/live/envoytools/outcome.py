"""What became of one request, as client and recorders saw it or as the route table has it: comparable values."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from livetools.wire import Received
from livetools.wire import Response

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Facts
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.names import authority_port
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.local_address import own_address
from mirror_addon.shadow.request import shadow_request

OWN = own_address().encode()

FACTS = Facts(("127.0.0.1", 0), ("127.0.0.1", 0), "HTTP/1.1", time.time(), socket.gethostname())
"""Of every request of a test; ports and times are not compared."""

MARK = b"x-test-number"
"""Tells the requests of a test from each other, and is not compared."""

ENVOY_ADDS_TO_REQUESTS = {b"x-forwarded-proto", b"x-envoy-external-address", b"x-envoy-internal"}
ENVOY_ADDS_TO_RESPONSES = {b"connection", b"date"}
"""Envoy closes a connection whose request it answered before all of it had come."""
FRAMING = {b"content-length", b"transfer-encoding"}
"""Compared as the body that it frames."""

ENVOY_JOINS = set(
    b"accept accept-encoding access-control-request-headers access-control-request-method authorization cache-control "
    b"content-encoding content-type origin pragma referer user-agent via x-forwarded-for x-forwarded-proto".split()
)
"""Fields of which Envoy keeps one line: what comes on several it joins with commas (RFC 9110 5.2: the same)."""

ENVOY_SAYS_WITHOUT_ENDPOINTS = b"no healthy upstream"

Headers = tuple[tuple[bytes, tuple[bytes, ...]], ...]


def canonical(fields: Iterable[tuple[bytes, bytes]], without: Iterable[bytes]) -> Headers:
    """Lower-case names in order, each with its values in theirs."""
    left_out = {MARK, *without}
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        if name.lower() not in left_out:
            found.setdefault(name.lower(), []).append(value)
    return tuple(
        (name, (_joined(values),) if name in ENVOY_JOINS else tuple(values)) for name, values in sorted(found.items())
    )


def _joined(values: list[bytes]) -> bytes:
    whole = values[0]
    for value in values[1:]:
        whole = whole + b"," + value if whole else value
    return whole


@dataclass(frozen=True, order=True)
class Copy:
    """A request as it arrived somewhere."""

    at: str
    method: bytes
    target: bytes
    authority: bytes
    headers: Headers
    body: bytes

    @classmethod
    def seen(cls, at: str, received: Received) -> Copy:
        headers = canonical(received.headers, ENVOY_ADDS_TO_REQUESTS | FRAMING | {b"host"})
        return cls(at, received.method, received.target, received.value(b"host") or b"", headers, received.body)

    @classmethod
    def made(cls, at: str, method: bytes, target: bytes, authority: bytes, fields: Fields, body: bytes) -> Copy:
        return cls(at, method, target, authority, canonical(fields, ENVOY_ADDS_TO_REQUESTS | FRAMING), body)


@dataclass(frozen=True)
class Outcome:
    """Where a request went and what its client was told."""

    primary: Copy | None
    shadows: tuple[Copy, ...]
    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Sent:
    """A request of a test. Its fields are without Host."""

    method: str = "GET"
    path: str | bytes = "/"
    host: str = "a.test"
    headers: tuple[tuple[str, str | bytes], ...] = ()
    body: bytes = b""

    def wire(self, number: int) -> bytes:
        """Its bytes, with a field that tells it from others."""
        own = b"".join(b"%b: %b\r\n" % (name.encode(), raw(value)) for name, value in self.headers)
        fields = own + b"".join(b"%b: %b\r\n" % field for field in self.fields(number)[len(self.headers) :])
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (self.method.encode(), raw(self.path), self.host.encode())
        return head + fields + b"\r\n" + self.body

    def fields(self, number: int) -> Fields:
        own = tuple((name.encode(), raw(value).strip()) for name, value in self.headers)
        framing = ((b"content-length", b"%d" % len(self.body)),) if self.body else ()
        return (*own, (MARK, b"%d" % number), *framing)

    def request(self, number: int, client: bytes) -> Request:
        authority = self.host.encode()
        port = authority_port(authority, b"http")
        fields = self.fields(number)
        return Request(self.method.encode(), b"http", authority, raw(self.path), fields, port, client, FACTS)


def raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


@dataclass
class Upstreams:
    """Which endpoint is which recorder, by name, and what they answer."""

    names: Mapping[int, str]
    """By port."""
    answer: tuple[int, Fields, bytes] = field(default=(200, ((b"x-upstream", b"1"),), b"ok"))


def computed(table: RouteTable, upstreams: Upstreams, sent: Sent, number: int, draw: int, suffix: str) -> Outcome:
    """What the route table makes of a request."""
    decision = table.route(sent.request(number, OWN), draw)
    if decision.response is not None:
        response = decision.response
        body = b"" if sent.method == "HEAD" or response.status in (204, 304) else response.body
        if decision.action is Action.UNAVAILABLE and sent.method != "HEAD":
            body = ENVOY_SAYS_WITHOUT_ENDPOINTS  # mirror_addon says which endpoints, and how to give them
        without = ENVOY_ADDS_TO_RESPONSES | FRAMING
        if decision.rule is not None and decision.rule.route and decision.cluster and not decision.cluster.exists:
            body = b""  # Envoy says nothing of a cluster that does not exist
            without = without | ({b"content-type"} if response.status == 500 else {b"grpc-message"})
        return Outcome(None, (), response.status, canonical(response.headers, without), body)
    assert decision.action is Action.ROUTE and decision.request is not None and decision.endpoint is not None
    leaves = decision.request
    at = upstreams.names[decision.endpoint.port]
    primary = Copy.made(at, leaves.method, leaves.path, leaves.authority, leaves.headers, sent.body)
    shadows = []
    for mirror in decision.mirrors:
        if not mirror.sampled or mirror.skipped:
            continue
        assert mirror.endpoint is not None
        copy = shadow_request(leaves, mirror, body=len(sent.body), own_address=OWN, suffix=suffix.encode(), timeout=30)
        shadows.append(
            Copy.made(
                upstreams.names[mirror.endpoint.port], copy.method, copy.path, copy.authority, copy.headers, sent.body
            )
        )
    status, fields, body = upstreams.answer
    for edit in decision.response_headers:
        fields = edit.apply(fields, status)
    headers = canonical(fields, ENVOY_ADDS_TO_RESPONSES | FRAMING)
    return Outcome(primary, tuple(sorted(shadows)), status, headers, b"" if sent.method == "HEAD" else body)


def observed(response: Response, primary: Copy | None, shadows: Iterable[Copy]) -> Outcome:
    headers = canonical(response.headers, ENVOY_ADDS_TO_RESPONSES | FRAMING)
    return Outcome(primary, tuple(sorted(shadows)), response.status, headers, response.body)


def difference(expected: Outcome, found: Outcome) -> str:
    """The fields in which two outcomes differ, a line each; empty where they are alike."""
    lines = []
    for name in ("status", "headers", "body", "primary", "shadows"):
        ours, envoys = getattr(expected, name), getattr(found, name)
        if ours != envoys:
            lines.append(f"{name}: Envoy {envoys!r}, mirror_addon {ours!r}")
    return "\n".join(lines)
