"""One connection of gRPC: bytes in, messages to handlers, bytes out. Pure: no socket, and no clock but what is told.

Theory of operation. Envoy has one HTTP/2 connection for each of its threads, and opens a stream for each exchange. What
it needs of HTTP/2 is little, and it needs that at tens of microseconds a stream, so this is no HTTP/2 library: it is a
server of calls that say a lot and are answered with nothing. What makes it short:

- windows are large and renewed early: nothing here ever stops reading, and what has no room is dropped further up;
- a call is open while its client may send more that is wanted. What comes for a stream that was ended is skipped
  (RFC 9113 5.1: it may be on its way), but counts for the window of the connection, and header blocks are read,
  because the table of HPACK is shared;
- `http2_calls` sends, `header_blocks` and `grpc_messages` put together what comes in several frames.

What breaks the rules ends the connection with GOAWAY, or its stream with RST_STREAM, and the code that RFC 9113 names.
What would be within the rules and hostile is bounded: the bytes of a header block and the frames that it comes in, open
streams (REFUSED_STREAM beyond), streams that are opened and reset at once, messages that never end (`grpc_messages`).
Answers that a client does not read are the transport's to bound (`http2_front`).
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.grpc_calls import MAX_FIELDS
from mirror_addon.processor.grpc_calls import CallReader
from mirror_addon.processor.grpc_status import CallEnded
from mirror_addon.processor.grpc_status import Status
from mirror_addon.processor.header_blocks import Block
from mirror_addon.processor.header_blocks import HeaderBlocks
from mirror_addon.processor.http2_calls import WINDOW
from mirror_addon.processor.http2_calls import Call
from mirror_addon.processor.http2_calls import Calls
from mirror_addon.processor.http2_calls import Opener
from mirror_addon.processor.http2_frames import ConnectionFault
from mirror_addon.processor.http2_frames import StreamFault

MAX_STREAMS = 16384
"""Open at a time in a front; what is beyond is refused. Envoy's breaker on the cluster is to be below."""
EMPTY_RESETS = 1000
"""Streams that may be reset before they have said anything, without those that are forgiven."""
FORGIVEN = 100.0
"""Of those, a second. An Envoy sends the first message with the head of its stream."""
_GOODBYE = b"goodbye\0"
"""Of the ping that follows the first GOAWAY."""
_SETTINGS = frames.write_settings(
    {
        SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
        SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
        SettingCodes.MAX_HEADER_LIST_SIZE: MAX_FIELDS,
    }
) + frames.write_window_update(0, frames.MAX_WINDOW - frames.DEFAULT_WINDOW)


class Connection:
    """`receive` takes what came; what is to be sent is in `out`. After `failed` is set nothing more is read.

    `now` is a monotonic time in seconds, to be set before `receive`.
    """

    def __init__(self, opener: Opener, now: float) -> None:
        self.now = now
        self.out = bytearray(_SETTINGS)
        self.calls = Calls(opener, self.out)
        self.greeted = False
        """The client speaks HTTP/2."""
        self.failed: ConnectionFault | None = None
        self.drained = False
        """The client has answered the ping that came with the first GOAWAY: it knows that it should leave."""
        self._opener = opener
        self._reader = CallReader()
        self._blocks = HeaderBlocks()
        self._rest = b""
        self._newest = 0
        """The newest stream of the client."""
        self._left = False
        """GOAWAY has named the last stream; newer ones are not taken."""
        self._window = frames.MAX_WINDOW
        self._empty_resets = 0.0
        self._forgiven_at = now
        self._kinds = {
            frames.PRIORITY: self._priority,
            frames.RST_STREAM: self._reset,
            frames.SETTINGS: self._settings,
            frames.PUSH_PROMISE: self._pushed,
            frames.PING: self._ping,
            frames.GOAWAY: self._goaway,
            frames.WINDOW_UPDATE: self._window_update,
            frames.CONTINUATION: self._continuation,
        }

    def receive(self, data: bytes) -> None:
        """Take bytes. Raises nothing."""
        if self.failed is not None:
            return
        if self._rest:
            data = self._rest + data
        position = 0
        try:
            if not self.greeted:
                position = self._greet(data)
            if self.greeted:
                position = self._frames(data, position)
        except ConnectionFault as fault:
            self.failed = fault
            self.out += frames.write_goaway(self._newest, fault.code, str(fault))
            self.lost()
        self._rest = data[position:]

    def lost(self) -> None:
        """The connection is gone, and all its calls with it."""
        for call in self.calls:
            self.calls.lose(call)

    # The end

    def leave(self) -> None:
        """Ask the client for no more streams. Those that are on their way are still taken (RFC 9113 6.8)."""
        self.out += frames.write_goaway(frames.MAX_WINDOW, ErrorCodes.NO_ERROR)
        self.out += frames.write_frame(frames.PING, 0, 0, _GOODBYE)

    def leave_now(self) -> None:
        """Take no more streams than there have been."""
        self._left = True
        self.out += frames.write_goaway(self._newest, ErrorCodes.NO_ERROR)

    def cut(self) -> None:
        """End the calls that are left."""
        for call in self.calls:
            self.calls.break_off(call, Status.UNAVAILABLE, "the processor ends")

    # Frames

    def _greet(self, data: bytes) -> int:
        """Return where the frames begin, 0 while that is not known."""
        length = len(frames.PREFACE)
        if not data.startswith(frames.PREFACE):
            if not frames.PREFACE.startswith(data):
                raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "no preface of HTTP/2")
            return 0
        if len(data) < length + frames.HEAD_BYTES:
            return 0
        if data[length + 3] != frames.SETTINGS:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        self.greeted = True
        return length

    def _frames(self, data: bytes, position: int) -> int:
        """Take the frames from `position` on, and return where the first incomplete one begins."""
        read_head, end, block = frames.read_head, len(data), None
        while end - position >= frames.HEAD_BYTES:
            upper, lower, kind, flags, stream = read_head(data, position)
            length = upper << 8 | lower
            if length > frames.MAX_FRAME:
                raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, f"a frame of more than {frames.MAX_FRAME} bytes")
            start = position + frames.HEAD_BYTES
            if start + length > end:
                break
            position = start + length
            stream &= frames.MAX_WINDOW
            if self._blocks.open:
                block = self._blocks.add(kind, flags, stream, data[start:position])
            elif kind == frames.DATA:
                self._data(flags, stream, data, start, position)
                continue
            elif kind == frames.HEADERS:
                block = self._blocks.begin(flags, stream, data, start, position)
            elif kind in self._kinds:
                self._kinds[kind](flags, stream, data[start:position])
                continue
            if block is not None:
                self._head(block)
                block = None
        return position

    def _data(self, flags: int, number: int, data: bytes, start: int, stop: int) -> None:
        length = stop - start
        self._window -= length
        if self._window < frames.MAX_WINDOW // 2:
            self.out += frames.write_window_update(0, frames.MAX_WINDOW - self._window)
            self._window = frames.MAX_WINDOW
        if flags & frames.PADDED:
            start, stop = frames.unpadded(data, start, stop)
        call = self.calls.find(number)
        if call is None:
            self._check_old(number, "DATA")
            return
        try:
            self._take(call, flags, length, data[start:stop])
        except StreamFault as fault:
            self.calls.abandon(call, fault.code)
        except CallEnded as ended:
            self.calls.break_off(call, ended.status, str(ended))

    def _take(self, call: Call, flags: int, length: int, data: bytes) -> None:
        """Take the DATA of an open call. `length` is what counts for its window. Raises StreamFault and CallEnded."""
        if call.half_closed:
            raise StreamFault(ErrorCodes.STREAM_CLOSED, "DATA after the end of a stream")
        call.window -= length
        if call.window < 0:
            raise StreamFault(ErrorCodes.FLOW_CONTROL_ERROR, "more DATA than the window has room for")
        handler = call.handler
        assert handler is not None
        for message in call.messages.feed(data):
            call.said = True
            if not handler.message(message):
                call.half_closed = bool(flags & frames.END_STREAM)
                self.calls.complete(call)
                return
        if flags & frames.END_STREAM:
            self._half_closed(call)
        elif call.window < WINDOW // 2:
            self.out += frames.write_window_update(call.number, WINDOW - call.window)
            call.window = WINDOW

    def _head(self, block: Block) -> None:
        """A header block is complete."""
        number = block.stream
        if number <= self._newest:
            self._trailers(block)
            return
        self._newest = number
        if self._left:  # the client opens it again elsewhere
            self._reader.skip(block.fields)
            return
        try:
            asked = self._reader.read(block.fields)
        except StreamFault as fault:
            self.out += frames.write_reset(number, fault.code)
            return
        if self._opener.open >= MAX_STREAMS:
            self.out += frames.write_reset(number, ErrorCodes.REFUSED_STREAM)
            return
        if asked.refusal:
            self.calls.answer(number, asked.refusal, half_closed=block.end)
            return
        call = self.calls.open(number, half_closed=block.end)
        try:
            call.handler = self._opener.opened(call, asked)
        except CallEnded as ended:
            call.end(ended.status, str(ended))
            return
        if block.end:
            self._half_closed(call)

    def _trailers(self, block: Block) -> None:
        """A client of gRPC has none, but HTTP has (RFC 9113 8.1)."""
        self._reader.skip(block.fields)
        if not block.end:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "a second header block without the end of its stream")
        call = self.calls.find(block.stream)
        if call is not None:
            if call.half_closed:
                self.calls.abandon(call, ErrorCodes.STREAM_CLOSED)
            else:
                self._half_closed(call)

    def _half_closed(self, call: Call) -> None:
        """The client has said all."""
        call.half_closed = True
        if call.messages.incomplete:
            self.calls.break_off(call, Status.INTERNAL, "the last message is not complete")
            return
        call.tell_closed()
        if not call.stays and not call.unsent:
            call.end()

    def _priority(self, _flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "PRIORITY of the connection")
        if len(payload) != 5:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "PRIORITY has five bytes")

    def _reset(self, _flags: int, number: int, payload: bytes) -> None:
        frames.read_code(payload, "RST_STREAM")
        call = self.calls.find(number)
        if call is None:
            self._check_old(number, "RST_STREAM")
            return
        self.calls.lose(call)
        if not call.said:
            self._count_empty_reset()

    def _count_empty_reset(self) -> None:
        """CVE-2023-44487: a stream that is reset at once costs its client nothing."""
        forgiven = (self.now - self._forgiven_at) * FORGIVEN
        self._empty_resets = max(self._empty_resets - forgiven, 0.0) + 1
        self._forgiven_at = self.now
        if self._empty_resets > EMPTY_RESETS:
            raise ConnectionFault(ErrorCodes.ENHANCE_YOUR_CALM, "too many streams were reset at once")

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "SETTINGS of a stream")
        window = frames.read_settings(flags, payload)
        if not flags & frames.ACK:
            self.out += frames.write_frame(frames.SETTINGS, frames.ACK, 0)
            if window is not None:
                self.calls.set_initial_window(window)

    def _pushed(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "PUSH_PROMISE of a client")

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "PING of a stream")
        if len(payload) != 8:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "PING has eight bytes")
        if not flags & frames.ACK:
            self.out += frames.write_frame(frames.PING, frames.ACK, 0, payload)
        elif payload == _GOODBYE:
            self.drained = True

    def _goaway(self, _flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "GOAWAY of a stream")
        if len(payload) < 8:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "GOAWAY has eight bytes at least")

    def _window_update(self, _flags: int, number: int, payload: bytes) -> None:
        more = frames.read_number(payload, "WINDOW_UPDATE")
        if not number:
            self.calls.widen(more)
            return
        call = self.calls.find(number)
        if call is None:
            self._check_old(number, "WINDOW_UPDATE")
        else:
            self.calls.widen_call(call, more)

    def _continuation(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "CONTINUATION of nothing")

    def _check_old(self, number: int, what: str) -> None:
        """A stream that is not open must have been."""
        if not number % 2 or number > self._newest:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"{what} for a stream that was not opened")
