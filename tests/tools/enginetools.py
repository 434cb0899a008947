"""Raw mirrors and running engines for the tests of the shadow engine. Everything listens on loopback, on free ports."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from childtools import children

from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.dispatch.upload import Upload
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import shadow_request
from mirror_addon.shadow.result import ShadowResult

PATIENCE = 30.0
"""Seconds that a machine may take, however busy it is. Nothing that comes in time waits for them."""
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def until(condition: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Wait until `condition()` is true."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


class Received:
    """A request that a mirror read."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body

    @property
    def fields(self) -> list[bytes]:
        return self.head.split(b"\r\n")[1:]


async def read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
    lower = head.lower()
    body = b""
    if b"transfer-encoding: chunked" in lower:
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif b"content-length:" in lower:
        body = await reader.readexactly(int(lower.partition(b"content-length:")[2].split(b"\r\n")[0]))
    return Received(head, body)


class Mirrors:
    """Starts servers and ends them with the test."""

    until = staticmethod(until)
    read_request = staticmethod(read_request)

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self._servers: list[asyncio.Server] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._sockets: list[socket.socket] = []

    async def start(self, handler: Handler, tls: ssl.SSLContext | None = None, **where: Any) -> int:
        """A server whose connections go to `handler`; its port."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            self._writers.append(writer)
            try:
                await handler(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        if "path" in where:
            self._servers.append(await asyncio.start_unix_server(handle, where["path"], ssl=tls))
            return 0
        server = await asyncio.start_server(
            handle, where.get("host", "127.0.0.1"), where.get("port", 0), ssl=tls, limit=2**20, backlog=1024
        )
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def answering(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", **where: Any) -> int:
        """A server that records each request and gives it this answer."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                self.received.append(await read_request(reader))
                writer.write(answer)
                await writer.drain()

        return await self.start(handler, **where)

    async def hanging(self) -> int:
        """A server that accepts and never says a word."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(65536):
                pass

        return await self.start(handler)

    def refusing(self) -> int:
        """A port on which nobody listens, and nobody will while the test runs, unless by its own wish."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that a server may be started here
        sock.bind(("127.0.0.1", 0))
        self._sockets.append(sock)
        port: int = sock.getsockname()[1]
        return port

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.transport.abort()
        for sock in self._sockets:
            sock.close()
        await asyncio.sleep(0.01)


@pytest.fixture
async def mirrors() -> AsyncIterator[Mirrors]:
    made = Mirrors()
    yield made
    await made.close()


def a_request(
    method: bytes = b"GET",
    path: bytes = b"/a?b=c",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    authority: bytes = b"svc.example.com",
) -> Request:
    return Request(method, b"http", authority, path, headers, 80)


def a_mirror(
    port: int,
    *,
    address: str = "127.0.0.1",
    label: str = "serviceB/v2",
    protocol: str = "http",
    tls: TLS | None = None,
    host: str = "serviceB.default.svc.cluster.local",
    timeout: float | None = None,
    path_prefix: bytes = b"",
) -> Mirror:
    endpoint = Endpoint(address, port)
    cluster = Cluster(host, "v2", 80, (endpoint,), protocol, tls, label)
    return Mirror(cluster, endpoint, 100, True, None, timeout, path_prefix)


Field = tuple[bytes, bytes]


class Engine:
    """A dispatcher with its book and its results, and shadows to give it."""

    until = staticmethod(until)
    request = staticmethod(a_request)

    def __init__(self, **settings: Any) -> None:
        self.results: list[ShadowResult] = []
        self.book = InFlight()
        self.book.observers.append(self)
        self.dispatcher = Dispatcher(ShadowSettings(**settings), self.book)
        self.counters = self.book.counters
        self._number = 0

    def outcome(self, shadow: Shadow) -> None:
        assert shadow.result is not None
        self.results.append(shadow.result)

    def shadow(self, port: int, body: int | None = 0, request: Request | None = None, **mirror: Any) -> ShadowRequest:
        return shadow_request(
            request if request is not None else a_request(),
            a_mirror(port, **mirror),
            body=body,
            own_address=b"10.0.0.1",
        )

    def admit(self, request: ShadowRequest, primary: Primary | None = None) -> Shadow:
        """An admitted shadow, of a primary of its own if none is given."""
        if primary is None:
            self._number += 1
            primary = Primary(str(self._number))
            primary.answered = True
        shadow = self.book.admit(primary, request.target.label)
        self.book.check()
        return shadow

    def hand_over(self, request: ShadowRequest, body: bytes) -> None:
        self.dispatcher.offer(self.admit(request), request, body)
        self.book.check()

    def open(self, request: ShadowRequest) -> Upload:
        return self.dispatcher.open(self.admit(request), request)

    def offer(self, port: int, body: bytes = b"", **mirror: Any) -> None:
        self.hand_over(self.shadow(port, len(body), **mirror), body)

    async def one(self, port: int, body: bytes = b"", **mirror: Any) -> ShadowResult:
        """Offer one shadow and wait for its result."""
        had = len(self.results)
        self.offer(port, body, **mirror)
        await self.wait(had + 1)
        return self.results[had]

    async def wait(self, results: int) -> None:
        await until(lambda: len(self.results) >= results)

    def check(self) -> None:
        """Every shadow has exactly one end, and the counters say the same as the results."""
        self.book.check()
        totals = self.counters.totals()
        told = [result.outcome for result in self.results]
        assert told.count("sent") == totals.sent
        assert told.count("failed") == totals.failed.total()
        assert told.count("dropped") == totals.dropped.total()
        assert len({result.id for result in self.results}) == len(self.results)

    def pids(self) -> list[int]:
        return [worker["pid"] for worker in self.dispatcher.status()["workers"]]


def is_running(pid: int) -> bool:
    """Is there such a process, and no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
async def engine() -> AsyncIterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(**settings: Any) -> Engine:
        new = Engine(**settings)
        made.append(new)
        new.dispatcher.start()
        return new

    yield make
    for each in made:
        pids = [pid for pid in each.pids() if pid]
        await each.dispatcher.close(0)
        assert each.counters.totals().pending == 0
        each.check()
        assert not any(is_running(pid) for pid in pids)
    assert not children(), "a worker or a zombie is left"


class H2Mirror:
    """An HTTP/2 server that records requests and answers each with 200 and `ok`, and with trailers if asked."""

    def __init__(self) -> None:
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.bodies: list[bytes] = []
        self.trailers: list[list[tuple[bytes, bytes]]] = []
        self.connections = 0
        self.goaway = False
        """End the connection in the proper way after each answer."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=False))
        state.initiate_connection()
        writer.write(state.data_to_send())
        bodies: dict[int, bytes] = {}
        while data := await reader.read(65536):
            for event in state.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.headers.append([(bytes(name), bytes(value)) for name, value in event.headers or ()])
                    bodies[event.stream_id or 0] = b""
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id or 0] += event.data or b""
                    state.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
                elif isinstance(event, h2.events.TrailersReceived):
                    self.trailers.append([(bytes(name), bytes(value)) for name, value in event.headers or ()])
                elif isinstance(event, h2.events.StreamEnded):
                    stream = event.stream_id or 0
                    self.bodies.append(bodies[stream])
                    state.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
                    state.send_data(stream, b"ok")
                    state.send_headers(stream, [("grpc-status", "0")], end_stream=True)
                    if self.goaway:
                        state.close_connection()
            writer.write(state.data_to_send())
            await writer.drain()


class H2Client:
    """A client that speaks HTTP/2 with prior knowledge, one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.state.initiate_connection()

    async def ask(self, method: bytes, authority: bytes, path: bytes, *fields: Field, **rest: Any) -> dict[str, Any]:
        """Send a request with `body` and `trailers`, and return status, body and trailers of the response."""
        body, trailers = rest.get("body", b""), rest.get("trailers", ())
        stream = self.state.get_next_available_stream_id()
        head = [(b":method", method), (b":scheme", b"http"), (b":authority", authority), (b":path", path), *fields]
        self.state.send_headers(stream, head, end_stream=not (body or trailers))
        if body:
            self.state.send_data(stream, body, end_stream=not trailers)
        if trailers:
            self.state.send_headers(stream, trailers, end_stream=True)
        answer: dict[str, Any] = {"status": 0, "body": b"", "trailers": ()}
        while True:
            self._writer.write(self.state.data_to_send())
            data = await asyncio.wait_for(self._reader.read(65536), 30)
            assert data, "the proxy closed the connection"
            for event in self.state.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    answer["status"] = int(dict(event.headers or ())[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    answer["body"] += event.data or b""
                elif isinstance(event, h2.events.TrailersReceived):
                    answer["trailers"] = tuple((bytes(name), bytes(value)) for name, value in event.headers or ())
                elif isinstance(event, h2.events.StreamEnded):
                    return answer
                elif isinstance(event, h2.events.StreamReset):
                    raise ConnectionError(f"stream reset: {event.error_code}")


@pytest.fixture
def h2_mirror() -> H2Mirror:
    return H2Mirror()
