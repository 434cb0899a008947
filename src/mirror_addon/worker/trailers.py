"""The trailers of HTTP/2 answers, where gRPC says how a call ended: httpcore keeps them to itself.

So they are read out of the connection's bytes beside it. HTTP/2 compresses header fields with a memory of those before
(RFC 7541), for which every header block of a connection has to be decoded, in order.
"""

from __future__ import annotations

import hpack

Fields = tuple[tuple[bytes, bytes], ...]

_FRAME_HEAD = 9
_HEADERS, _CONTINUATION = 1, 9
_END_HEADERS, _PADDED, _PRIORITY = 0x4, 0x8, 0x20
_LONGEST = 256 * 1024
"""Bytes of a header block; a peer that sends more is not followed any further."""


class TrailerReader:
    """Takes all bytes that a connection receives. Never raises: what is no HTTP/2 has no trailers, and httpcore's h2 is
    there to complain."""

    __slots__ = ("_block", "_buffer", "_decoder", "_fields", "_lost", "_skip")

    def __init__(self) -> None:
        self._decoder = hpack.Decoder()
        self._buffer = bytearray()
        self._skip = 0
        self._block = b""
        self._fields: Fields = ()
        self._lost = False

    def take(self) -> Fields:
        """The trailers of the latest answer, once."""
        fields, self._fields = self._fields, ()
        return fields

    def feed(self, data: bytes) -> None:
        """The next bytes, however they are cut."""
        if self._lost:
            return
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        buffer = self._buffer
        buffer += memoryview(data)[skipped:]
        at = 0
        while not self._lost and len(buffer) - at >= _FRAME_HEAD:
            length = int.from_bytes(buffer[at : at + 3], "big")
            kind, flags = buffer[at + 3], buffer[at + 4]
            start = at + _FRAME_HEAD
            if kind not in (_HEADERS, _CONTINUATION):
                at = min(start + length, len(buffer))
                self._skip = start + length - at
            elif length > _LONGEST:
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
        if len(self._block) > _LONGEST:
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
            # Another head, of an answer or an interim one, begins anew.
            self._fields = () if any(name == b":status" for name, _ in fields) else fields
