"""`mirror-addon collect`: a mirror target that records every request and sends the same response to all of them.

Theory of operation. The collector stands where a mirror will be, before there is one: it shows what the mirror will
receive. It is one process with one event loop, in the main thread. Each connection is served by a task of its own.

    server.py   accepts connections and parses requests into `Collected`
    run.py      hands each of them to the file and to the counts; ends after a time or a number of requests
    files.py    the file: JSON Lines, or a HAR that is a complete document after every request
    summary.py  what is printed at the end, counted in bounded memory

A request is written before its response is sent, so that what a client saw acknowledged is in the file. Writing is
synchronous; a slow disc slows the responses down.

Protocols are HTTP/1.0 and HTTP/1.1 by h11 (keep-alive, chunked bodies, `Expect: 100-continue`), and HTTP/2 with prior
knowledge (RFC 9113 3.3) by h2; the connection preface tells them apart. There is no TLS and no Upgrade, and trailers
are not recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import h11

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""The connection preface of HTTP/2 (RFC 9113 3.4)."""
_READ = 64 * 1024
_MAX_HEAD = 256 * 1024
"""Bytes of a request's line and header fields in HTTP/1."""
_STREAMS = 1000
"""Concurrent streams of an HTTP/2 connection."""
_WINDOW = 1024 * 1024
"""Bytes of flow control, of each stream and added to the connection's 64 KiB."""

Address = tuple[str, int]
Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """A request as it arrived. `headers` are as sent, in order, with Host and without pseudo-header fields."""

    time: float
    """When it started, in seconds since the epoch."""
    ms: float
    """Milliseconds from the arrival of the header fields to the end of the body."""
    client: Address
    method: bytes
    authority: bytes
    """`:authority` or Host; empty where there is neither."""
    target: bytes
    http_version: str
    """`HTTP/1.1`, `HTTP/2`."""
    headers: Fields
    body: bytes
    """The first bytes of the body, as many as are recorded."""
    size: int
    """Bytes of the whole body."""


@dataclass(slots=True)
class _Incoming:
    """A request whose body is being read."""

    method: bytes
    authority: bytes
    target: bytes
    http_version: str
    headers: Fields
    began: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.perf_counter)
    body: bytearray = field(default_factory=bytearray)
    size: int = 0

    def add(self, data: bytes, keep: int) -> None:
        self.size += len(data)
        self.body += data[: max(0, keep - len(self.body))]

    def end(self, client: Address) -> Collected:
        ms = (time.perf_counter() - self.clock) * 1000
        head = self.method, self.authority, self.target, self.http_version, self.headers
        return Collected(self.began, ms, client, *head, bytes(self.body), self.size)


class Collector:
    """A server that listens while it is used as an async context manager. Entering raises OSError where it cannot.

    `take` is called with each request, before the response is sent; where it returns False, the connection is closed
    without a response. The response has this `status`, no body, and is sent `delay` seconds later. `keep` bytes of each
    body are recorded.
    """

    def __init__(
        self,
        host: str,
        port: int,
        take: Callable[[Collected], bool],
        *,
        status: int = 200,
        delay: float = 0.0,
        keep: int = 1024 * 1024,
    ) -> None:
        self.refused = 0
        """Connections that were closed because they sent something that is not HTTP."""
        self.delay = delay
        self._where = host, port
        self._take = take
        self._status = status
        self._keep = keep
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: one address for each socket."""
        assert self._server, "not listening"
        return [socket.getsockname()[:2] for socket in self._server.sockets]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, *self._where, backlog=512)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")[:2]
        try:
            begin = b""
            while PREFACE.startswith(begin) and len(begin) < len(PREFACE):
                more = await reader.read(_READ)
                if not more:
                    return
                begin += more
            serve: Callable[..., Awaitable[None]] = self._http2 if begin.startswith(PREFACE) else self._http1
            await serve(reader, writer, client, begin)
        except (h11.ProtocolError, h2.exceptions.ProtocolError):
            self.refused += 1
        except OSError:
            pass  # the client closed the connection
        finally:
            writer.close()

    # HTTP/1

    async def _http1(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: Address, begin: bytes
    ) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        connection.receive_data(begin)
        try:
            while (incoming := await self._read(connection, reader, writer)) is not None:
                if not self._take(incoming.end(client)):
                    return
                await asyncio.sleep(self.delay)
                fields = [] if self._status == 204 else [("Content-Length", "0")]
                await _send(connection, writer, h11.Response(status_code=self._status, headers=fields))
                await _send(connection, writer, h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return
                connection.start_next_cycle()
        except h11.RemoteProtocolError as error:
            if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                fields = [("Content-Length", "0"), ("Connection", "close")]
                await _send(connection, writer, h11.Response(status_code=error.error_status_hint, headers=fields))
            raise

    async def _read(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> _Incoming | None:
        """The next request of a connection, or None at its end. Raises h11.RemoteProtocolError."""
        incoming: _Incoming | None = None
        while True:
            match connection.next_event():
                case h11.NEED_DATA:
                    if connection.they_are_waiting_for_100_continue:
                        await _send(connection, writer, h11.InformationalResponse(status_code=100, headers=[]))
                    connection.receive_data(await reader.read(_READ))
                case h11.Request() as head:
                    fields = tuple(head.headers.raw_items())
                    host = next((value for name, value in head.headers if name == b"host"), b"")
                    version = f"HTTP/{head.http_version.decode()}"
                    incoming = _Incoming(bytes(head.method), host, bytes(head.target), version, fields)
                case h11.Data(data=data):
                    assert incoming
                    incoming.add(data, self._keep)
                case h11.EndOfMessage():
                    return incoming
                case _:
                    return None

    # HTTP/2

    async def _http2(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: Address, begin: bytes
    ) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        connection = h2.connection.H2Connection(config)
        settings = h2.settings.SettingCodes
        connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={settings.INITIAL_WINDOW_SIZE: _WINDOW, settings.MAX_CONCURRENT_STREAMS: _STREAMS},
        )
        connection.initiate_connection()
        connection.increment_flow_control_window(_WINDOW)
        streams: dict[int, _Incoming] = {}
        responses: set[asyncio.Task[None]] = set()
        data = begin
        try:
            while data:
                for event in connection.receive_data(data):
                    match event:
                        case h2.events.RequestReceived(stream_id=int(number), headers=headers):
                            streams[number] = _of_http2(list(headers or ()))
                        case h2.events.DataReceived(stream_id=int(number), data=bytes(chunk)):
                            streams[number].add(chunk, self._keep)
                            length = event.flow_controlled_length or 0
                            connection.acknowledge_received_data(length, number)
                        case h2.events.StreamEnded(stream_id=int(number)):
                            if not self._take(streams.pop(number).end(client)):
                                return
                            response = asyncio.create_task(self._respond2(connection, writer, number))
                            responses.add(response)
                            response.add_done_callback(responses.discard)
                        case h2.events.StreamReset(stream_id=int(number)):
                            streams.pop(number, None)
                        case h2.events.ConnectionTerminated():
                            return
                writer.write(connection.data_to_send())
                await writer.drain()
                data = await reader.read(_READ)
        except h2.exceptions.ProtocolError:
            writer.write(connection.data_to_send())
            raise
        finally:
            for response in responses:
                response.cancel()
            await asyncio.gather(*responses, return_exceptions=True)

    async def _respond2(
        self, connection: h2.connection.H2Connection, writer: asyncio.StreamWriter, number: int
    ) -> None:
        await asyncio.sleep(self.delay)
        with contextlib.suppress(h2.exceptions.ProtocolError):  # the client has reset the stream
            connection.send_headers(number, [(b":status", b"%d" % self._status)], end_stream=True)
        writer.write(connection.data_to_send())


def _of_http2(headers: list[tuple[bytes, bytes]]) -> _Incoming:
    pseudo = {name: value for name, value in headers if name.startswith(b":")}
    fields = tuple((bytes(name), bytes(value)) for name, value in headers if not name.startswith(b":"))
    host = next((value for name, value in fields if name == b"host"), b"")
    authority = pseudo.get(b":authority", host)
    return _Incoming(pseudo.get(b":method", b""), authority, pseudo.get(b":path", b""), "HTTP/2", fields)


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, event: h11.Event) -> None:
    writer.write(connection.send(event) or b"")
    await writer.drain()
