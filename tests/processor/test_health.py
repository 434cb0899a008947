from __future__ import annotations

from http2tools import Peer
from http2tools import data
from http2tools import fields_of

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.grpc_messages import write_message
from mirror_addon.processor.health import Health
from mirror_addon.processor.messages import PROCESS

SERVING, NOT_SERVING, UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"
SERVICE = PROCESS[0].encode()
NAMED = b"\x0a" + bytes((len(SERVICE),)) + SERVICE


def told(found: list[object]) -> list[bytes]:
    return [frame.payload[5:] for frame in found if frame.kind == frames.DATA]  # type: ignore[attr-defined]


def test_check() -> None:
    health = Health()
    peer = Peer(health.check)
    for number, asked in enumerate((b"", NAMED)):
        *answer, end = peer.call(2 * number + 1, asked, end=True)
        assert told(answer) == [SERVING]
        assert fields_of(end) == {"grpc-status": "0"}
    health.stop_serving()
    assert told(peer.call(5, b"", end=True)) == [NOT_SERVING]


def test_check_of_what_is_not_there() -> None:
    peer = Peer(Health().check)
    for number, asked in enumerate((b"\x0a\x01x", b"\xff")):
        (end,) = peer.call(2 * number + 1, asked, end=True)
        assert fields_of(end)["grpc-status"] == "5"
    (end,) = peer.call(5, end=True)
    assert fields_of(end)["grpc-status"] == "13"
    peer.call(7, b"")
    assert peer.say(frames.write_frame(frames.RST_STREAM, 0, 7, bytes(4))) == []


def test_watch() -> None:
    """It tells each change, and ends with the last one."""
    health = Health()
    peer = Peer(health.watch)
    assert told(peer.call(1, b"", end=True)) == [SERVING]
    assert told(peer.call(3, NAMED)) == [SERVING]
    assert peer.say(data(3, write_message(b""))) == []  # a second question is none
    health.stop_serving()
    found = peer.sent()
    assert told(found) == [NOT_SERVING, NOT_SERVING]
    assert [frame.stream for frame in found if frame.flags & frames.END_STREAM] == [1]
    assert told(peer.call(5, b"", end=True)) == [NOT_SERVING]
    health.stop_serving()
    assert peer.sent() == []


def test_watch_of_what_is_not_there() -> None:
    health = Health()
    peer = Peer(health.watch)
    assert told(peer.call(1, b"\x0a\x01x", end=True)) == [UNKNOWN]
    health.stop_serving()
    assert peer.sent() == []


def test_who_has_gone_is_told_nothing() -> None:
    health = Health()
    peer = Peer(health.watch)
    peer.call(1, b"")
    peer.say(frames.write_frame(frames.RST_STREAM, 0, 1, bytes(4)))
    health.stop_serving()
    assert peer.sent() == []
