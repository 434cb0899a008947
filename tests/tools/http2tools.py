"""A client's end of a connection to `Connection`, frame by frame, without a socket."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from hpack import Decoder
from hpack import Encoder

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.grpc_calls import Asked
from mirror_addon.processor.grpc_messages import Waiting
from mirror_addon.processor.grpc_messages import write_message
from mirror_addon.processor.grpc_status import CallEnded
from mirror_addon.processor.grpc_status import Status
from mirror_addon.processor.http2_calls import Call
from mirror_addon.processor.http2_calls import Handler
from mirror_addon.processor.http2_connection import Connection

PATH = b"/envoy.service.ext_proc.v3.ExternalProcessor/Process"
REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", PATH),
    (b":authority", b"processor"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)
COMPLETE, BEGUN = frames.END_HEADERS, 0
OVER = frames.END_STREAM


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM and GOAWAY."""
        return int(struct.unpack(">L", self.payload[:4] if self.kind == frames.RST_STREAM else self.payload[4:8])[0])


def split(data: bytes) -> list[Frame]:
    """The frames of a stream of bytes, all of them complete."""
    found = []
    while data:
        length = int.from_bytes(data[:3], "big")
        assert len(data) >= 9 + length
        stream = int.from_bytes(data[5:9], "big")
        found.append(Frame(data[3], data[4], stream, data[9 : 9 + length]))
        data = data[9 + length :]
    return found


class Heard:
    """A handler that keeps what it is told, and wants no more after the message `enough`."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.messages: list[bytes] = []
        self.ends: list[bool] = []

    def message(self, data: bytes) -> bool:
        self.messages.append(data)
        return data != b"enough"

    def closed(self, *, lost: bool = False) -> None:
        self.ends.append(lost)


class Peer:
    """A connection, its handlers by stream, and a client's encoder. `handler`: what makes other handlers."""

    def __init__(self, handler: Callable[[Call], Handler] = Heard, *, greet: bool = True) -> None:
        self.waiting = Waiting()
        self.open = 0
        self.heard: dict[int, Heard] = {}
        self.asked: list[Asked] = []
        self._handler = handler
        self.encoder = Encoder()
        self.connection = Connection(self, 0.0)
        self.connection.out.clear()
        if greet:
            self.connection.receive(frames.PREFACE + frames.write_settings({}))
            self.sent()

    def opened(self, call: Call, asked: Asked) -> Handler:
        self.asked.append(asked)
        if asked.path != PATH:
            raise CallEnded(Status.UNIMPLEMENTED, "no such method")
        handler = self._handler(call)
        if isinstance(handler, Heard):
            self.heard[call.number] = handler
        return handler

    def say(self, *data: bytes) -> list[Frame]:
        """Send bytes, and return the frames of the answer."""
        for each in data:
            self.connection.receive(each)
        return self.sent()

    def sent(self) -> list[Frame]:
        found = split(bytes(self.connection.out))
        self.connection.out.clear()
        return found

    def head(self, stream: int, flags: int = COMPLETE, *fields: tuple[bytes, bytes]) -> bytes:
        return frames.write_frame(frames.HEADERS, flags, stream, self.encoder.encode(fields or REQUEST))

    def call(self, stream: int, *messages: bytes, end: bool = False) -> list[Frame]:
        """Open a stream and send messages."""
        found = self.say(self.head(stream))
        for message in messages:
            found += self.say(data(stream, write_message(message)))
        return found + (self.say(data(stream, b"", OVER)) if end else [])

    @property
    def failed(self) -> int | None:
        """The code of the connection's end."""
        return None if self.connection.failed is None else int(self.connection.failed.code)


def data(stream: int, payload: bytes, flags: int = 0) -> bytes:
    return frames.write_frame(frames.DATA, flags, stream, payload)


def fields_of(frame: Frame) -> dict[str, str]:
    """What a header block of the server says. It uses no table."""
    return {name.decode(): value.decode() for name, value in Decoder().decode(frame.payload, raw=True)}
