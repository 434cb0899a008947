"""gRPC's messages in the DATA of a stream: five bytes before each, and no regard for the bounds of frames. Pure.

Source: "gRPC over HTTP2", Length-Prefixed-Message.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from mirror_addon.processor.grpc_status import CallEnded
from mirror_addon.processor.grpc_status import Status

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes. Envoy sends what it read in one go: 1 MiB with its own buffer limit, more where a listener has another."""
MAX_WAITING = 256 * 1024 * 1024
"""Bytes of all messages of a front that have not come to their end."""
PREFIX = 5


class Waiting:
    """The bytes of messages that are not complete, over all streams of a front."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class MessageReader:
    """Puts the messages of one stream together. What waits is counted in `waiting`."""

    __slots__ = ("_buffer", "_missing", "_waiting")

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._buffer: bytearray | None = None
        """What waits; None is nothing."""
        self._missing = 0
        """Bytes until something can be read: a message, or its prefix."""

    @property
    def incomplete(self) -> bool:
        return self._buffer is not None

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Return the messages that are complete with `data`. Raises CallEnded, also from the iterator."""
        if self._buffer is None and int.from_bytes(data[:PREFIX], "big") == len(data) - PREFIX <= MAX_MESSAGE:
            return (data[PREFIX:],)  # one message, as nearly always
        return self._read(data)

    def drop(self) -> None:
        """Forget what waits."""
        if self._buffer is not None:
            self._waiting.bytes -= len(self._buffer)
            self._buffer = None

    def _read(self, data: bytes) -> Iterator[bytes]:
        buffer = self._buffer
        if buffer is not None:
            if len(data) < self._missing:
                self._missing -= len(data)
                self._wait(data)
                return
            self.drop()
            buffer += data
            data = bytes(buffer)
        position, end = 0, len(data)
        while end - position >= PREFIX:
            if data[position]:
                raise CallEnded(Status.UNIMPLEMENTED, "compressed messages are not accepted")
            length = int.from_bytes(data[position + 1 : position + PREFIX], "big")
            if length > MAX_MESSAGE:
                raise CallEnded(Status.RESOURCE_EXHAUSTED, f"a message has more than {MAX_MESSAGE} bytes")
            stop = position + PREFIX + length
            if stop > end:
                self._missing = stop - end
                self._wait(data[position:])
                return
            yield data[position + PREFIX : stop]
            position = stop
        if position < end:
            self._missing = PREFIX - (end - position)
            self._wait(data[position:])

    def _wait(self, data: bytes) -> None:
        if self._buffer is None:
            self._buffer = bytearray()
        self._buffer += data
        self._waiting.bytes += len(data)
        if self._waiting.bytes > MAX_WAITING:
            raise CallEnded(Status.RESOURCE_EXHAUSTED, "too many messages are under way")


def write_message(data: bytes) -> bytes:
    """Return a message as it is sent."""
    return b"\0" + len(data).to_bytes(4, "big") + data
