"""The upstreams of the demo: a small shop in two versions, of which the second is slower and responds differently.

HTTP/1.1 by h11 on asyncio streams, on a free port of 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from typing import Self
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import h11


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived: header fields as sent and in that order, the body without its framing."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def field(self, name: str) -> str:
        """The values of all header fields with this name, joined by commas; empty where there is none."""
        return ",".join(value for key, value in self.fields if key.lower() == name.lower())


@dataclass(frozen=True, slots=True)
class Response:
    """The response of an upstream, or what the client got."""

    status: int
    fields: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, its response, and how many seconds the upstream took."""

    received: Received
    response: Response
    seconds: float


_ORDERS: list[dict[str, Any]] = [
    {"id": 17, "total": 41.5, "status": "open"},
    {"id": 18, "total": 7.25, "status": "paid"},
]


def _json(status: int, value: Any, **fields: str) -> Response:
    return Response(status, {"Content-Type": "application/json", **fields}, json.dumps(value).encode())


def shop(version: str, request: Received) -> Response:
    """The response of service B in a version. `v2` has the kind of bugs and changes that mirroring is meant to find."""
    url = urlsplit("http://b/" + request.target.lstrip("/"))
    path = tuple(part for part in url.path.split("/") if part)
    reads = request.method in ("GET", "HEAD")
    response = (_retrieve if reads else _change)(version == "v2", request, path, url.query)
    return response or _json(404, {"error": "not found", "path": url.path})


def _retrieve(new: bool, request: Received, path: tuple[str, ...], query: str) -> Response | None:
    match request.method, *path:
        case "GET", "request", "info":
            return _json(200, {"service": "b", "version": "v2" if new else "v1", "path": "/request/info"})
        case "GET", "orders":
            wanted = parse_qs(query).get("status", ["open", "paid"])
            found = [order | ({"currency": "EUR"} if new else {}) for order in _ORDERS if order["status"] in wanted]
            return _json(200, {"orders": found})
        case "HEAD", "orders":
            return Response(200, {"Content-Type": "application/json", "X-Total-Count": "3" if new else "2"}, b"")
        case "GET", "orders", number if number in ("17", "18"):
            order = _ORDERS[int(number) - 17]
            return _json(200, order | {"total": 41.49} if new and number == "17" else order)
        case "GET", "users", "7":
            return _json(200, {"id": 7, "name": "Ada", "roles": ["admin", "buyer"]})
        case "GET", "reports", "monthly":
            return _json(500, {"error": "division by zero"}) if new else _json(200, {"month": 11, "revenue": 48.75})
    return None


def _change(new: bool, request: Received, path: tuple[str, ...], query: str) -> Response | None:
    match request.method, *path:
        case "POST", "orders":
            order = {"id": 19, **json.loads(request.body)}
            if new:
                order["quantity"] = str(order["quantity"])
            return _json(201, order, Location="/orders/19")
        case "PUT", "orders", "17":
            return _json(200, _ORDERS[0] | json.loads(request.body))
        case "DELETE", "orders", "18":
            return _json(200, {"deleted": 18}) if new else Response(204, {}, b"")
        case "POST", "login":
            user = parse_qs(request.body.decode()).get("user", ["nobody"])[0]
            return _json(200, {"welcome": user}, **{"Set-Cookie": "session=b2" if new else "session=b1"})
        case "POST", "uploads":
            digest = hashlib.sha256(request.body).hexdigest()[:8]
            return _json(200, {"bytes": len(request.body), "sha256": digest})
    return None


class Upstream:
    """One version of the shop, listening while it is used as an async context manager.

    It sends a response `delay` seconds after the request.
    """

    def __init__(self, version: str, delay: float) -> None:
        self.version = version
        self._delay = delay
        self._exchanges: asyncio.Queue[Exchange] = asyncio.Queue()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """`ADDRESS:PORT` that it listens on."""
        assert self._server, "not listening"
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def next(self, timeout: float) -> Exchange | None:
        """The oldest exchange not yet taken, or None when there was none within `timeout` seconds."""
        if not self._exchanges.empty():
            return self._exchanges.get_nowait()
        try:
            return await asyncio.wait_for(self._exchanges.get(), timeout)
        except TimeoutError:
            return None

    def forget(self) -> None:
        """Drop the exchanges that `next` has not returned yet."""
        while not self._exchanges.empty():
            self._exchanges.get_nowait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while received := await _read(connection, reader):
                started = time.perf_counter()
                await asyncio.sleep(self._delay)
                response = shop(self.version, received)
                self._exchanges.put_nowait(Exchange(received, response, time.perf_counter() - started))
                fields = [*response.fields.items()]
                if response.status != 204:
                    fields.append(("Content-Length", str(len(response.body))))
                for event in (
                    h11.Response(status_code=response.status, headers=fields),
                    h11.Data(data=response.body),
                    h11.EndOfMessage(),
                ):
                    writer.write(connection.send(event) or b"")
                await writer.drain()
                connection.start_next_cycle()
        except (h11.ProtocolError, ConnectionError):
            pass  # the client closed the connection, or asked for it to be closed
        finally:
            writer.close()


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> Received | None:
    """The next request of a connection, or None at its end. Raises h11.RemoteProtocolError."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            case h11.Request() as head:
                pass
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage():
                assert head
                fields = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in head.headers.raw_items())
                return Received(head.method.decode(), head.target.decode("latin-1"), fields, bytes(body))
            case _:
                return None
