"""The page on a port of 127.0.0.1, for browsers that do not go through the proxy."""

from __future__ import annotations

import asyncio
import socket

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.httputil import HTTPServerRequest
from tornado.httputil import ResponseStartLine
from tornado.iostream import StreamClosedError

from mirror_addon.live_page.gateway import Gateway
from mirror_addon.live_page.gateway import PageRequest

ADDRESS = "127.0.0.1"


class PagePort:
    """Listens from when it is made until `close`. Needs the running loop; raises OSError where the port is taken."""

    def __init__(self, port: int, gateway: Gateway) -> None:
        self.port = port
        self._gateway = gateway
        self._answers: set[asyncio.Future[None]] = set()
        self._server = HTTPServer(
            self._answer,
            max_body_size=64 * 1024,
            max_header_size=64 * 1024,
            idle_connection_timeout=60,
            body_timeout=10,
        )
        listener = socket.create_server((ADDRESS, port))
        listener.setblocking(False)
        self._server.add_socket(listener)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}/"

    def close(self) -> None:
        """Free the port at once, and hang up on who is connected."""
        self._server.stop()
        self._keep(asyncio.ensure_future(self._server.close_all_connections()))

    def _answer(self, request: HTTPServerRequest) -> None:
        self._keep(asyncio.ensure_future(self._ask(request)))

    def _keep(self, task: asyncio.Future[None]) -> None:
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _ask(self, request: HTTPServerRequest) -> None:
        connection = request.connection
        assert connection is not None
        response = await self._gateway.ask(
            PageRequest(
                method=request.method or "",
                target=(request.uri or "").encode("latin-1", "replace"),
                host=request.host,
                peer=request.remote_ip or "",
                headers=list(request.headers.get_all()),
                body=request.body,
                scheme=request.protocol,
            )
        )
        headers = HTTPHeaders()
        for name, value in response.headers:
            headers.add(name, value)
        body = response.get_data()
        if "Content-Length" not in headers and request.method != "HEAD":
            headers["Content-Length"] = str(len(body))
        reason = response.status.partition(" ")[2]
        try:
            await connection.write_headers(ResponseStartLine("HTTP/1.1", response.status_code, reason), headers, body)
            connection.finish()
        except StreamClosedError:  # the browser did not wait for it
            pass
