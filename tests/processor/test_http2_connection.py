from __future__ import annotations

import struct
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from h2.errors import ErrorCodes
from http2tools import PATH
from http2tools import REQUEST
from http2tools import Frame
from http2tools import Peer
from http2tools import data
from http2tools import fields_of
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.processor import http2_connection
from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.grpc_messages import write_message
from mirror_addon.processor.http2_calls import WINDOW

GREETING = frames.PREFACE + frames.write_settings({})
PING = frames.write_frame(frames.PING, 0, 0, b"12345678")
OVER = frames.END_STREAM


def ended(frame: Frame) -> str:
    """The status that a call ended with."""
    assert frame.kind == frames.HEADERS and frame.flags & frames.END_STREAM
    return fields_of(frame)["grpc-status"]


def reset(stream: int, code: int = 8) -> bytes:
    return frames.write_frame(frames.RST_STREAM, 0, stream, struct.pack(">L", code))


# What a client of gRPC does


def test_a_call_that_is_ended_by_its_handler() -> None:
    peer = Peer()
    assert peer.call(1, b"one") == []
    end, more = peer.say(data(1, write_message(b"two") + write_message(b"enough") + write_message(b"skipped")))
    assert ended(end) == "0"
    assert (more.kind, more.code) == (frames.RST_STREAM, ErrorCodes.NO_ERROR)
    assert peer.heard[1].messages == [b"one", b"two", b"enough"]
    assert peer.say(data(1, write_message(b"on its way")), reset(1)) == []
    assert (peer.failed, peer.open, peer.heard[1].ends) == (None, 0, [])


def test_a_call_that_its_client_ends() -> None:
    peer = Peer()
    (end,) = peer.call(1, b"one", end=True)
    assert ended(end) == "0"
    (end,) = peer.say(peer.head(3, frames.END_HEADERS | OVER))
    assert ended(end) == "0"
    (end,) = peer.say(peer.head(5), peer.head(5, frames.END_HEADERS | OVER, (b"trailer", b"x")))
    assert ended(end) == "0"
    assert [heard.ends for heard in peer.heard.values()] == [[False]] * 3
    (end,) = peer.say(peer.head(7), data(7, write_message(b"enough"), OVER))
    assert (ended(end), peer.open) == ("0", 0)


def test_a_call_that_its_client_resets() -> None:
    peer = Peer()
    peer.call(1, b"one")
    assert peer.say(reset(1)) == []
    assert (peer.heard[1].ends, peer.open) == ([True], 0)


def test_other_methods() -> None:
    peer = Peer()
    fields = [(name, b"/other/Method" if name == b":path" else value) for name, value in REQUEST]
    end, _ = peer.say(peer.head(1, frames.END_HEADERS, *fields))
    assert (ended(end), fields_of(end)["grpc-message"], peer.open) == ("12", "no such method", 0)
    fields[-1] = (b"content-type", b"text/plain")
    refused, _ = peer.say(peer.head(3, frames.END_HEADERS, *fields))
    assert fields_of(refused) == {":status": "415"}
    (malformed,) = peer.say(peer.head(5, frames.END_HEADERS, *REQUEST[1:]))
    assert (malformed.kind, malformed.code) == (frames.RST_STREAM, ErrorCodes.PROTOCOL_ERROR)
    assert peer.call(7, b"one") == []  # the connection goes on


@pytest.mark.parametrize(
    ("sent", "flags", "status"),
    [(b"\x01\0\0\0\0", 0, "12"), (b"\0\xff\xff\xff\xff", 0, "8"), (b"\0\0\0\0\x05abc", OVER, "13")],
)
def test_messages_that_are_refused(sent: bytes, flags: int, status: str) -> None:
    peer = Peer()
    peer.call(1)
    assert ended(peer.say(data(1, sent, flags))[0]) == status
    assert (peer.heard[1].ends, peer.failed, peer.waiting.bytes, peer.open) == ([True], None, 0, 0)


def test_the_rest_of_http2() -> None:
    """Padding, priorities, header blocks in parts, unknown frames, pings, and a client that leaves."""
    peer = Peer()
    block = peer.encoder.encode(REQUEST)
    found = peer.say(
        frames.write_frame(
            frames.HEADERS, frames.HAS_PRIORITY | frames.PADDED, 1, b"\x02\0\0\0\0\xff" + block[:5] + bytes(2)
        ),
        frames.write_frame(frames.CONTINUATION, 0, 1, block[5:9]),
        frames.write_frame(frames.CONTINUATION, frames.END_HEADERS, 1, block[9:]),
        frames.write_frame(frames.PRIORITY, 0, 9, bytes(5)),
        frames.write_frame(0x77, 0xFF, 1, b"whatever"),
        data(1, b"\x03" + write_message(b"one") + bytes(3), frames.PADDED),
        frames.write_frame(frames.SETTINGS, frames.ACK, 0),
        frames.write_frame(frames.PING, frames.ACK, 0, b"12345678"),
        frames.write_frame(frames.GOAWAY, 0, 0, bytes(8)),
        frames.write_window_update(0, 5),
        frames.write_window_update(1, 5),
        PING,
    )
    assert found == [Frame(frames.PING, frames.ACK, 0, b"12345678")]
    assert peer.heard[1].messages == [b"one"]
    assert peer.failed is None


def test_settings_are_acknowledged() -> None:
    peer = Peer(greet=False)
    assert peer.say(GREETING) == [Frame(frames.SETTINGS, frames.ACK, 0, b"")]
    assert peer.connection.greeted


def test_windows_are_renewed() -> None:
    """Nothing that is sent is ever waited for, also where nobody wants it any more."""
    peer = Peer()
    peer.call(1)
    piece, sent, renewed = bytes(16384), 0, 0
    peer.say(data(1, b"\0" + (12 * 1024 * 1024).to_bytes(4, "big")))
    while not renewed:
        sent += len(piece)
        renewed = sum(struct.unpack(">L", frame.payload)[0] for frame in peer.say(data(1, piece)))
    assert renewed == sent + 5 == WINDOW // 2 + 5
    peer.connection._window = 2**30 + 100
    (update,) = peer.say(data(1, piece))
    assert (update.kind, update.stream) == (frames.WINDOW_UPDATE, 0)
    assert struct.unpack(">L", update.payload)[0] + 2**30 + 100 - len(piece) == 2**31 - 1


def test_a_stream_that_sends_more_than_it_may() -> None:
    peer = Peer()
    peer.call(1)
    call = peer.connection.calls.find(1)
    assert call is not None
    call.window = 10
    (found,) = peer.say(data(1, bytes(11)))
    assert (found.kind, found.code, peer.heard[1].ends) == (frames.RST_STREAM, ErrorCodes.FLOW_CONTROL_ERROR, [True])


# What breaks the rules

PROTOCOL, SIZE, CLOSED = ErrorCodes.PROTOCOL_ERROR, ErrorCodes.FRAME_SIZE_ERROR, ErrorCodes.STREAM_CLOSED


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return frames.write_frame(kind, flags, stream, payload)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", SIZE),
        (b"\xff\xff\xff\x77\x00\x00\x00\x00\x00", SIZE),
        (data(0, b"x"), PROTOCOL),
        (data(2, b"x"), PROTOCOL),
        (data(5, b"x"), PROTOCOL),
        (data(1, b"", frames.PADDED), SIZE),
        (data(1, b"\x05x", frames.PADDED), PROTOCOL),
        (frame(frames.HEADERS, frames.END_HEADERS, 0), PROTOCOL),
        (frame(frames.HEADERS, frames.END_HEADERS, 2), PROTOCOL),
        (frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x82"), PROTOCOL),
        (frame(frames.HEADERS, frames.END_HEADERS, 3, b"\xff\xff\xff\xff\xff\x0f"), ErrorCodes.COMPRESSION_ERROR),
        (frame(frames.HEADERS, frames.END_HEADERS, 3, b"\xfe"), ErrorCodes.COMPRESSION_ERROR),
        (frame(frames.HEADERS, 0, 3) + PING, PROTOCOL),
        (frame(frames.HEADERS, 0, 3) + frame(frames.CONTINUATION, frames.END_HEADERS, 5), PROTOCOL),
        (frame(frames.CONTINUATION, frames.END_HEADERS, 1), PROTOCOL),
        (frame(frames.PRIORITY, 0, 0, bytes(5)), PROTOCOL),
        (frame(frames.PRIORITY, 0, 1, bytes(4)), SIZE),
        (frame(frames.RST_STREAM, 0, 0, bytes(4)), PROTOCOL),
        (frame(frames.RST_STREAM, 0, 3, bytes(4)), PROTOCOL),
        (frame(frames.RST_STREAM, 0, 1, bytes(3)), SIZE),
        (frame(frames.SETTINGS, 0, 1), PROTOCOL),
        (frame(frames.SETTINGS, 0, 0, bytes(7)), SIZE),
        (frame(frames.SETTINGS, frames.ACK, 0, bytes(6)), SIZE),
        (frame(frames.PUSH_PROMISE, 0, 1, bytes(4)), PROTOCOL),
        (frame(frames.PING, 0, 1, bytes(8)), PROTOCOL),
        (frame(frames.PING, 0, 0, bytes(7)), SIZE),
        (frame(frames.GOAWAY, 0, 1, bytes(8)), PROTOCOL),
        (frame(frames.GOAWAY, 0, 0, bytes(7)), SIZE),
        (frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)), SIZE),
        (frames.write_window_update(3, 1), PROTOCOL),
    ],
)
def test_what_ends_the_connection(sent: bytes, code: ErrorCodes) -> None:
    peer = Peer()
    peer.call(1, b"one")
    goaway = peer.say(sent)[-1]
    assert (goaway.kind, goaway.code, peer.failed) == (frames.GOAWAY, code, code)
    assert int.from_bytes(goaway.payload[:4], "big") in (1, 3)
    assert goaway.payload[8:]
    assert (peer.heard[1].ends, peer.open) == ([True], 0)
    assert peer.say(PING) == []


@pytest.mark.parametrize("sent", [data(1, b"x"), frame(frames.HEADERS, 5, 1, b"\xbe")])
def test_what_comes_after_the_end_of_a_stream(sent: bytes) -> None:
    """Of one that stays open, as a watched health check."""
    peer = Peer()
    peer.call(1)
    call = peer.connection.calls.find(1)
    assert call is not None
    call.stays = True
    peer.say(data(1, b"", OVER))
    (found,) = peer.say(sent)
    assert (found.kind, found.code, peer.failed) == (frames.RST_STREAM, CLOSED, None)


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", frames.PREFACE + PING, b"PRI * HTTP/2.0\r\n\r\nSx"]
)
def test_what_is_no_http2(sent: bytes) -> None:
    peer = Peer(greet=False)
    (goaway,) = peer.say(sent)
    assert (goaway.code, peer.connection.greeted) == (PROTOCOL, False)


# What is hostile


def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_connection, "MAX_STREAMS", 2)
    peer = Peer()
    assert peer.call(1) == peer.call(3) == []
    (refused,) = peer.call(5)
    assert (refused.kind, refused.code) == (frames.RST_STREAM, ErrorCodes.REFUSED_STREAM)
    peer.say(reset(1))
    assert peer.call(7) == []


def test_streams_that_are_reset_at_once_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_connection, "EMPTY_RESETS", 10)
    peer = Peer()
    for stream in range(1, 200, 2):
        peer.call(stream, b"a message")
        peer.say(reset(stream))
    assert peer.failed is None
    for stream in range(201, 221, 2):
        peer.say(peer.head(stream), reset(stream))
    assert peer.failed is None
    peer.connection.now += 0.05  # five are forgiven
    for stream in range(221, 231, 2):
        peer.say(peer.head(stream), reset(stream))
    assert peer.failed is None
    peer.say(peer.head(231), reset(231))
    assert peer.failed == ErrorCodes.ENHANCE_YOUR_CALM


# The end


def test_leaving() -> None:
    peer = Peer()
    peer.call(1, b"one")
    peer.connection.leave()
    goaway, ping = peer.sent()
    assert (goaway.kind, goaway.code, goaway.payload[:4]) == (frames.GOAWAY, 0, b"\x7f\xff\xff\xff")
    assert not peer.connection.drained
    assert peer.call(3, b"on its way") == []
    peer.say(frame(frames.PING, frames.ACK, 0, ping.payload))
    assert peer.connection.drained
    peer.connection.leave_now()
    (goaway,) = peer.sent()
    assert goaway.payload[:4] == b"\0\0\0\3"
    assert peer.call(5, b"too late") == []
    assert peer.heard.keys() == {1, 3} and peer.failed is None
    assert ended(peer.say(data(1, write_message(b"enough")))[0]) == "0"
    peer.connection.cut()
    assert ended(peer.sent()[0]) == "14"
    assert (peer.heard[1].ends, peer.heard[3].ends, peer.open) == ([], [True], 0)


def test_a_connection_that_breaks() -> None:
    peer = Peer()
    peer.call(1, b"one")
    peer.say(data(1, b"\0\0\0\0\x09part"))
    peer.connection.lost()
    assert (peer.heard[1].ends, peer.open, peer.waiting.bytes) == ([True], 0, 0)


# Against others


def test_with_h2() -> None:
    """A client that checks all that it gets."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    peer = Peer(greet=False)
    peer.connection = http2_connection.Connection(peer, 0.0)
    client.initiate_connection()
    got: list[Any] = []

    def pass_on() -> None:
        peer.connection.receive(client.data_to_send())
        got.extend(client.receive_data(bytes(peer.connection.out)))
        peer.connection.out.clear()

    for stream in (1, 3):
        client.send_headers(stream, REQUEST)
        client.send_data(stream, write_message(b"one"))
        pass_on()
        client.send_data(stream, write_message(b"enough"))
        pass_on()
    client.ping(b"12345678")
    pass_on()
    assert peer.failed is None
    assert peer.heard[3].messages == [b"one", b"enough"]
    names = [type(event).__name__ for event in got]
    assert names.count("StreamEnded") == 2 and "PingAckReceived" in names
    responses = [event for event in got if isinstance(event, h2.events.ResponseReceived)]
    assert dict(responses[0].headers or ())[b"grpc-status"] == b"0"


CUTS = st.lists(st.integers(1, 40), max_size=30)
PARTS = st.lists(
    st.one_of(
        st.builds(
            frames.write_frame, st.integers(0, 10), st.integers(0, 255), st.integers(0, 7), st.binary(max_size=20)
        ),
        st.builds(data, st.sampled_from([1, 3]), st.binary(max_size=9).map(write_message)),
        st.builds(reset, st.sampled_from([1, 3])),
        st.binary(max_size=12),
    ),
    max_size=8,
)


@settings(max_examples=200)
@given(PARTS, CUTS)
def test_anything(parts: list[bytes], cuts: list[int]) -> None:
    """Nothing is raised, each call ends once at most, and the bounds of reads do not matter."""
    results = []
    for pieces in ([], cuts):
        peer = Peer()
        sent = peer.say(peer.head(1), peer.head(3))
        left = b"".join(parts)
        for cut in pieces:
            sent += peer.say(left[:cut])
            left = left[cut:]
        sent += peer.say(left)
        assert peer.open == len(list(peer.connection.calls))
        for heard in peer.heard.values():
            assert len(heard.ends) <= 1
        results.append((sent, peer.failed, {number: heard.messages for number, heard in peer.heard.items()}))
        peer.connection.lost()
        assert (peer.open, peer.waiting.bytes) == (0, 0)
    assert results[0] == results[1]


def test_the_path_is_envoys() -> None:
    assert PATH == b"/envoy.service.ext_proc.v3.ExternalProcessor/Process"
