"""The calls of one connection, and what is sent for them. Pure.

A response is one HEADERS frame of constant bytes ("Trailers-Only"), so there is no encoder of HPACK, and no window to
wait for. Only health checks send a message; those wait for the client's window, which is kept for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from h2.errors import ErrorCodes

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.grpc_calls import Asked
from mirror_addon.processor.grpc_messages import MessageReader
from mirror_addon.processor.grpc_messages import Waiting
from mirror_addon.processor.grpc_messages import write_message
from mirror_addon.processor.grpc_status import HEADERS_OK
from mirror_addon.processor.grpc_status import TRAILERS_ONLY
from mirror_addon.processor.grpc_status import Status
from mirror_addon.processor.grpc_status import trailers
from mirror_addon.processor.http2_frames import ConnectionFault

WINDOW = 16 * 1024 * 1024
"""Bytes that a stream may send at any time."""
_END = frames.END_STREAM | frames.END_HEADERS


class Handler(Protocol):
    """Who is told of a call."""

    def message(self, data: bytes) -> bool:
        """Take a message; False: the call is to be ended."""

    def closed(self, *, lost: bool = False) -> None:
        """Nothing more comes. `lost`: not because the client has said all that it had to say."""


class Opener(Protocol):
    """Who makes the handlers of a front's calls."""

    waiting: Waiting
    open: int
    """Calls of all connections."""

    def opened(self, call: Call, asked: Asked) -> Handler:
        """Raises CallEnded where there is no such method."""


class Call:
    """A stream whose client may send more."""

    __slots__ = ("_calls", "credit", "half_closed", "handler", "headed", "messages", "number", "said", "stays",
                 "unsent", "window")  # fmt: skip

    def __init__(self, calls: Calls, number: int, messages: MessageReader, *, half_closed: bool) -> None:
        self._calls = calls
        self.number = number
        self.messages = messages
        self.half_closed = half_closed
        """The client has said all."""
        self.handler: Handler | None = None
        self.window = WINDOW
        """Bytes that the client may send."""
        self.said = False
        """It has sent a message."""
        self.stays = False
        """The call goes on when the client has said all."""
        self.headed = False
        """The response has begun."""
        self.credit = 0
        """What the client's WINDOW_UPDATEs gave, without what was sent; its initial window comes to it."""
        self.unsent: list[bytes] = []

    def write(self, message: bytes) -> None:
        """Send a message, as soon as there is room for it. Then the call ends, unless it stays."""
        self.unsent.append(write_message(message))
        self._calls.flush(self)

    def end(self, status: Status = Status.OK, text: str = "") -> None:
        """End it; what waits for room is not sent. The handler is not told."""
        self._calls.finish(self, status, text)

    def tell_closed(self, *, lost: bool = False) -> None:
        if self.handler is not None:
            self.handler.closed(lost=lost)


class Calls:
    """The open calls by number. What is to be sent is appended to `out`."""

    def __init__(self, opener: Opener, out: bytearray) -> None:
        self.out = out
        self._opener = opener
        self._open: dict[int, Call] = {}
        self._initial_window = frames.DEFAULT_WINDOW
        self._window = frames.DEFAULT_WINDOW
        self.find = self._open.get

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._open.values()))

    def __contains__(self, call: Call) -> bool:
        return call.number in self._open

    def open(self, number: int, *, half_closed: bool) -> Call:
        """Begin a call."""
        call = Call(self, number, MessageReader(self._opener.waiting), half_closed=half_closed)
        self._open[number] = call
        self._opener.open += 1
        return call

    def forget(self, call: Call) -> bool:
        """Take no more for a call; False: it has ended before."""
        if self._open.pop(call.number, None) is None:
            return False
        self._opener.open -= 1
        call.messages.drop()
        return True

    # Ends

    def complete(self, call: Call) -> None:
        """End a call that has got no message; nearly all do."""
        if self.forget(call):
            self.answer(call.number, TRAILERS_ONLY, half_closed=call.half_closed)

    def finish(self, call: Call, status: Status, text: str) -> None:
        """End a call."""
        if self.forget(call):
            block = trailers(status, text)
            self.answer(call.number, block if call.headed else HEADERS_OK + block, half_closed=call.half_closed)

    def answer(self, number: int, block: bytes, *, half_closed: bool) -> None:
        """Send the last header block of a stream."""
        self.out += frames.write_frame(frames.HEADERS, _END, number, block)
        if not half_closed:  # RFC 9113 8.1: what else the client has to say is not needed
            self.out += frames.write_reset(number, ErrorCodes.NO_ERROR)

    def break_off(self, call: Call, status: Status, text: str = "") -> None:
        """End a call whose client has not said all."""
        call.end(status, text)
        call.tell_closed(lost=True)

    def abandon(self, call: Call, code: ErrorCodes) -> None:
        """End a call whose client broke the rules."""
        if self.forget(call):
            self.out += frames.write_reset(call.number, code)
        call.tell_closed(lost=True)

    def lose(self, call: Call) -> None:
        """The client has ended the call, or is gone."""
        self.forget(call)
        call.tell_closed(lost=True)

    # Windows

    def set_initial_window(self, size: int) -> None:
        """Take the client's setting. Raises ConnectionFault (RFC 9113 6.9.2)."""
        self._initial_window = size
        if any(call.credit + size > frames.MAX_WINDOW for call in self._open.values()):
            raise ConnectionFault(
                ErrorCodes.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE makes a window too large"
            )
        self._flush_all()

    def widen(self, more: int) -> None:
        """The connection has room for more. Raises ConnectionFault (RFC 9113 6.9)."""
        if not more:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        self._window += more
        if self._window > frames.MAX_WINDOW:
            raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "WINDOW_UPDATE by too much")
        self._flush_all()

    def widen_call(self, call: Call, more: int) -> None:
        """A stream has room for more."""
        call.credit += more
        if not more:
            self.abandon(call, ErrorCodes.PROTOCOL_ERROR)
        elif call.credit + self._initial_window > frames.MAX_WINDOW:
            self.abandon(call, ErrorCodes.FLOW_CONTROL_ERROR)
        else:
            self.flush(call)

    def flush(self, call: Call) -> None:
        """Send what waits and has room. Messages are small: one that has no room as a whole is not begun."""
        if not call.unsent or call not in self:
            return
        if not call.headed:
            call.headed = True
            self.out += frames.write_frame(frames.HEADERS, frames.END_HEADERS, call.number, HEADERS_OK)
        while call.unsent:
            data = call.unsent[0]
            if len(data) > min(self._window, self._initial_window + call.credit):
                return
            self._window -= len(data)
            call.credit -= len(data)
            self.out += frames.write_frame(frames.DATA, 0, call.number, call.unsent.pop(0))
        if call.half_closed and not call.stays:
            call.end()

    def _flush_all(self) -> None:
        for call in self:
            self.flush(call)
