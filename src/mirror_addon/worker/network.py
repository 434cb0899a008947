"""TCP, Unix and TLS streams for httpcore, directly on asyncio.

httpcore has a backend on anyio. This one costs a third less CPU per shadow, because it has fewer layers, and it knows
what a lane has to know about a connection: when it was established, whether anything was received, and whether the
server has closed it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import select
import ssl
import time
from collections.abc import Iterable
from typing import Any
from typing import cast

import httpcore

from mirror_addon.clock.socket_clock import Marks
from mirror_addon.clock.socket_clock import watch
from mirror_addon.shadow.batch import Batch
from mirror_addon.shadow.tls import names_match
from mirror_addon.worker.connect_error import connect_error
from mirror_addon.worker.pace import TURN_SECONDS
from mirror_addon.worker.pace import Pace
from mirror_addon.worker.trailers import TrailerReader

_BUFFER_BYTES = 256 * 1024
"""Received bytes that may wait to be read before the socket is not read any more; and the same for writing."""
_BATCH_BYTES = 64 * 1024
"""Bytes that are written at once, without waiting for more."""
_LEAST_PIECE, _FIRST_PIECE = 1024, 4096
"""Bytes that HTTP/2 gets at a time: it parses all frames in them at once. The pieces grow while that is quick."""
_TINY_BYTES, _MOST_TINY = 512, 64
"""Reads of fewer bytes, beyond so many in one response, count as long turns: each costs a turn of the loop."""
_PROTOCOL_BYTES = len(b"HTTP/")
_GOAWAY = 7
"""Type of an HTTP/2 frame (RFC 9113 6.8)."""
_NEXT_ADDRESS_SECONDS = 0.25
"""Time after which a connection attempt to a name's next address begins beside the first (RFC 8305 8)."""


class Stream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection.

    Small writes are collected until the next read, or until the loop's turn ends: a request's head and body, which
    httpcore writes separately, leave in one segment. The timeouts that httpcore passes are not used, because an
    Attempt has one for the whole shadow.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._outgoing: Batch[bytes] = Batch(self._send, seconds=0.0, most=_BATCH_BYTES)
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = False
        self._read_paused = False
        self._lost = False
        self._closed = False
        self._error: Exception | None = None
        self._secured = False
        self.connected_at = 0.0
        """The loop's time when the connection was established, TLS included."""
        self.http2 = False
        """Set by LaneTransport after the first response."""
        self.eof = False
        self.eof_read = False
        """`read` has returned the end of the stream to its caller."""
        self.received = 0
        """Bytes received since the request began, after decryption."""
        self.beginning = b""
        """The first of them, as many as `HTTP/` has."""
        self.trailers: TrailerReader | None = None
        """For HTTP/2."""
        self.marks: Marks | None = None
        """The times of the socket; None where they cannot be taken."""
        self.sent_at = 0.0
        """HTTP/2: when the request's last byte was sent, in seconds since the epoch. There, frames of the connection
        itself are sent after it."""
        self._request_ends = False
        self._awaits_response = False
        self._turn = 0.0
        """Processor time of the thread when the present turn began: since then, the reader has not waited."""
        self._piece = _FIRST_PIECE
        self._tiny = 0
        """Reads of the present response that had few bytes."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        self.connected_at = self._loop.time()
        self._turn = time.thread_time()
        if self.marks is None:
            self.marks = watch(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._awaits_response:
            self._awaits_response = False
            self.sent_at = self.marks.sent if self.marks is not None else 0.0
        self.received += len(data)
        if len(self.beginning) < _PROTOCOL_BYTES:
            self.beginning = (self.beginning + data)[:_PROTOCOL_BYTES]
        self._incoming += data
        if len(self._incoming) > _BUFFER_BYTES and not self._read_paused and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self.eof = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self.eof = True
        self._error = exc
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # httpcore.AsyncNetworkStream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._outgoing.flush()
        if self._request_ends:
            self._request_ends, self._awaits_response = False, True
            self._turn = time.thread_time()
        if not self._incoming:
            self._resume_reading()
        while not self._incoming:
            if self.eof:
                if self._error is not None:
                    raise httpcore.ReadError(str(self._error))
                self.eof_read = True
                return b""
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            self._turn = time.thread_time()
        if self._backend.http2 and self._incoming.startswith(b"HTTP/"):
            # To h2 these bytes are the header of a frame of 4 MiB, for which it would wait until the timeout.
            raise httpcore.RemoteProtocolError("the mirror responded with HTTP/1, but its port's protocol is HTTP/2")
        if self.trailers is not None:
            max_bytes = min(max_bytes, self._piece)
        data = bytes(self._incoming[:max_bytes])
        del self._incoming[:max_bytes]
        if self.trailers is not None:
            self._turn = time.thread_time()  # connections of HTTP/2 wait between two reads
            self.trailers.feed(data)
        self._tiny += len(data) < _TINY_BYTES
        if len(self._incoming) < _BUFFER_BYTES // 2:
            self._resume_reading()
        return data

    def _resume_reading(self) -> None:
        if self._read_paused and not self._lost:
            assert self._transport is not None
            self._read_paused = False
            self._transport.resume_reading()

    async def give_way(self) -> None:
        """To be called after a part of what was read is parsed. Waits if the present turn has been long (`pace`)."""
        spent = time.thread_time() - self._turn
        if spent <= TURN_SECONDS and self._tiny <= _MOST_TINY:
            self._piece = min(self._piece * 2, _BUFFER_BYTES)
            return
        if spent > TURN_SECONDS:
            self._piece = max(self._piece // 2, _LEAST_PIECE)
        seconds = self._backend.pace.after(spent, self._loop.time())
        if seconds and self._transport is not None and not (self._read_paused or self._lost):
            self._read_paused = True
            self._transport.pause_reading()  # meanwhile, the system collects what arrives
        await asyncio.sleep(seconds)
        self._turn = time.thread_time()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        if self._lost:
            raise httpcore.WriteError(str(self._error or "the connection is closed"))
        self._outgoing.add(buffer, len(buffer))
        if self._outgoing:
            # A small write never waits. A WINDOW_UPDATE frame that did could stop the exchange for good, if the server
            # reads again only after it has sent what this frame allows it to send.
            return
        while self._write_paused:
            self._drained = self._loop.create_future()
            try:
                await self._drained
            finally:
                self._drained = None
        if self._lost:
            raise httpcore.WriteError(str(self._error or "the connection is closed"))

    def _send(self, parts: list[bytes]) -> None:
        if not self._lost:
            assert self._transport is not None
            self._transport.write(b"".join(parts))

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Close in the way of TLS and TCP; reset the connection if anything is left to send or to read."""
        if self._transport is None or self._lost or self._closed:
            return
        self._closed = True
        if self._outgoing or self._incoming or self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        assert self._transport is not None
        secured = Stream(self._backend)
        secured._secured = True
        secured.marks = self.marks
        try:
            transport = await self._loop.start_tls(
                self._transport,
                secured,
                ssl_context,
                server_hostname=server_hostname,
                ssl_shutdown_timeout=1.0,
            )
        except (OSError, ValueError) as error:
            self._transport.abort()
            raise httpcore.ConnectError(f"TLS: {error}") from error
        assert transport is not None
        secured.connection_made(transport)
        if secured.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            secured.trailers = TrailerReader()
        self._backend.adopt(secured)
        return secured

    def get_extra_info(self, info: str) -> Any:
        assert self._transport is not None
        if info == "is_readable":
            return self.stale()
        return self._transport.get_extra_info(info)

    # For LaneTransport and Attempt

    @property
    def speaks_http2(self) -> bool:
        """Known when the connection is established, by ALPN or the port's protocol."""
        return self.trailers is not None

    @property
    def speaks_http(self) -> bool:
        """What has been received since the request began is not anything else."""
        return self.speaks_http2 or b"HTTP/".startswith(self.beginning)

    def begin_request(self) -> None:
        """Another request begins on this connection."""
        self.received = 0
        self.beginning = b""
        self.sent_at = 0.0
        self._request_ends = self._awaits_response = False
        self._tiny = 0

    def end_request(self) -> None:
        """Its body is written when the next read begins."""
        self._request_ends = True

    def stale(self) -> bool:
        """Whether the server has closed an idle connection, even if the event loop has not noticed yet.

        Unread bytes make an HTTP/1.1 connection useless, because they would be read as the next response. For HTTP/2
        only a GOAWAY frame among them does.
        """
        if self.eof or self._closed or self._transport is None or self._transport.is_closing():
            return True
        if self._incoming and (not self.http2 or _has_goaway(self._incoming)):
            return True
        if self.http2 or self._secured:
            return False  # a readable socket proves nothing: there may be a SETTINGS frame or a session ticket
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))


def _has_goaway(buffer: bytearray) -> bool:
    """`buffer` begins with an HTTP/2 frame: 3 bytes of length, then the type, in a header of 9 (RFC 9113 4.1)."""
    at = 0
    while at + 9 <= len(buffer):
        if buffer[at + 3] == _GOAWAY:
            return True
        at += 9 + int.from_bytes(buffer[at : at + 3], "big")
    return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Backend(httpcore.AsyncNetworkBackend):
    """Opens one Stream, which is `stream` from then on.

    `names` are the `subjectAltNames` of the TLS settings: the server's certificate must have one of them, which is
    checked before a byte of the request is written. `http2`: the connection speaks HTTP/2 with prior knowledge.
    `pace`: of the mirror.
    """

    def __init__(self, names: tuple[str, ...] = (), *, http2: bool = False, pace: Pace | None = None) -> None:
        self.pace = pace if pace is not None else Pace()
        self.stream: Stream | None = None
        self.http2 = http2
        self.begun_at = 0.0
        """The loop's time when connecting began."""
        self._names = names

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        loop = asyncio.get_running_loop()
        self.begun_at = loop.time()
        try:
            _, stream = await loop.create_connection(
                self._made, host, port, happy_eyeballs_delay=None if _is_address(host) else _NEXT_ADDRESS_SECONDS
            )
        except (OSError, ValueError) as error:
            raise connect_error(error, f"{host} port {port}") from error
        self.stream = stream
        return stream

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> Stream:
        loop = asyncio.get_running_loop()
        self.begun_at = loop.time()
        try:
            _, stream = await loop.create_unix_connection(self._made, path)
        except (OSError, ValueError) as error:
            raise connect_error(error, path) from error
        self.stream = stream
        return stream

    def _made(self) -> Stream:
        stream = Stream(self)
        if self.http2:
            stream.trailers = TrailerReader()
        return stream

    def adopt(self, secured: Stream) -> None:
        """Use a TLS stream in place of the one below it. Raises ConnectError if its certificate has none of `names`."""
        self.stream = secured
        if self._names and not names_match(secured.get_extra_info("ssl_object").getpeercert() or {}, self._names):
            secured.close()
            raise httpcore.ConnectError(f"TLS: the certificate is for none of {', '.join(self._names)}")
