"""How a call of gRPC ends, and the header blocks that say so. Pure.

They are written without a table of HPACK (RFC 7541 6.2.2), so that they are the same bytes on every connection.
Source: "gRPC over HTTP2", Responses.
"""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """The codes that are used (grpc/doc/statuscodes.md)."""

    OK = 0
    CANCELLED = 1
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class CallEnded(Exception):
    """The call is over, with this status and text."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status


def _field(name: bytes, value: bytes) -> bytes:
    """A literal field, neither indexed nor compressed; both parts are shorter than 127 bytes."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


HEADERS_OK = b"\x88" + _field(b"content-type", b"application/grpc")
"""`:status` 200 has an index of its own (RFC 7541, appendix A)."""
UNSUPPORTED_MEDIA_TYPE = _field(b":status", b"415")
METHOD_NOT_ALLOWED = _field(b":status", b"405")
_TRAILERS = {status: _field(b"grpc-status", b"%d" % status) for status in Status}


def trailers(status: Status, text: str = "") -> bytes:
    """`text`: printable ASCII without `%`, at most 100 characters."""
    block = _TRAILERS[status]
    return block + _field(b"grpc-message", text.encode("ascii")) if text else block


TRAILERS_ONLY = HEADERS_OK + _TRAILERS[Status.OK]
"""The whole of a response without a message."""
