"""Responses that the proxy makes itself, in Envoy's form; gRPC clients get a trailers-only response.

Source: Envoy's `Http::Utility::sendLocalReply`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.header_edits import HeaderEdit

_CONTENT_TYPE = b"content-type"

# Envoy's Grpc::Utility::httpToGrpcStatus
_GRPC_STATUS = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_UNKNOWN = 2


def is_grpc(request: Request) -> bool:
    """Whether the request's content type is gRPC."""
    lines = [value for name, value in request.headers if len(name) == 12 and name.lower() == _CONTENT_TYPE]
    return len(lines) == 1 and (lines[0] == b"application/grpc" or lines[0].startswith(b"application/grpc+"))


def local_reply(
    request: Request, status: int, body: bytes = b"", headers: Fields = (), edits: Sequence[HeaderEdit] = ()
) -> LocalResponse:
    """Return a local reply. `headers`, after `edits`, come before the fields that Envoy adds."""
    for edit in edits:
        headers = edit.apply(headers)  # Envoy knows no status of the response yet
    if is_grpc(request):
        return grpc_reply(request, _GRPC_STATUS.get(status, _UNKNOWN), body, headers)
    if not body:  # Envoy removes a content type from a reply without a body
        return LocalResponse(status, tuple(field for field in headers if field[0].lower() != _CONTENT_TYPE), b"")
    named = any(name.lower() == _CONTENT_TYPE for name, _ in headers)
    return LocalResponse(status, headers if named else (*headers, (_CONTENT_TYPE, b"text/plain")), body)


def grpc_reply(request: Request, status: int, message: bytes, headers: Fields = ()) -> LocalResponse:
    """Return a gRPC error: HTTP 200 without a body, with the gRPC status in the headers."""
    kept = tuple(field for field in headers if field[0].lower() != _CONTENT_TYPE)
    fields = (*kept, (_CONTENT_TYPE, b"application/grpc"), (b"grpc-status", b"%d" % status))
    if message and request.method != b"HEAD":
        fields = (*fields, (b"grpc-message", _percent_encoded(message)))
    return LocalResponse(200, fields, b"")


def _percent_encoded(message: bytes) -> bytes:
    return b"".join(b"%c" % byte if 0x20 <= byte < 0x7F and byte != 0x25 else b"%%%02X" % byte for byte in message)
