"""TCP, Unix and TLS streams for httpcore, straight on asyncio.

httpcore's own backend is anyio's; this one saves its layers (a third of the CPU of a shadow), and knows of a
connection what a lane wants to know: when it was up, whether anything came, whether the peer has ended it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any
from typing import cast

import httpcore

from mirror_addon.shadow.tls import names_match
from mirror_addon.worker.trailers import TrailerReader

_HIGH_WATER = 256 * 1024
_GATHER = 64 * 1024
_GOAWAY = 7
_NEXT_ADDRESS = 0.25
"""Seconds after which a name's next address is tried beside the first (RFC 8305)."""


class Stream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection. Small writes are gathered until the next read or turn of the loop, so that a request's head and
    body leave in one segment. The timeouts that httpcore passes are not used: a lane sets one for the whole shadow."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._outgoing: list[bytes] = []
        self._outgoing_size = 0
        self._flush_scheduled = False
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = False
        self._read_paused = False
        self._lost = False
        self._closed = False
        self._error: Exception | None = None
        self._secured = False
        self.connected_at = 0.0
        """The loop's time when the connection was up, with TLS."""
        self.http2 = False
        """Set by the lane's transport when it knows."""
        self.eof = False
        self.eof_read = False
        """`read` has said so to its caller."""
        self.received = 0
        """Bytes since the connection was up."""
        self.trailers: TrailerReader | None = None
        """Over HTTP/2."""
        self._socket: socket.socket | None = None
        """Where it speaks TCP, on Linux."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self.connected_at = self._loop.time()
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX and hasattr(socket, "TCP_QUICKACK"):
            self._socket = sock

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self._incoming += data
        if len(self._incoming) > _HIGH_WATER and not self._read_paused and self._transport is not None:
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
        self._flush()
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
        if self._backend.http2 and self._incoming.startswith(b"HTTP/"):
            # h2 takes this for the head of a frame of 4 MiB and waits for the rest.
            raise httpcore.RemoteProtocolError("the mirror answers in HTTP/1, but its port's protocol is HTTP/2")
        data = bytes(self._incoming[:max_bytes])
        del self._incoming[:max_bytes]
        if self.trailers is not None:
            self.trailers.feed(data)
        if self._read_paused and len(self._incoming) < _HIGH_WATER // 2 and not self._lost:
            assert self._transport is not None
            self._read_paused = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        if self._lost:
            raise httpcore.WriteError(str(self._error or "the connection is closed"))
        self._outgoing.append(buffer)
        self._outgoing_size += len(buffer)
        if self._outgoing_size < _GATHER:
            if not self._flush_scheduled:
                self._flush_scheduled = True
                self._loop.call_soon(self._flush)
            return
        self._flush()
        while self._write_paused:
            self._drained = self._loop.create_future()
            try:
                await self._drained
            finally:
                self._drained = None
        if self._lost:
            raise httpcore.WriteError(str(self._error or "the connection is closed"))

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._outgoing and self._transport is not None:
            if not self._lost:
                self._transport.write(b"".join(self._outgoing))
                self._acknowledge_at_once()
            self._outgoing.clear()
            self._outgoing_size = 0

    def _acknowledge_at_once(self) -> None:
        """The answer to come; Linux forgets it soon.

        A server that sends head and body apart waits for the first to be acknowledged (Nagle's algorithm), 40 ms on a
        connection that was used before: that would be taken for the mirror's own time.
        """
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Close at once if anything is left to send or read, else as TLS and TCP do it properly."""
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
        if self._transport is None:
            return None
        if info == "is_readable":
            return self.stale()
        return self._transport.get_extra_info(info)

    # For the lane

    def stale(self) -> bool:
        """Has an idle connection been ended by its server, even if the loop has not been told yet?

        Bytes that nobody asked for make an HTTP/1.1 connection useless; over HTTP/2 only a GOAWAY among them does.
        """
        if self.eof or self._closed or self._transport is None or self._transport.is_closing():
            return True
        if self._incoming and (not self.http2 or _has_goaway(self._incoming)):
            return True
        if self.http2 or self._secured:
            return False  # what is readable may be a SETTINGS frame or a session ticket
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))


def _has_goaway(buffer: bytearray) -> bool:
    at = 0
    while at + 9 <= len(buffer):
        if buffer[at + 3] == _GOAWAY:
            return True
        at += 9 + int.from_bytes(buffer[at : at + 3], "big")
    return False


def _why(error: OSError | ValueError) -> str:
    """asyncio's own text is `Connect call failed` for all that can be wrong."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Backend(httpcore.AsyncNetworkBackend):
    """Opens one Stream. `names`: what a TLS peer's certificate must be for, where the settings list names; that is
    checked before a byte of the request is written. `http2`: it will be spoken without asking."""

    def __init__(self, names: tuple[str, ...] = (), *, http2: bool = False) -> None:
        self.stream: Stream | None = None
        self.http2 = http2
        self._names = names

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        try:
            _, stream = await asyncio.get_running_loop().create_connection(
                self._made, host, port, happy_eyeballs_delay=None if _is_address(host) else _NEXT_ADDRESS
            )
        except (OSError, ValueError) as error:  # ValueError: a name that IDNA cannot write
            raise httpcore.ConnectError(f"{host} port {port}: {_why(error)}") from error
        self.stream = stream
        return stream

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> Stream:
        try:
            _, stream = await asyncio.get_running_loop().create_unix_connection(self._made, path)
        except (OSError, ValueError) as error:
            raise httpcore.ConnectError(f"{path}: {_why(error)}") from error
        self.stream = stream
        return stream

    def _made(self) -> Stream:
        stream = Stream(self)
        if self.http2:
            stream.trailers = TrailerReader()
        return stream

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def adopt(self, secured: Stream) -> None:
        """`secured` takes the place of the stream under it. Raises ConnectError if it is the wrong peer's."""
        self.stream = secured
        if self._names and not names_match(secured.get_extra_info("ssl_object").getpeercert() or {}, self._names):
            secured.close()
            raise httpcore.ConnectError(f"TLS: the certificate is for none of {', '.join(self._names)}")
