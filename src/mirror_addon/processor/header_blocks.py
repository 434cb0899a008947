"""Header blocks, which may come in several frames. Pure.

Source: RFC 9113 4.3 and 6.10.
"""

from __future__ import annotations

from typing import NamedTuple

from h2.errors import ErrorCodes

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.grpc_calls import MAX_FIELDS
from mirror_addon.processor.http2_frames import ConnectionFault

_MOST_FRAMES = 64
"""Frames that a block may come in. A client has no reason to cut one that fits into four."""


class Block(NamedTuple):
    """A header block that is complete. `end`: it is the end of its stream."""

    stream: int
    fields: bytes
    end: bool


class HeaderBlocks:
    """Puts the header blocks of a connection together; there is one at a time."""

    def __init__(self) -> None:
        self.open = False
        """Nothing but the next part of a block may come."""
        self._stream = 0
        self._flags = 0
        self._fields = b""
        self._frames = 0

    def begin(self, flags: int, stream: int, data: bytes, start: int, stop: int) -> Block | None:
        """Take a HEADERS frame, whose payload is a part of `data`. Raises ConnectionFault."""
        if not stream % 2:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "HEADERS for a stream that a client cannot open")
        fields = frames.fragment(flags, data, start, stop)
        if flags & frames.END_HEADERS:
            return Block(stream, fields, bool(flags & frames.END_STREAM))
        self.open = True
        self._stream, self._flags, self._fields, self._frames = stream, flags, fields, 1
        return None

    def add(self, kind: int, flags: int, stream: int, payload: bytes) -> Block | None:
        """Take the frame after one that was not the last. Raises ConnectionFault."""
        if kind != frames.CONTINUATION or stream != self._stream:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "a header block was interrupted")
        self._fields += payload
        self._frames += 1
        if len(self._fields) > MAX_FIELDS or self._frames > _MOST_FRAMES:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM, "a header block without end")
        if not flags & frames.END_HEADERS:
            return None
        fields, self._fields, self.open = self._fields, b"", False
        return Block(stream, fields, bool(self._flags & frames.END_STREAM))
