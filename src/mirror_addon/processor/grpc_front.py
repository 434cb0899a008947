"""The front on grpcio: `ext_proc`, gRPC's health checks, GOAWAY and TLS.

It needs the extra `mirror_addon[processor]`. Messages are read as bytes and ended by this program, because grpcio would
answer a message that it cannot parse with an error of its own. Reflection is off: the service is Envoy's, and nobody
who may not call it should be told what it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from mirror_addon.processor.credentials import Credentials
from mirror_addon.processor.messages import PROCESS
from mirror_addon.processor.messages import MessageError
from mirror_addon.processor.messages import health_response
from mirror_addon.processor.messages import health_service
from mirror_addon.processor.stream import IDLE
from mirror_addon.processor.stream import Opened
from mirror_addon.processor.stream import Stream

logger = logging.getLogger(__name__)

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes. Envoy sends what it read in one go: 1 MiB with its own buffer limit, more where a listener has another."""
MAX_STREAMS = 16384
"""Open at a time; what is beyond is refused. Envoy's breaker on the cluster is to be below."""
_SWEEP = 30.0
"""Seconds between two looks for idle streams."""
_LAST = 0.5
"""Seconds for the handlers of calls that were cancelled."""
_HEALTH = "grpc.health.v1.Health"
_SERVICES = frozenset({"", PROCESS[0]})
"""What can be asked for: the server as a whole, and its service."""
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),  # a second process at the port is an error, not a rival
    # Envoy's keepalive pings once a second, also without streams. grpc takes that for abuse and closes the connection,
    # with the streams of all requests under way.
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 500),
    ("grpc.keepalive_permit_without_calls", 1),
)


class GrpcFront:
    """Listens at `host:port`; port 0 stands for any free one. Needs the running event loop.

    `opened` makes the stream of a call. `told_share` gets what a call's metadata says of Envoy's sampling.
    """

    def __init__(
        self, host: str, port: int, opened: Opened, told_share: Any = None, credentials: Credentials | None = None
    ) -> None:
        self._place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._host = host
        self._opened = opened
        self._told_share = told_share
        self._credentials = credentials
        self._calls: dict[Stream, asyncio.Task[Any]] = {}
        self._status = SERVING
        self._changed = asyncio.Event()
        self._server: Any = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_STREAMS)
        services = {
            PROCESS[0]: {PROCESS[1]: grpc.stream_stream_rpc_method_handler(self._process)},
            _HEALTH: {
                "Check": grpc.unary_unary_rpc_method_handler(self._check),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
            },
        }
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]
        )
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and return the address. Raises OSError."""
        try:
            if self._credentials is None:
                port = self._server.add_insecure_port(self._place)
            else:
                port = self._server.add_secure_port(self._place, _server_credentials(self._credentials))
        except RuntimeError:
            port = 0
        if not port:
            raise OSError(f"cannot listen at {self._place}: the address is taken, or is not one of this machine")
        await self._server.start()
        self._sweeping = asyncio.create_task(self._sweep())
        return f"[{self._host}]:{port}" if ":" in self._host else f"{self._host}:{port}"

    @property
    def serving(self) -> bool:
        return self._status == SERVING

    def stop_serving(self) -> None:
        """Tell health checks that no more streams are wanted."""
        self._status = NOT_SERVING
        self._changed.set()

    async def close(self, drain: float) -> None:
        """Tell NOT_SERVING and GOAWAY, and give the open streams `drain` seconds to end."""
        self.stop_serving()
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._server.stop(drain)
        if self._calls:
            await asyncio.wait(self._calls.values(), timeout=_LAST)

    # Calls

    async def _process(self, _requests: Any, context: Any) -> None:
        stream = self._opened()
        task = asyncio.current_task()
        assert task is not None
        self._calls[stream] = task
        if self._told_share is not None:
            self._told_share(context.invocation_metadata())
        read = context.read
        lost = True
        try:
            while (data := await read()) is not grpc.aio.EOF:
                if not stream.message(data):
                    break
            lost = False  # or it was cancelled: grpc tells the end of the messages then too
        except grpc.aio.BaseError:
            pass  # the call is over already
        finally:
            stream.closed(lost=lost)
            del self._calls[stream]

    async def _check(self, data: bytes, context: Any) -> bytes:
        if _service(data) not in _SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return health_response(self._status)

    async def _watch(self, data: bytes, context: Any) -> AsyncIterator[bytes]:
        """Tell the status, and each change of it."""
        if _service(data) not in _SERVICES:
            yield health_response(SERVICE_UNKNOWN)
            await asyncio.Event().wait()  # the call stays open, as the protocol has it
        yield health_response(self._status)
        if self._status == SERVING:
            await self._changed.wait()
            yield health_response(self._status)

    async def _sweep(self) -> None:
        """End streams that say nothing any more."""
        while True:
            await asyncio.sleep(_SWEEP)
            before = time.monotonic() - IDLE
            for stream, task in list(self._calls.items()):
                if stream.newest < before:
                    task.cancel()


def _service(data: bytes) -> str:
    try:
        return health_service(data)
    except MessageError:
        return "?"


def _server_credentials(credentials: Credentials) -> Any:
    return grpc.ssl_server_credentials(
        [(credentials.key, credentials.certificate)],
        credentials.client_ca,
        require_client_auth=credentials.client_ca is not None,
    )
