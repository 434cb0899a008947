"""What a header block asks for. Pure.

Sources: "gRPC over HTTP2", Requests; RFC 9113 8.2 and 8.3 (what makes a request malformed).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from h2.errors import ErrorCodes
from hpack import Decoder
from hpack.exceptions import HPACKError
from hpack.exceptions import OversizedHeaderListError

from mirror_addon.processor.grpc_status import METHOD_NOT_ALLOWED
from mirror_addon.processor.grpc_status import UNSUPPORTED_MEDIA_TYPE
from mirror_addon.processor.http2_frames import ConnectionFault
from mirror_addon.processor.http2_frames import StreamFault

MAX_FIELDS = 64 * 1024
"""Bytes of the header fields of a call, as SETTINGS_MAX_HEADER_LIST_SIZE counts them (RFC 9113 6.5.2)."""
_KNOWN = 64
"""Header blocks of a connection whose meaning is remembered."""
_CONNECTION_FIELDS = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_PSEUDO = frozenset({b":method", b":scheme", b":path", b":authority"})
_OF_GRPC = frozenset({b"te", b"content-type", b"grpc-timeout", b"grpc-encoding", b"grpc-accept-encoding"})


class Asked(NamedTuple):
    """A call. `refusal`: the header block of the answer to what is none of gRPC, else empty."""

    path: bytes
    metadata: tuple[tuple[str, str], ...]
    refusal: bytes = b""


class CallReader:
    """Reads the header blocks of a connection, all of them and in order (RFC 7541 2.2).

    An Envoy says the same of every call, so its blocks soon are the same bytes: names of entries in the table that both
    sides have, and fields that enter no table, as `:path`. As long as no block changes the table, the same bytes stand
    for the same fields, and need not be decoded again.
    """

    def __init__(self) -> None:
        self._decoder = Decoder(MAX_FIELDS)
        self._known: dict[bytes, Asked] = {}

    def read(self, block: bytes) -> Asked:
        """Return what a block asks for. Raises ConnectionFault and StreamFault."""
        known = self._known.get(block)
        if known is not None:
            return known
        fields, lasting = self._decode(block)
        asked = _read_fields(fields)
        if lasting and len(self._known) < _KNOWN:
            self._known[block] = asked
        return asked

    def skip(self, block: bytes) -> None:
        """Take a block whose meaning does not matter. Raises ConnectionFault."""
        self._decode(block)

    def _decode(self, block: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
        """Return the fields of a block, and whether it has left the table as it was."""
        lasting = leaves_table(block)
        if not lasting:
            self._known.clear()
        try:
            found = self._decoder.decode(block, raw=True)
        except OversizedHeaderListError:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM, "too many header fields") from None
        except (HPACKError, IndexError, ValueError) as error:
            raise ConnectionFault(ErrorCodes.COMPRESSION_ERROR, f"{type(error).__name__} in a header block") from None
        return [(bytes(name), bytes(value)) for name, value in found], lasting


def leaves_table(block: bytes) -> bool:
    """Whether a block leaves the dynamic table as it is (RFC 7541 6). False where that cannot be told."""
    position, end = 0, len(block)
    while position < end:
        first = block[position]
        if first & 0x80:  # 6.1, an index alone
            position = _after_number(block, position, 0x7F)[1]
        elif first & 0x60:  # 6.2.1 and 6.3: an entry more, another size
            return False
        else:  # 6.2.2 and 6.2.3
            name, position = _after_number(block, position, 0x0F)
            for _ in range(1 if name else 2):
                if position >= end:
                    return False
                length, position = _after_number(block, position, 0x7F)
                position += length
    return position == end


def _after_number(block: bytes, position: int, prefix: int) -> tuple[int, int]:
    """Return the number in the lower bits of a byte, and the position after it (RFC 7541 5.1)."""
    number = block[position] & prefix
    position += 1
    if number < prefix:
        return number, position
    for shift in range(0, 28, 7):
        if position >= len(block):
            break
        byte = block[position]
        position += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    return number, len(block) + 1  # cut off, or a number that nobody needs


def _read_fields(fields: Iterable[tuple[bytes, bytes]]) -> Asked:
    pseudo: dict[bytes, bytes] = {}
    metadata = []
    content_type = b""
    regular = False
    for name, value in fields:
        if name.startswith(b":"):
            if name not in _PSEUDO or name in pseudo or regular:
                raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "a pseudo-header field that may not be there")
            pseudo[name] = value
            continue
        regular = True
        if not name or name != name.lower() or name in _CONNECTION_FIELDS:
            raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "a header field that may not be there")
        if name == b"content-type":
            content_type = value
        if name not in _OF_GRPC:
            metadata.append((name.decode("latin-1"), value.decode("latin-1")))
    if not (pseudo.get(b":path") and b":method" in pseudo and b":scheme" in pseudo):
        raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "a request without method, scheme or path")
    refusal = b""
    if pseudo[b":method"] != b"POST":
        refusal = METHOD_NOT_ALLOWED
    elif content_type != b"application/grpc" and not content_type.startswith(
        (b"application/grpc+", b"application/grpc;")
    ):
        refusal = UNSUPPORTED_MEDIA_TYPE
    return Asked(pseudo[b":path"], tuple(metadata), refusal)
