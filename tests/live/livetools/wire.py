"""HTTP/1 heads and bodies as bytes: as much of a parser as tests need that must not hide what was on the wire."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass


class Ended(ConnectionError):
    """The other side closed before the message was complete; `args[0]` holds the bytes that had arrived."""


class Stream:
    """Reads from a socket, keeping every byte of the message being read in `seen`."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.seen = bytearray()
        self._ahead = b""

    def _more(self) -> bytes:
        data = self._ahead or self.socket.recv(262144)
        self._ahead = b""
        if not data:
            raise Ended(bytes(self.seen))
        return data

    def begin(self) -> None:
        self.seen = bytearray()

    def until(self, end: bytes) -> bytes:
        """The bytes up to and with `end`."""
        start = len(self.seen)
        while (found := self.seen.find(end, start)) < 0:
            self.seen += self._more()
        found += len(end)
        self._ahead = bytes(self.seen[found:]) + self._ahead
        del self.seen[found:]
        return bytes(self.seen[start:])

    def exactly(self, size: int) -> bytes:
        start = len(self.seen)
        while len(self.seen) < start + size:
            self.seen += self._more()
        self._ahead = bytes(self.seen[start + size :]) + self._ahead
        del self.seen[start + size :]
        return bytes(self.seen[start:])

    def rest(self) -> bytes:
        """Everything until the other side closes."""
        start = len(self.seen)
        try:
            while True:
                self.seen += self._more()
        except Ended:
            return bytes(self.seen[start:])

    def chunked(self) -> bytes:
        """The content of a chunked body; sizes, extensions and trailers are only in `seen`."""
        parts = []
        while size := int(self.until(b"\r\n").partition(b";")[0], 16):
            parts.append(self.exactly(size))
            self.exactly(2)
        while self.until(b"\r\n") != b"\r\n":
            pass
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Message:
    """A request or response. `head` ends with the empty line, `raw_body` is as on the wire, `body` without chunking."""

    head: bytes
    raw_body: bytes
    body: bytes

    @property
    def start_line(self) -> bytes:
        return self.head.partition(b"\r\n")[0]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Name and value of every line, in order, names as sent, values without the one space after the colon."""
        lines = self.head.split(b"\r\n")[1:-2]
        return [(name, value.removeprefix(b" ")) for name, _, value in (line.partition(b":") for line in lines)]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        """The one value of a field that must not be repeated; None where it is absent."""
        values = self.values(name)
        assert len(values) <= 1, f"{name!r} is repeated: {values!r}"
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Received(Message):
    """A request as a recorder read it. `connection` counts the recorder's connections, `time` is `time.monotonic()`."""

    connection: int
    time: float

    @property
    def method(self) -> bytes:
        return self.start_line.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start_line.split(b" ")[1]


class Response(Message):
    """An answer as a client read it."""

    __slots__ = ()

    @property
    def status(self) -> int:
        return int(self.start_line.split(b" ")[1])

    @property
    def wire(self) -> bytes:
        return self.head + self.raw_body


def _framed(stream: Stream, message: Message) -> bytes | None:
    if (coding := message.value(b"transfer-encoding")) is not None:
        assert coding.lower() == b"chunked", coding
        return stream.chunked()
    if (length := message.value(b"content-length")) is not None:
        return stream.exactly(int(length))
    return None


def read_request(stream: Stream) -> Message | None:
    """The next request of a connection, or None when it was closed between two requests."""
    stream.begin()
    try:
        head = stream.until(b"\r\n\r\n")
    except Ended as ended:
        if ended.args[0]:
            raise
        return None
    body = _framed(stream, Message(head, b"", b"")) or b""
    return Message(head, bytes(stream.seen[len(head) :]), body)


def read_response(stream: Stream, method: bytes) -> Response:
    """The answer to a request with `method`; interim answers (1xx) are passed over."""
    while True:
        stream.begin()
        head = stream.until(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status == 101 or not 100 <= status < 200:
            break
    if method in (b"HEAD", b"CONNECT") or status in (101, 204, 304):
        return Response(head, b"", b"")
    body = _framed(stream, Message(head, b"", b""))
    if body is None:
        body = stream.rest()
    return Response(head, bytes(stream.seen[len(head) :]), body)


def chunks(*parts: bytes) -> bytes:
    """A chunked body of these parts."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


def lines(*parts: bytes) -> bytes:
    """A head of these lines, with the empty line that ends it."""
    return b"\r\n".join(parts) + b"\r\n\r\n"


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
