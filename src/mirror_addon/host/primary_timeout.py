"""A primary's `timeout`: a request whose response is late gets a 504, as Envoy gives it.

mitmproxy has no way to respond to a request that it has sent. So the response is put where the upstream's would come
from, into the `StreamReader` of its connection, and that connection ends. It then takes the way of every response:
hooks, the route's edits, views. That works for plain HTTP/1. Where the connection is encrypted or multiplexed it is
aborted, and mitmproxy responds with its 502; an attempt to connect is cancelled. A response that has begun is cut off.

Nothing is done for routes without a timeout.
"""

from __future__ import annotations

import asyncio
import weakref
from http import HTTPStatus
from typing import Any

from mitmproxy import ctx
from mitmproxy import http

from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.local_replies import local_reply

BODY = b"upstream request timeout"
"""Envoy's text."""


def start(flow: http.HTTPFlow, request: Request, seconds: float) -> None:
    """Begin to measure: `flow`, whose request is complete and leaves as `request`, has `seconds` for its response.

    The flow is not kept alive.
    """
    asyncio.get_running_loop().call_later(seconds, _expire, weakref.ref(flow), request)


def _expire(reference: weakref.ref[http.HTTPFlow], request: Request) -> None:
    flow = reference()
    if flow is None or not flow.live or flow.error or (flow.response and flow.response.timestamp_end):
        return
    server = ctx.master.addons.get("proxyserver")
    handler = server.connections.get(flow.client_conn.id) if server else None
    if handler is None:
        return
    found = handler.transports.get(flow.server_conn)
    if found is None or found.reader is None:
        _cancel_connecting(handler.transports, flow)
        return
    if flow.response is None and not flow.server_conn.tls and flow.server_conn.alpn is None:
        found.reader.feed_data(_written(flow, local_reply(request, 504, BODY)))
    found.writer.transport.abort()


def _cancel_connecting(transports: Any, flow: http.HTTPFlow) -> None:
    """Cancel attempts to connect to the flow's address."""
    address = (flow.request.host, flow.request.port)
    for connection, transport in list(transports.items()):
        if transport.reader is None and transport.handler is not None and connection.address == address:
            transport.handler.cancel()


def _written(flow: http.HTTPFlow, reply: LocalResponse) -> bytes:
    """Return a response as HTTP/1.1."""
    fields = (*reply.headers, (b"content-length", b"%d" % len(reply.body)), (b"connection", b"close"))
    lines = [b"HTTP/1.1 %d %s" % (reply.status, HTTPStatus(reply.status).phrase.encode())]
    lines += [name + b": " + value for name, value in fields]
    body = b"" if flow.request.method == "HEAD" else reply.body
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
