"""A flow's request head as a `Request`, and a `Decision` applied to a flow.

Theory of operation. Only this room turns mitmproxy's flows into the values of the pure rooms, and applies those to
flows. It runs in the proxy's event loop, in the hooks of `MirrorAddon`:

    requestheaders   `heads.read_request` makes a `Request` of the flow. The table makes a `Decision` of that, and the
                     two are kept as the flow's `Exchange`. `write_request` applies the decision to the flow; a local
                     reply becomes its response (`answer`). `upstream_tls` is told which destination is dialled.
                     Bodies of gRPC are to be streamed (`grpc_streams`).
    next_layer       `prior_knowledge` recognises clients that begin with HTTP/2.
    server_connect,  `upstream_tls` sets up TLS as the DestinationRule of that destination requires, `prior_knowledge`
    tls_start_server HTTP/2 without TLS where a port's protocol says so.
    as it leaves     `frame_body` or `frame_stream` frames a body of HTTP/2 for an HTTP/1 upstream. `leaving` reads the
                     request that is copied, and later the response as it came, before other addons change that.
    response, error  `primary` makes of that response what shadows are compared with.

A primary is edited in `requestheaders`, because `request` would be too late for a body that is streamed. Flows are
edited through `data`, the fields of mitmproxy's messages: their properties keep Host and other fields consistent in
mitmproxy's way, which is not Envoy's.
"""

from __future__ import annotations

import functools
import socket
import uuid
from typing import TYPE_CHECKING

from mitmproxy import connection
from mitmproxy import http

from mirror_addon.flows.hop_by_hop import without_hop_by_hop
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.decision import Facts
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.forwarded import forwarded_address
from mirror_addon.routing.local_replies import is_grpc
from mirror_addon.routing.names import authority_port

if TYPE_CHECKING:
    from mirror_addon.options.settings import Settings
    from mirror_addon.routing.clusters import Cluster
    from mirror_addon.routing.clusters import Endpoint
    from mirror_addon.routing.decision import Decision

UNROUTED_METHODS = frozenset({b"CONNECT", b"PRI"})
HTTP2_AND_NEWER = frozenset({b"HTTP/2.0", b"HTTP/3"})


def join_cookies(fields: Fields) -> Fields:
    """Join Cookie fields that HTTP/2 has split (RFC 9113 8.2.3). Rules match the joined field, and HTTP/1 upstreams
    need it."""
    values = [value for name, value in fields if name == b"cookie"]
    if len(values) < 2:
        return fields
    first = next(index for index, field in enumerate(fields) if field[0] == b"cookie")
    rest = tuple(field for field in fields[first + 1 :] if field[0] != b"cookie")
    return (*fields[:first], (b"cookie", b"; ".join(values)), *rest)


def without_proxy_credentials(fields: Fields) -> Fields:
    """Leave out what the client or mitmproxy's `upstream_auth` says to the upstream proxy (RFC 9110 11.7.2): routed
    requests and shadows do not go there."""
    return tuple(field for field in fields if field[0].lower() != b"proxy-authorization")


def read_request(flow: http.HTTPFlow, local_address: bytes, facts: bool = False) -> Request:
    """Return the head of `flow`'s request as the client sent it.

    The authority is that of the request target if it has one (HTTP/2, absolute-form), else Host (RFC 9112 3.2.2). The
    scheme is that of the client's connection. `local_address` is this machine's, as in X-Forwarded-For. `facts`:
    whether the request needs those.
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
    if flow.server_conn.via is not None:
        others = without_proxy_credentials(others)
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
        facts=facts_of(flow) if facts else None,
    )


def facts_of(flow: http.HTTPFlow) -> Facts:
    """Return what operators in header values say of `flow`. A Unix socket has no address."""
    connection = flow.client_conn
    peer, local = connection.peername, connection.sockname
    version = flow.request.data.http_version.decode("latin-1")
    return Facts(
        peer=(peer[0], peer[1]) if peer else ("", 0),
        local=(local[0], local[1]) if local else ("", 0),
        protocol=version.removesuffix(".0") if version.startswith("HTTP/2") else version,
        start=flow.request.data.timestamp_start,
        hostname=_hostname(),
    )


@functools.lru_cache(maxsize=1)
def _hostname() -> str:
    return socket.gethostname()


def direct(flow: http.HTTPFlow, cluster: Cluster, endpoint: Endpoint) -> None:
    """Send `flow` to `endpoint`. For the original destination its address is left as it is."""
    if endpoint is not ORIGINAL_DESTINATION:
        data = flow.request.data
        data.host = endpoint.address
        data.port = endpoint.port
        data.scheme = b"https" if cluster.tls else b"http"


def write_request(flow: http.HTTPFlow, request: Request, cluster: Cluster, endpoint: Endpoint) -> None:
    """Send `flow` to `endpoint`, as `request`. For the original destination its address is left as it is.

    In mitmproxy's upstream mode it does not go through the proxy. A server of its own says so, because the one that
    the flow has is that of all requests of this client, and others may have to go through the proxy.

    `data` is written directly, because the properties of `http.Request` would set Host to the endpoint's address.
    """
    data = flow.request.data
    if flow.server_conn.via is not None:
        flow.server_conn = connection.Server(address=None)
    direct(flow, cluster, endpoint)
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
    """Frame the whole body of an HTTP/2 request for an upstream that may speak HTTP/1. This replaces the framing of
    `frame_stream` if the body was not streamed after all.

    mitmproxy sends a body that had no Content-Length without any framing, and fails on trailers of an HTTP/2 request.
    The upstream would read an empty body and take the bytes that follow for another request.
    """
    request = flow.request
    if not _is_multiplexed(request):
        return
    plain = request.data.scheme != b"https"
    if not _may_speak_http1(decision, plain=plain):
        return
    if plain:
        request.trailers = None
    if request.raw_content is None or (request.stream and request.raw_content):
        return  # it was streamed
    if plain:
        request.headers.pop("transfer-encoding", None)
    if request.raw_content and "content-length" not in request.headers:
        request.headers["content-length"] = str(len(request.raw_content))


def frame_stream(flow: http.HTTPFlow, decision: Decision) -> None:
    """Frame a body of an HTTP/2 request that is or may be streamed, and whose length is not known."""
    request = flow.request
    plain = _is_multiplexed(request) and request.data.scheme != b"https"
    if plain and "content-length" not in request.headers and _may_speak_http1(decision, plain=True):
        request.headers["transfer-encoding"] = "chunked"


def _may_speak_http1(decision: Decision, *, plain: bool) -> bool:
    """Return whether an upstream may be spoken to in HTTP/1: with TLS because ALPN may choose it, without (`plain`)
    because nothing says that it speaks HTTP/2."""
    cluster, request = decision.cluster, decision.request
    grpc = request is not None and is_grpc(request)
    if cluster is None:
        return plain or not grpc
    return not cluster.speaks_http2(grpc=grpc) and (plain or not grpc)


def _is_multiplexed(request: http.Request) -> bool:
    """Return whether the request came over HTTP/2 or HTTP/3, which need no header field to frame a body."""
    return request.data.http_version in HTTP2_AND_NEWER


def drop_trailers(flow: http.HTTPFlow) -> None:
    """Remove the trailers of a response from a client that speaks HTTP/1: mitmproxy fails on them."""
    if flow.response and not _is_multiplexed(flow.request):
        flow.response.trailers = None


def is_upgrade(flow: http.HTTPFlow) -> bool:
    """Return whether the client asks to change to another protocol (RFC 9110 7.8). h2c is left out, because mitmproxy
    removes that offer from the request."""
    for name, value in flow.request.data.headers.fields:
        if len(name) == 7 and name.lower() == b"upgrade" and value.strip().lower() != b"h2c":
            return "upgrade" in flow.request.headers.get("connection", "").lower()
    return False


def answer(flow: http.HTTPFlow, reply: LocalResponse) -> None:
    """Respond to `flow` with a local reply; it is not sent upstream.

    The response to a HEAD request and a 304 have the length of the body and no body. A 204 has neither (RFC 9110 8.6,
    9.3.2, 15.4.5).
    """
    response = http.Response.make(reply.status, reply.body, reply.headers)
    if flow.request.data.method == b"HEAD" or reply.status in (204, 304):
        response.data.content = b""
    if reply.status == 204:
        response.headers.pop("content-length", None)
    flow.request.stream = False
    flow.response = response


def no_unix_sockets(cluster: Cluster, endpoint: Endpoint) -> LocalResponse:
    """Return the response to a primary whose endpoint is a Unix socket. mitmproxy cannot connect to one; workers can,
    for shadows."""
    name = f"{cluster.host}/{cluster.subset}" if cluster.subset else cluster.host
    text = (
        f"{cluster.label} listens on {endpoint.address}, and mitmproxy cannot connect to a Unix socket.\n"
        f"Set a TCP address: --set mirror_endpoints={name}=ADDRESS:PORT\n"
    )
    return LocalResponse(503, ((b"content-type", b"text/plain"),), text.encode())


def apply_options(flow: http.HTTPFlow, request: Request, settings: Settings) -> None:
    """Do to a routed `request` of `flow` what options ask for beside the rules."""
    if settings.request_id or settings.proxy_headers == "istio":
        give_request_id(request)
    if settings.strip_hop_by_hop and not is_upgrade(flow):
        request.headers = without_hop_by_hop(request.headers)


def give_request_id(request: Request) -> None:
    """Add an `x-request-id` with a random UUID to a request that has none."""
    if not any(name.lower() == b"x-request-id" for name, _ in request.headers):
        request.headers = (*request.headers, (b"x-request-id", str(uuid.uuid4()).encode()))
