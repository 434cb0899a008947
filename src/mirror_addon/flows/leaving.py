"""The request as it leaves the proxy, and the response as it came, whatever other addons do to both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from typing import NamedTuple

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.flows.heads import HTTP2_AND_NEWER
from mirror_addon.flows.heads import direct
from mirror_addon.flows.heads import join_cookies
from mirror_addon.routing.names import authority_port
from mirror_addon.routing.names import without_port

if TYPE_CHECKING:
    from mirror_addon.routing.decision import Decision
    from mirror_addon.routing.decision import Request
    from mirror_addon.routing.fields import Fields


Head = tuple["Fields", bytes, bytes, bytes]
"""The parts of a flow's request head: fields, path, method, authority."""


class Response(NamedTuple):
    """A primary's response as it came. `body` is None if it was streamed."""

    message: http.Response
    """mitmproxy's object, for its times. Addons may change it, and put another one in its place."""
    status: int
    body: bytes | None
    trailers: Fields


def head_of(flow: http.HTTPFlow) -> Head:
    """Return the head of `flow`'s request as it is now."""
    data = flow.request.data
    return data.headers.fields, data.path, data.method, data.authority


def leaving_request(flow: http.HTTPFlow, written: Head | None, request: Request) -> Request:
    """Return the request that `flow` sends now.

    `request` is what this addon let pass or made of it, and `written` the head of the flow at that time. While nobody
    has changed a part of the head, `request` is right. None: it is read again in any case.
    """
    data = flow.request.data
    through_proxy = flow.server_conn.via is not None
    if written == (data.headers.fields, data.path, data.method, data.authority) and not through_proxy:
        return request
    host = None
    fields: list[tuple[bytes, bytes]] = []
    for field in data.headers.fields:
        name = field[0].lower()
        if name == b"host":
            host = field[1] if host is None else host
        elif name != b"proxy-authorization" or not through_proxy:  # for the next proxy alone (RFC 9110 11.7.2)
            fields.append(field)
    authority = data.authority or host or b""
    others = tuple(fields)
    if data.http_version in HTTP2_AND_NEWER:
        others = join_cookies(others)
        if data.scheme != b"https" and host is not None:
            authority = host  # mitmproxy puts `:authority` into an HTTP/1 request only where it has no Host
    return replace(request, method=data.method, authority=authority, path=data.path, headers=others)


def goes_where_decided(flow: http.HTTPFlow, decision: Decision) -> bool:
    """Return whether `flow` is sent to the endpoint of its decision. An addon, such as mitmproxy's `map_remote`, may
    have given it another address."""
    endpoint, data = decision.endpoint, flow.request.data
    return endpoint is not None and (data.host, data.port) == (endpoint.address, endpoint.port)


def keep_destination(flow: http.HTTPFlow, decision: Decision) -> None:
    """Send `flow` to the endpoint of its decision after all, if an addon wrote its URL anew with the host and port that
    were asked for. `map_remote` does so where it changes a path only: `pretty_url` has the name, and not the endpoint.
    """
    endpoint, request, cluster, data = decision.endpoint, decision.request, decision.cluster, flow.request.data
    if endpoint is None or request is None or cluster is None or goes_where_decided(flow, decision):
        return
    asked = without_port(request.authority).strip(b"[]").decode("latin-1").lower()
    if data.host.lower() == asked and data.port == authority_port(request.authority, data.scheme):
        direct(flow, cluster, endpoint)


def is_killed(flow: http.HTTPFlow) -> bool:
    """Return whether an addon or a person killed `flow`."""
    return flow.error is not None and flow.error.msg == mitm_flow.Error.KILLED_MESSAGE


def response_as_it_came(flow: http.HTTPFlow) -> Response:
    """Return the response of `flow`, which has one that is complete, before addons get it in `response`."""
    message = flow.response
    assert message is not None
    data = message.data
    return Response(message, data.status_code, data.content, data.trailers.fields if data.trailers else ())
