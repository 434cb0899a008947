"""The trailers of responses over HTTP/2. gRPC sends a call's status in them, and httpcore drops them.

They are therefore read from the received bytes, beside httpcore. HTTP/2 compresses header fields with a table that
each header block of a connection changes (HPACK, RFC 7541), so that all of them have to be decoded, in their order.
"""

from __future__ import annotations

import hpack

Fields = tuple[tuple[bytes, bytes], ...]

# RFC 9113 4.1, 6.2 and 6.10.
_FRAME_HEADER_BYTES = 9
_HEADERS, _CONTINUATION = 1, 9
_END_HEADERS, _PADDED, _PRIORITY = 0x4, 0x8, 0x20
_MAX_BLOCK_BYTES = 256 * 1024
"""After a longer header block, nothing more is read from the connection: it would cost memory without a limit."""


class TrailerReader:
    """Takes all bytes that a connection receives.

    Never raises. Bytes that are not HTTP/2 have no trailers, and it is h2, which gets them too, that reports them.
    """

    __slots__ = ("_block", "_buffer", "_decoder", "_fields", "_lost", "_skip")

    def __init__(self) -> None:
        self._decoder = hpack.Decoder()
        self._buffer = bytearray()
        self._skip = 0
        self._block = b""
        self._fields: Fields = ()
        self._lost = False
        """Nothing more can be decoded on this connection."""

    def take(self) -> Fields:
        """Return the trailers of the latest response and forget them."""
        fields, self._fields = self._fields, ()
        return fields

    def feed(self, data: bytes) -> None:
        """The next received bytes, which may begin and end anywhere in a frame."""
        if self._lost:
            return
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        buffer = self._buffer
        buffer += memoryview(data)[skipped:]
        at = 0
        while not self._lost and len(buffer) - at >= _FRAME_HEADER_BYTES:
            length = int.from_bytes(buffer[at : at + 3], "big")
            kind, flags = buffer[at + 3], buffer[at + 4]
            start = at + _FRAME_HEADER_BYTES
            if kind not in (_HEADERS, _CONTINUATION):
                at = min(start + length, len(buffer))
                self._skip = start + length - at
            elif length > _MAX_BLOCK_BYTES:
                self._lost = True
            elif len(buffer) - start < length:
                break
            else:
                at = start + length
                self._header_frame(kind, flags, bytes(buffer[start:at]))
        del buffer[:at]
        if self._lost:
            buffer.clear()

    def _header_frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _HEADERS:
            begin = 5 if flags & _PRIORITY else 0
            end = len(payload)
            if flags & _PADDED and payload:
                begin += 1
                end -= payload[0]
            self._block = payload[begin:end]
        else:
            self._block += payload
        if len(self._block) > _MAX_BLOCK_BYTES:
            self._lost = True
        elif flags & _END_HEADERS:
            try:
                decoded = self._decoder.decode(self._block, raw=True)
            except hpack.HPACKError:
                self._lost = True
                return
            finally:
                self._block = b""
            fields = tuple((bytes(name), bytes(value)) for name, value in decoded)
            # A block with `:status` is the head of a final or interim response, and no trailers.
            self._fields = () if any(name == b":status" for name, _ in fields) else fields
