"""A call of a service to another one: a flow as a `CallRequest` and a `KeptResponse`, and a response for a flow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.display.text import printable
from mirror_addon.flows import heads
from mirror_addon.flows.grpc_streams import is_grpc
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.call import KeptResponse

if TYPE_CHECKING:
    from mirror_addon.flows.exchange import Exchange
    from mirror_addon.routing.decision import Request

MAX_KEPT = 8 * 1024 * 1024
"""Bytes of a longer response of the primary are not kept for the mirror."""
BLOCKED_STATUS = 599
NO_BODY = frozenset({204, 304})
_OF_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"trailer"}
)
_FAILED_PRECONDITION = b"9"
"""gRPC's status for a call that must not be tried again as it is."""


def head_of_call(request: Request) -> CallRequest:
    """A call without its body."""
    return CallRequest.make(request.method, request.scheme, request.authority, request.path)


def call_of(flow: http.HTTPFlow, head: CallRequest) -> CallRequest:
    """The call with its body, once that is complete."""
    headers = flow.request.headers
    return head._replace(
        content_type=headers.get("content-type", "").encode("utf-8", "surrogateescape"),
        content_encoding=headers.get("content-encoding", "").encode("utf-8", "surrogateescape"),
        body=flow.request.raw_content,
    )


def response_of(flow: http.HTTPFlow, exchange: Exchange, seconds: float) -> tuple[KeptResponse | None, str]:
    """What the client of `flow` was answered, and why it is not kept where it is not: `streamed`, `too_large`,
    `unanswered` or `upgrade`. A call whose upstream failed was answered by the proxy, with 502."""
    response, error = flow.response, flow.error
    if response is None:
        if error is None or error.msg == mitm_flow.Error.KILLED_MESSAGE or "client" in error.msg.lower():
            return None, "unanswered"
        text = f"502 Bad Gateway: {printable(error.msg)}\n".encode("utf-8", "replace")
        fields = ((b"content-type", b"text/plain; charset=utf-8"),)
        return KeptResponse(502, b"Bad Gateway", fields, text, seconds=seconds), ""
    if response.status_code == 101:
        return None, "upgrade"
    body = response.raw_content
    if error is not None:
        return None, "unanswered"
    if body is None:
        return None, "streamed"
    copy = exchange.response_copy
    if len(body) > MAX_KEPT or (copy is not None and copy.size > len(body)):
        return None, "too_large"
    trailers = response.trailers.fields if response.trailers else ()
    data = response.data
    return KeptResponse(data.status_code, data.reason, data.headers.fields, body, trailers, seconds), ""


def rewrite(flow: http.HTTPFlow, path: bytes, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
    """Send a mirror's call with another target, other header fields and another body than it came with."""
    flow.request.data.path = path
    flow.request.headers = http.Headers(headers)
    flow.request.raw_content = body


def answer_as(flow: http.HTTPFlow, kept: KeptResponse) -> None:
    """Respond to a mirror's call with what the primary was answered."""
    fields = [each for each in kept.headers if each[0].lower() not in _OF_CONNECTION]
    if flow.request.data.method != b"HEAD" and kept.status not in NO_BODY:
        fields = [each for each in fields if each[0].lower() != b"content-length"]
        if not kept.trailers:
            fields.append((b"content-length", str(len(kept.body)).encode()))
    now = time.time()
    multiplexed = flow.request.data.http_version in heads.HTTP2_AND_NEWER
    trailers = http.Headers(kept.trailers) if kept.trailers and multiplexed else None
    response = http.Response(
        b"HTTP/1.1", kept.status, kept.reason, http.Headers(fields), kept.body, trailers, now, now
    )  # fmt: skip
    if kept.trailers and not multiplexed:
        response.headers["content-length"] = str(len(kept.body))
    coding = response.headers.get("content-encoding", "")
    if coding and coding.lower() not in flow.request.headers.get("accept-encoding", "").lower():
        response.decode(strict=False)  # the mirror did not ask for that coding, the primary did
    flow.response = response


def block(flow: http.HTTPFlow, why: str) -> None:
    """Respond to a mirror's call that must not be made: 599, or the status FAILED_PRECONDITION of gRPC."""
    text = f"mirror_addon's sandbox: {why}"
    if is_grpc(flow.request) and flow.request.data.http_version in heads.HTTP2_AND_NEWER:
        fields = (
            (b"content-type", b"application/grpc"),
            (b"grpc-status", _FAILED_PRECONDITION),
            (b"grpc-message", text.encode("ascii", "replace").replace(b"%", b"%25")),
        )
        flow.response = http.Response.make(200, b"", fields)
        return
    plain = ((b"content-type", b"text/plain; charset=utf-8"),)
    flow.response = http.Response.make(BLOCKED_STATUS, f"{text}\n".encode("utf-8", "replace"), plain)
    flow.response.reason = "Blocked by the sandbox"
