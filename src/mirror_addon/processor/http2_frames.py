"""Frames of HTTP/2, read and written as a server needs them. Pure.

Sources: RFC 9113 section 4 (frames), 6 (their kinds), 7 (error codes).
"""

from __future__ import annotations

import struct

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20

HEAD_BYTES = 9
MAX_FRAME = 16384
"""Bytes of a frame's payload: the least that may be asked for, and what everybody sends."""
MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65535

read_head = struct.Struct(">HBBBL").unpack_from
"""Of the length the upper 16 and the lower 8 bits, kind, flags, and the stream with a reserved bit."""
_write_head = struct.Struct(">HBBBL").pack
_read_setting = struct.Struct(">HL").iter_unpack
_read_number = struct.Struct(">L").unpack_from


class ConnectionFault(Exception):
    """The client broke the rules: the connection ends with GOAWAY and this code."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code


class StreamFault(Exception):
    """The same for one stream, which ends with RST_STREAM."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code


def write_frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame. `payload` has at most `MAX_FRAME` bytes."""
    return _write_head(len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream) + payload


def write_settings(values: dict[SettingCodes, int]) -> bytes:
    payload = b"".join(struct.pack(">HL", code, value) for code, value in values.items())
    return write_frame(SETTINGS, 0, 0, payload)


def write_window_update(stream: int, more: int) -> bytes:
    return write_frame(WINDOW_UPDATE, 0, stream, struct.pack(">L", more))


def write_reset(stream: int, code: ErrorCodes) -> bytes:
    return write_frame(RST_STREAM, 0, stream, struct.pack(">L", code))


def write_goaway(last: int, code: ErrorCodes, why: str = "") -> bytes:
    """`last`: the newest stream that is, or was, dealt with. `why` is for those who read a capture."""
    return write_frame(GOAWAY, 0, 0, struct.pack(">LL", last, code) + why.encode())


def read_settings(flags: int, payload: bytes) -> int | None:
    """Return SETTINGS_INITIAL_WINDOW_SIZE, None if it is not among them: no other matters to a server that sends
    little. Raises ConnectionFault (RFC 9113 6.5)."""
    if flags & ACK:
        if payload:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS with a payload")
        return None
    if len(payload) % 6:
        raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "SETTINGS are six bytes each")
    window = None
    for code, value in _read_setting(payload):
        if code == SettingCodes.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW:
                raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is too large")
            window = value
        elif code == SettingCodes.ENABLE_PUSH and value > 1:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH is 0 or 1")
        elif code == SettingCodes.MAX_FRAME_SIZE and not MAX_FRAME <= value < 2**24:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE is out of range")
    return window


def read_number(payload: bytes, what: str) -> int:
    """Return the number of 31 bits that is all of a payload: of WINDOW_UPDATE. Raises ConnectionFault."""
    return read_code(payload, what) & MAX_WINDOW


def read_code(payload: bytes, what: str) -> int:
    """Return the number of 32 bits that is all of a payload: of RST_STREAM. Raises ConnectionFault."""
    if len(payload) != 4:
        raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, f"{what} has four bytes")
    number: int = _read_number(payload)[0]
    return number


def unpadded(data: bytes, start: int, stop: int) -> tuple[int, int]:
    """Return start and stop of a padded payload's content. Raises ConnectionFault (RFC 9113 6.1)."""
    if start == stop:
        raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "a padded frame without the length of its padding")
    first, last = start + 1, stop - data[start]
    if last < first:
        raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "the padding is longer than the frame")
    return first, last


def fragment(flags: int, data: bytes, start: int, stop: int) -> bytes:
    """Return the part of a header block that a HEADERS frame has. Raises ConnectionFault."""
    if flags & PADDED:
        start, stop = unpadded(data, start, stop)
    if flags & HAS_PRIORITY:
        start += 5  # RFC 9113 5.3.2: priorities have no meaning any more
        if start > stop:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "HEADERS too short for their priority")
    return data[start:stop]
