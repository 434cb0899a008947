"""Answers that the proxy gives itself, as Envoy words them; gRPC clients get theirs in trailers-only form."""

from __future__ import annotations

from mirror_addon.routing.decision import Fields
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request

_TEXT = (b"content-type", b"text/plain")

# Envoy's Grpc::Utility::httpToGrpcStatus
_GRPC_STATUS = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_UNKNOWN = 2


def is_grpc(request: Request) -> bool:
    """Whether the request's content type is gRPC."""
    for name, value in request.headers:
        if len(name) == 12 and name.lower() == b"content-type":
            return value == b"application/grpc" or value.startswith(b"application/grpc+")
    return False


def local_reply(request: Request, status: int, body: bytes = b"", headers: Fields = ()) -> LocalResponse:
    """A local reply; `headers` come before Envoy's own."""
    if is_grpc(request):
        return grpc_reply(_GRPC_STATUS.get(status, _UNKNOWN), body, headers)
    named = any(name.lower() == b"content-type" for name, _ in headers)
    return LocalResponse(status, (*headers, _TEXT) if body and not named else headers, body)


def grpc_reply(status: int, message: bytes, headers: Fields = ()) -> LocalResponse:
    """A gRPC error: HTTP 200 whose headers carry the status, without a body."""
    fields = (*headers, (b"content-type", b"application/grpc"), (b"grpc-status", b"%d" % status))
    return LocalResponse(200, (*fields, (b"grpc-message", _percent_encoded(message))) if message else fields, b"")


def _percent_encoded(message: bytes) -> bytes:
    return b"".join(b"%c" % byte if 0x20 <= byte < 0x7F and byte != 0x25 else b"%%%02X" % byte for byte in message)
