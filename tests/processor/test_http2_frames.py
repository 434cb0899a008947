from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import Frame
from hyperframe.frame import GoAwayFrame
from hyperframe.frame import RstStreamFrame
from hyperframe.frame import SettingsFrame
from hyperframe.frame import WindowUpdateFrame
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.http2_frames import ConnectionFault


def parsed(data: bytes) -> Frame:
    """By hyperframe."""
    frame, length = Frame.parse_frame_header(memoryview(data)[:9])
    assert length == len(data) - 9
    frame.parse_body(memoryview(data)[9:])
    return frame


def test_frames_that_are_written_can_be_read() -> None:
    found = parsed(frames.write_goaway(7, ErrorCodes.ENHANCE_YOUR_CALM, "why"))
    assert isinstance(found, GoAwayFrame)
    assert (found.last_stream_id, found.error_code, found.additional_data) == (7, 11, b"why")
    reset = parsed(frames.write_reset(5, ErrorCodes.CANCEL))
    assert isinstance(reset, RstStreamFrame) and (reset.stream_id, reset.error_code) == (5, 8)
    update = parsed(frames.write_window_update(3, 70000))
    assert isinstance(update, WindowUpdateFrame) and (update.stream_id, update.window_increment) == (3, 70000)
    written = parsed(frames.write_settings({SettingCodes.INITIAL_WINDOW_SIZE: 9}))
    assert isinstance(written, SettingsFrame) and written.settings == {4: 9}


@settings(max_examples=50)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**31 - 1), st.binary(max_size=300))
def test_a_head_says_what_was_written(kind: int, flags: int, stream: int, payload: bytes) -> None:
    written = frames.write_frame(kind, flags, stream, payload)
    upper, lower, *rest = frames.read_head(written, 0)
    assert (upper << 8 | lower, *rest) == (len(payload), kind, flags, stream)
    assert written[frames.HEAD_BYTES :] == payload


def settings_payload(*values: tuple[int, int]) -> bytes:
    return b"".join(code.to_bytes(2, "big") + value.to_bytes(4, "big") for code, value in values)


def test_settings() -> None:
    assert frames.read_settings(0, b"") is None
    assert frames.read_settings(frames.ACK, b"") is None
    assert frames.read_settings(0, settings_payload((1, 0), (2, 1), (4, 77), (5, 16384), (99, 2**32 - 1))) == 77


@pytest.mark.parametrize(
    ("flags", "payload", "code"),
    [
        (frames.ACK, bytes(6), ErrorCodes.FRAME_SIZE_ERROR),
        (0, bytes(5), ErrorCodes.FRAME_SIZE_ERROR),
        (0, settings_payload((2, 2)), ErrorCodes.PROTOCOL_ERROR),
        (0, settings_payload((4, 2**31)), ErrorCodes.FLOW_CONTROL_ERROR),
        (0, settings_payload((5, 16383)), ErrorCodes.PROTOCOL_ERROR),
        (0, settings_payload((5, 2**24)), ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_settings_that_may_not_be(flags: int, payload: bytes, code: ErrorCodes) -> None:
    with pytest.raises(ConnectionFault) as raised:
        frames.read_settings(flags, payload)
    assert raised.value.code == code


def test_numbers() -> None:
    assert frames.read_number(b"\x80\x00\x00\x05", "x") == 5
    assert frames.read_code(b"\x80\x00\x00\x05", "x") == 2**31 + 5
    with pytest.raises(ConnectionFault, match="x has four bytes"):
        frames.read_code(b"\0\0\0", "x")


def test_padding_and_priority() -> None:
    payload = b"\x02\x00\x00\x00\x07\x10block\0\0"
    assert frames.fragment(frames.PADDED | frames.HAS_PRIORITY, payload, 0, len(payload)) == b"block"
    assert frames.fragment(frames.HAS_PRIORITY, payload[1:11], 0, 10) == b"block"
    assert frames.fragment(0, b"xblocky", 1, 6) == b"block"
    assert frames.unpadded(b"\x01ab", 0, 3) == (1, 2)
    assert frames.unpadded(b"\x00", 0, 1) == (1, 1)


@pytest.mark.parametrize(
    ("flags", "payload", "code"),
    [
        (frames.PADDED, b"", ErrorCodes.FRAME_SIZE_ERROR),
        (frames.PADDED, b"\x02a", ErrorCodes.PROTOCOL_ERROR),
        (frames.HAS_PRIORITY, b"1234", ErrorCodes.FRAME_SIZE_ERROR),
        (frames.PADDED | frames.HAS_PRIORITY, b"\x01123\0", ErrorCodes.FRAME_SIZE_ERROR),
    ],
)
def test_fragments_that_may_not_be(flags: int, payload: bytes, code: ErrorCodes) -> None:
    with pytest.raises(ConnectionFault) as raised:
        frames.fragment(flags, payload, 0, len(payload))
    assert raised.value.code == code
