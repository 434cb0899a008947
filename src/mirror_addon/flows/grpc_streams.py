"""gRPC messages are passed on as they flow.

mitmproxy gathers a body before it passes it on. A client that waits for a response before it sends its next message,
or a server that sends one a minute, would wait for ever. So the bodies of gRPC over HTTP/2 are streamed in both
directions, and copies of their beginnings become the contents of the flow when they are complete, for views, files
and comparison. A gRPC-Web request is one message, and is gathered; its response may be many, and is streamed.

The cost is that scripts and options that edit a body, or respond, in `request` or `response` come too late for these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy import http

from mirror_addon.flows.body_copy import BodyCopy

if TYPE_CHECKING:
    from mirror_addon.flows.exchange import Exchange

_HTTP2 = b"HTTP/2.0"


def is_grpc(request: http.Request) -> bool:
    """Return whether a request is gRPC or gRPC-Web."""
    return request.data.method == b"POST" and _is_grpc(request)


def stream_request(flow: http.HTTPFlow, exchange: Exchange, *, gather: bool) -> None:
    """Pass the request's body on as it comes, unless it is gRPC-Web or has to be gathered (`gather`). A function of
    another addon in `request.stream` stays."""
    exchange.grpc = flow.request.data.http_version == _HTTP2 and not _is_web(flow.request)
    if exchange.grpc and not gather and not callable(flow.request.stream):
        exchange.request_copy = BodyCopy()
        flow.request.stream = exchange.request_copy


def stream_response(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """In `responseheaders`: pass the response's body on as it comes, if it is gRPC or gRPC-Web."""
    assert flow.response
    if _is_grpc(flow.response) and not callable(flow.response.stream):
        exchange.response_copy = BodyCopy()
        flow.response.stream = exchange.response_copy
        from_http2 = flow.request.data.http_version == b"HTTP/1.1" and flow.response.data.http_version == _HTTP2
        if from_http2 and "content-length" not in flow.response.headers:
            if exchange.answer_fields is None:
                exchange.answer_fields = flow.response.headers.fields
            flow.response.headers["transfer-encoding"] = "chunked"


def keep_request(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Give the flow the copy of its request's body, which has ended."""
    if exchange.request_copy is not None and flow.request.data.content is None:
        flow.request.data.content = exchange.request_copy.content


def keep_response(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Give the flow the copy of its response's body, which has ended or was cut off."""
    if exchange.response_copy is not None and flow.response and flow.response.data.content is None:
        flow.response.data.content = exchange.response_copy.content


def _is_grpc(message: http.Message) -> bool:
    for name, value in message.data.headers.fields:
        if len(name) == 12 and name.lower() == b"content-type":
            return bool(value.startswith(b"application/grpc"))
    return False


def _is_web(message: http.Message) -> bool:
    return str(message.headers.get("content-type", "")).startswith("application/grpc-web")
