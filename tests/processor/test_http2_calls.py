from __future__ import annotations

import struct

import pytest
from h2.errors import ErrorCodes
from http2tools import Peer
from http2tools import data
from http2tools import fields_of

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.grpc_messages import write_message
from mirror_addon.processor.grpc_status import Status
from mirror_addon.processor.http2_calls import Call


def opened(peer: Peer, stream: int = 1) -> Call:
    peer.call(stream)
    call = peer.connection.calls.find(stream)
    assert call is not None
    return call


def initial_window(size: int) -> bytes:
    return frames.write_frame(frames.SETTINGS, 0, 0, struct.pack(">HL", 4, size))


def test_a_call_that_says_nothing_ends_with_one_block() -> None:
    peer = Peer()
    opened(peer).end()
    head, reset = peer.sent()
    assert (head.kind, head.flags) == (frames.HEADERS, frames.END_STREAM | frames.END_HEADERS)
    assert fields_of(head) == {":status": "200", "content-type": "application/grpc", "grpc-status": "0"}
    assert (reset.kind, reset.code) == (frames.RST_STREAM, ErrorCodes.NO_ERROR)
    assert peer.open == 0


def test_a_call_ends_once() -> None:
    peer = Peer()
    call = opened(peer)
    call.end(Status.NOT_FOUND, "no such thing")
    assert fields_of(peer.sent()[0])["grpc-message"] == "no such thing"
    call.end()
    call.write(b"late")
    peer.connection.calls.complete(call)
    peer.connection.calls.abandon(call, ErrorCodes.CANCEL)
    assert peer.sent() == []
    assert peer.open == 0


def test_messages_and_the_end() -> None:
    """A call that stays is ended by its handler; another one when its client has said all."""
    peer = Peer()
    call = opened(peer)
    call.stays = True
    call.write(b"one")
    head, message = peer.sent()
    assert fields_of(head) == {":status": "200", "content-type": "application/grpc"}
    assert (message.kind, message.payload) == (frames.DATA, write_message(b"one"))
    assert peer.say(data(1, b"", frames.END_STREAM)) == []
    call.stays = False
    call.write(b"two")
    message, end = peer.sent()
    assert message.payload == write_message(b"two")
    assert fields_of(end) == {"grpc-status": "0"}  # no RST_STREAM: the client has ended


def test_messages_wait_for_the_window_of_the_stream() -> None:
    peer = Peer()
    peer.say(initial_window(10))
    call = opened(peer)
    call.write(b"four")
    call.write(b"more")
    assert [frame.payload for frame in peer.sent()][1:] == [write_message(b"four")]
    assert peer.say(frames.write_window_update(1, 7)) == []
    assert [frame.payload for frame in peer.say(frames.write_window_update(1, 1))] == [write_message(b"more")]
    call.write(b"last")
    assert peer.sent() == []
    assert [frame.payload for frame in peer.say(initial_window(19))][1:] == [write_message(b"last")]


def test_messages_wait_for_the_window_of_the_connection() -> None:
    peer = Peer()
    first, second = opened(peer), opened(peer, 3)
    peer.say(initial_window(100_000))
    first.write(bytes(16000))
    for _ in range(3):
        first.write(bytes(16000))
    second.write(bytes(10000))
    assert len([frame for frame in peer.sent() if frame.kind == frames.DATA]) == 4
    found = peer.say(frames.write_window_update(0, 20000))
    assert [(frame.stream, len(frame.payload)) for frame in found] == [(3, 10005)]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frames.write_window_update(0, 0), ErrorCodes.PROTOCOL_ERROR),
        (frames.write_window_update(0, 2**31 - 1), ErrorCodes.FLOW_CONTROL_ERROR),
    ],
)
def test_windows_of_the_connection_that_may_not_be(said: bytes, code: ErrorCodes) -> None:
    peer = Peer()
    peer.say(said)
    assert peer.failed == code


@pytest.mark.parametrize(("more", "code"), [(0, ErrorCodes.PROTOCOL_ERROR), (2**31 - 1, ErrorCodes.FLOW_CONTROL_ERROR)])
def test_windows_of_a_stream_that_may_not_be(more: int, code: ErrorCodes) -> None:
    peer = Peer()
    opened(peer)
    (reset,) = peer.say(frames.write_window_update(1, more))
    assert (reset.kind, reset.code, peer.failed) == (frames.RST_STREAM, code, None)
    assert peer.heard[1].ends == [True]


def test_a_setting_that_makes_a_window_too_large() -> None:
    peer = Peer()
    opened(peer)
    peer.say(frames.write_window_update(1, 2**31 - 1 - 65535))
    peer.say(initial_window(65536))
    assert peer.failed == ErrorCodes.FLOW_CONTROL_ERROR
