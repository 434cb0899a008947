"""Between mitmproxy's flows and the pure core: a flow's head as a `Request`, and a `Decision` done to a flow."""

from __future__ import annotations

import functools
import ipaddress
import uuid
from typing import TYPE_CHECKING

from mitmproxy import http

from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.local_replies import is_grpc

if TYPE_CHECKING:
    from mirror_addon.routing.clusters import Cluster
    from mirror_addon.routing.clusters import Endpoint
    from mirror_addon.routing.decision import Decision

UNROUTED_METHODS = frozenset({b"CONNECT", b"PRI"})
HTTP2_AND_NEWER = frozenset({b"HTTP/2.0", b"HTTP/3"})


@functools.lru_cache(maxsize=1024)
def forwarded_address(peer: str, local_address: bytes) -> bytes:
    """What a peer is called in X-Forwarded-For: its IP, or this machine's for a loopback peer (as Envoy does)."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:  # a Unix socket's path: Envoy appends nothing
        return b""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return local_address if address.is_loopback else str(address).encode()


def authority_port(authority: bytes, scheme: bytes) -> int:
    """The port a client asked for: the authority's, else its scheme's."""
    host, colon, port = authority.rpartition(b":")
    if colon and not host.endswith(b":") and port.isdigit() and (b":" not in host or host.endswith(b"]")):
        return int(port)
    return 443 if scheme == b"https" else 80


def join_cookies(fields: Fields) -> Fields:
    """The crumbs of a Cookie in one field (RFC 9113 8.2.3), as rules see it and HTTP/1 upstreams get it."""
    crumbs = [value for name, value in fields if name == b"cookie"]
    if len(crumbs) < 2:
        return fields
    first = next(index for index, field in enumerate(fields) if field[0] == b"cookie")
    rest = tuple(field for field in fields[first + 1 :] if field[0] != b"cookie")
    return (*fields[:first], (b"cookie", b"; ".join(crumbs)), *rest)


def read_request(flow: http.HTTPFlow, local_address: bytes) -> Request:
    """The head of `flow`'s request as the client sent it.

    The authority is the target's own where it has one (HTTP/2, absolute-form), else Host (RFC 9112 3.2.2); the scheme
    is that of the client's connection, as the listener saw it.
    """
    data = flow.request.data
    authority = data.authority
    fields = data.headers.fields
    host = b""
    others = fields
    for index, (name, value) in enumerate(fields):
        if len(name) == 4 and name.lower() == b"host":
            host = value
            others = fields[:index] + tuple(
                field for field in fields[index + 1 :] if not (len(field[0]) == 4 and field[0].lower() == b"host")
            )
            break
    authority = authority or host
    if data.http_version in HTTP2_AND_NEWER:
        others = join_cookies(others)
    scheme = b"https" if flow.client_conn.tls_established else b"http"
    peer = flow.client_conn.peername
    return Request(
        method=data.method,
        scheme=scheme,
        authority=authority,
        path=data.path,
        headers=others,
        port=authority_port(authority, scheme),
        client=forwarded_address(peer[0], local_address) if peer else b"",
    )


def write_request(flow: http.HTTPFlow, request: Request, cluster: Cluster, endpoint: Endpoint) -> None:
    """Make `flow` go to `endpoint`, as `request`. The original destination is where it would have gone anyway.

    `data` is written directly: the properties of `http.Request` would rewrite Host to the endpoint's address.
    """
    data = flow.request.data
    if endpoint is not ORIGINAL_DESTINATION:
        data.host = endpoint.address
        data.port = endpoint.port
        data.scheme = b"https" if cluster.tls else b"http"
    data.path = request.path
    if data.http_version in HTTP2_AND_NEWER:
        data.authority = request.authority
        data.headers.fields = request.headers
        return
    position, name = 0, b"Host"
    for index, field in enumerate(data.headers.fields):
        if len(field[0]) == 4 and field[0].lower() == b"host":
            position, name = index, field[0]
            break
    data.authority = b""  # absolute-form leaves as origin-form
    data.headers.fields = (*request.headers[:position], (name, request.authority), *request.headers[position:])


def frame_body(flow: http.HTTPFlow, decision: Decision) -> None:
    """Frame a whole HTTP/2 body for an upstream that may speak HTTP/1, also where `frame_stream` did and nothing was
    streamed.

    mitmproxy sends a body that had no Content-Length without any framing at all, and crashes on HTTP/2 request
    trailers; the upstream would read an empty body, then garbage, which may be a request.
    """
    request = flow.request
    if not _is_multiplexed(request):
        return
    plain = request.data.scheme != b"https"
    if not plain and not _may_speak_http1(decision):
        return
    if plain:
        request.trailers = None
    if request.raw_content is None or (request.stream and request.raw_content):
        return  # it has passed as a stream
    if plain:
        request.headers.pop("transfer-encoding", None)
    if request.raw_content and "content-length" not in request.headers:
        request.headers["content-length"] = str(len(request.raw_content))


def frame_stream(flow: http.HTTPFlow) -> None:
    """The same for a body that is or may be streamed, whose length is not known."""
    request = flow.request
    if _is_multiplexed(request) and request.data.scheme != b"https" and "content-length" not in request.headers:
        request.headers["transfer-encoding"] = "chunked"


def can_stream(flow: http.HTTPFlow, decision: Decision) -> bool:
    """Whether a body of unknown length can be streamed to its upstream: behind TLS that may speak HTTP/1, which needs a
    frame, or HTTP/2, where the same frame is an error (RFC 9113 8.2.2)."""
    return not (_is_multiplexed(flow.request) and flow.request.data.scheme == b"https" and _may_speak_http1(decision))


def _may_speak_http1(decision: Decision) -> bool:
    """Of an upstream behind TLS: not by the protocol of its port, nor as gRPC."""
    cluster, request = decision.cluster, decision.request
    return not (cluster and cluster.is_http2) and not (request and is_grpc(request))


def _is_multiplexed(request: http.Request) -> bool:
    """HTTP/2 and 3 tell a body's end without its header fields."""
    return request.data.http_version in HTTP2_AND_NEWER


def is_upgrade(flow: http.HTTPFlow) -> bool:
    """Whether the client asks to leave HTTP (RFC 9110 7.8). Not h2c: mitmproxy takes that offer out of the request."""
    for name, value in flow.request.data.headers.fields:
        if len(name) == 7 and name.lower() == b"upgrade" and value.strip().lower() != b"h2c":
            return "upgrade" in flow.request.headers.get("connection", "").lower()
    return False


def answer(flow: http.HTTPFlow, reply: LocalResponse) -> None:
    """Answer `flow` here.

    A HEAD request and a 304 get the length of the body, not the body; a 204 has neither (RFC 9110 8.6, 9.3.2, 15.4.5).
    """
    response = http.Response.make(reply.status, reply.body, reply.headers)
    if flow.request.data.method == b"HEAD" or reply.status in (204, 304):
        response.data.content = b""
    if reply.status == 204:
        response.headers.pop("content-length", None)
    flow.request.stream = False
    flow.response = response


def no_unix_sockets(cluster: Cluster, endpoint: Endpoint) -> LocalResponse:
    """What mitmproxy cannot do for a primary; the worker can for a shadow."""
    text = (
        f"{cluster.label} listens on {endpoint.address}, and mitmproxy cannot connect to a Unix socket.\n"
        f"Give it an address: --set mirror_endpoints={cluster.label}=ADDRESS:PORT\n"
    )
    return LocalResponse(503, ((b"content-type", b"text/plain"),), text.encode())


def give_request_id(request: Request) -> None:
    """An `x-request-id` for a request that has none."""
    if not any(name.lower() == b"x-request-id" for name, _ in request.headers):
        request.headers = (*request.headers, (b"x-request-id", str(uuid.uuid4()).encode()))
