"""The server: `ext_proc`, gRPC's health checks, GOAWAY and TLS, on asyncio.

Reflection is off: the service is Envoy's, and nobody who may not call it should be told what it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from collections.abc import Sequence

from mirror_addon.processor.grpc_calls import Asked
from mirror_addon.processor.grpc_messages import Waiting
from mirror_addon.processor.grpc_status import CallEnded
from mirror_addon.processor.grpc_status import Status
from mirror_addon.processor.health import SERVICE
from mirror_addon.processor.health import SERVING
from mirror_addon.processor.health import Health
from mirror_addon.processor.http2_calls import Call
from mirror_addon.processor.http2_calls import Handler
from mirror_addon.processor.http2_connection import Connection
from mirror_addon.processor.messages import PROCESS
from mirror_addon.processor.stream import IDLE
from mirror_addon.processor.stream import Opened
from mirror_addon.processor.stream import Stream

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 1024
"""Open at a time: an Envoy has one for each of its threads."""
MAX_UNREAD = 1024 * 1024
"""Bytes of answers that a client has not read; one that does not read loses its connection."""
_SWEEP = 30.0
"""Seconds between two looks for idle streams, and for connections that have not begun."""
_LEAVING = 1.0
"""Seconds that clients have to see the first GOAWAY."""
_LAST = 0.5
"""Seconds for what is written last."""
_HANDSHAKE = 10.0
_PROCESS = "/{}/{}".format(*PROCESS).encode()

Metadata = Sequence[tuple[str, str]]


class Http2Front:
    """Listens at `host:port`; port 0 stands for any free one. Needs the running event loop.

    `opened` makes the stream of a call. `told_share` gets what a call's metadata says of Envoy's sampling.
    """

    def __init__(
        self,
        host: str,
        port: int,
        opened: Opened,
        told_share: Callable[[Metadata], object] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._opened = opened
        self._told_share = told_share
        self._tls = tls
        self._health = Health()
        self._methods: dict[bytes, Callable[[Call], Handler]] = {
            _PROCESS: lambda _: opened(),
            SERVICE + b"/Check": self._health.check,
            SERVICE + b"/Watch": self._health.watch,
        }
        self.waiting = Waiting()
        self.open = 0
        self.closing = False
        self.wires: set[Wire] = set()
        self.progress = asyncio.Event()
        """Something has come while the front is closing."""
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and return the address. Raises OSError."""
        place = f"[{self._host}]" if ":" in self._host else self._host
        try:
            listener = socket.create_server(
                (self._host, self._port),
                family=socket.AF_INET6 if ":" in self._host else socket.AF_INET,
                backlog=MAX_CONNECTIONS,
                dualstack_ipv6=self._host == "::" and socket.has_dualstack_ipv6(),
            )
        except OSError as error:
            why = error.strerror or error
            raise OSError(
                f"cannot listen at {place}:{self._port}: {why}; the address is taken, or is not one of this machine"
            ) from None
        listener.setblocking(False)
        handshake = _HANDSHAKE if self._tls is not None else None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Wire(self), sock=listener, ssl=self._tls, ssl_handshake_timeout=handshake, backlog=MAX_CONNECTIONS
        )
        self._sweeping = asyncio.create_task(self._sweep())
        return f"{place}:{listener.getsockname()[1]}"

    @property
    def serving(self) -> bool:
        return self._health.status == SERVING

    def stop_serving(self) -> None:
        """Tell health checks that no more streams are wanted."""
        self._health.stop_serving()
        self._send()

    async def close(self, drain: float) -> None:
        """Tell NOT_SERVING and GOAWAY, and give the open streams `drain` seconds to end."""
        self.stop_serving()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._server is not None:
            self._server.close()
        self.closing = True
        end = asyncio.get_running_loop().time() + drain
        # First a GOAWAY that forbids nothing, because streams may be on their way; then one that names the last.
        for wire in self.wires:
            wire.connection.leave()
        self._send()
        drained = lambda: all(wire.connection.drained for wire in self.wires)  # noqa: E731
        await self._until(drained, min(end, asyncio.get_running_loop().time() + _LEAVING))
        for wire in self.wires:
            wire.connection.leave_now()
        self._send()
        await self._until(lambda: not any(wire.busy for wire in self.wires), end)
        for wire in self.wires:
            wire.connection.cut()
            wire.end()
        await self._until(lambda: not self.wires, asyncio.get_running_loop().time() + _LAST)
        for wire in self.wires:
            wire.abort()

    # Calls

    def opened(self, call: Call, asked: Asked) -> Handler:
        method = self._methods.get(asked.path)
        if method is None:
            raise CallEnded(Status.UNIMPLEMENTED, "no such method")
        if self._told_share is not None and asked.path == _PROCESS:
            self._told_share(asked.metadata)
        return method(call)

    # Steps

    def _send(self) -> None:
        for wire in list(self.wires):
            wire.send()

    async def _until(self, condition: Callable[[], bool], deadline: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while not condition():
                    self.progress.clear()
                    await self.progress.wait()

    async def _sweep(self) -> None:
        """End streams that say nothing any more."""
        while True:
            await asyncio.sleep(_SWEEP)
            now = time.monotonic()
            for wire in list(self.wires):
                wire.sweep(now)


class Wire(asyncio.Protocol):
    """A connection's socket."""

    def __init__(self, front: Http2Front) -> None:
        self._front = front
        self._began = time.monotonic()
        self.connection = Connection(front, self._began)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        spoken = tls is None or tls.selected_alpn_protocol() == "h2"
        if not spoken or len(self._front.wires) >= MAX_CONNECTIONS or self._front.closing:
            transport.abort()
            return
        self._front.wires.add(self)
        self.send()

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        connection.now = time.monotonic()
        connection.receive(data)
        if connection.out:
            self.send()
        if self._front.closing:
            self._front.progress.set()

    def connection_lost(self, _: Exception | None) -> None:
        self.connection.lost()
        self._front.wires.discard(self)
        self._front.progress.set()

    @property
    def busy(self) -> bool:
        """There are calls that will end."""
        return any(not call.stays for call in self.connection.calls)

    def send(self) -> None:
        """Write what there is to write."""
        connection, transport = self.connection, self._transport
        if connection.out:
            transport.write(bytes(connection.out))
            connection.out.clear()
        if connection.failed is not None:
            self.end()
        elif transport.get_write_buffer_size() > MAX_UNREAD:
            self.abort()

    def end(self) -> None:
        """Close, once all is written."""
        if self.connection.out:
            self._transport.write(bytes(self.connection.out))
            self.connection.out.clear()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_HANDSHAKE, self._transport.abort)

    def abort(self) -> None:
        self._transport.abort()

    def sweep(self, now: float) -> None:
        if not self.connection.greeted and self._began < now - _SWEEP:
            self.abort()
            return
        for call in self.connection.calls:
            if isinstance(call.handler, Stream) and call.handler.newest < now - IDLE:
                self.connection.calls.break_off(call, Status.CANCELLED, "nothing came for a long time")
        self.send()
