"""The demo's two upstreams: a small shop in two versions, of which the second answers a little differently, and later.

HTTP/1.1 by h11 on asyncio streams, loopback only, on a free port.
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
    """A request as it arrived: names and values of fields in order and as sent, the body without its framing."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def field(self, name: str) -> str:
        """All values of a field, joined by commas; empty where it is absent."""
        return ",".join(value for key, value in self.fields if key.lower() == name.lower())


@dataclass(frozen=True, slots=True)
class Answer:
    """What an upstream answers."""

    status: int
    fields: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, its answer and how long the upstream took, in seconds."""

    received: Received
    answer: Answer
    seconds: float


def _json(status: int, value: Any, **fields: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **fields}, json.dumps(value).encode())


def shop(version: str, request: Received) -> Answer:
    """Service B. `v2` has the kind of bugs and changes that a mirror is there to find."""
    new = version == "v2"
    url = urlsplit("http://b/" + request.target.lstrip("/"))
    orders = [{"id": 17, "total": 41.5, "status": "open"}, {"id": 18, "total": 7.25, "status": "paid"}]
    match request.method, *[part for part in url.path.split("/") if part]:
        case "GET", "request", "info":
            return _json(200, {"service": "b", "version": version, "path": url.path})
        case "GET", "orders":
            wanted = parse_qs(url.query).get("status", ["open", "paid"])
            found = [order | ({"currency": "EUR"} if new else {}) for order in orders if order["status"] in wanted]
            return _json(200, {"orders": found})
        case "HEAD", "orders":
            return Answer(200, {"Content-Type": "application/json", "X-Total-Count": "3" if new else "2"}, b"")
        case "POST", "orders":
            order = {"id": 19, **json.loads(request.body)}
            if new:
                order["quantity"] = str(order["quantity"])
            return _json(201, order, Location="/orders/19")
        case "GET", "orders", number if number in ("17", "18"):
            order = orders[int(number) - 17]
            return _json(200, order | {"total": 41.49} if new and number == "17" else order)
        case "PUT", "orders", "17":
            return _json(200, orders[0] | json.loads(request.body))
        case "DELETE", "orders", "18":
            return _json(200, {"deleted": 18}) if new else Answer(204, {}, b"")
        case "POST", "login":
            user = parse_qs(request.body.decode()).get("user", ["nobody"])[0]
            return _json(200, {"welcome": user}, **{"Set-Cookie": "session=b2" if new else "session=b1"})
        case "POST", "uploads":
            digest = hashlib.sha256(request.body).hexdigest()[:8]
            return _json(200, {"bytes": len(request.body), "sha256": digest})
        case "GET", "users", "7":
            return _json(200, {"id": 7, "name": "Ada", "roles": ["admin", "buyer"]})
        case "GET", "reports", "monthly":
            return _json(500, {"error": "division by zero"}) if new else _json(200, {"month": 11, "revenue": 48.75})
    return _json(404, {"error": "not found", "path": url.path})


class Upstream:
    """One version of the shop, listening while it is used as an async context manager.

    `delay` is how long it thinks before it answers, in seconds.
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
        """Drops the exchanges nobody has taken."""
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
                answer = shop(self.version, received)
                self._exchanges.put_nowait(Exchange(received, answer, time.perf_counter() - started))
                fields = [*answer.fields.items()]
                if answer.status != 204:
                    fields.append(("Content-Length", str(len(answer.body))))
                for event in (
                    h11.Response(status_code=answer.status, headers=fields),
                    h11.Data(data=answer.body),
                    h11.EndOfMessage(),
                ):
                    writer.write(connection.send(event) or b"")
                await writer.drain()
                connection.start_next_cycle()
        except (h11.ProtocolError, ConnectionError):
            pass  # the other side is gone, or wants no further request on this connection
        finally:
            writer.close()


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> Received | None:
    """The next request of a connection, or None at its end."""
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
