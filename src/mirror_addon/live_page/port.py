"""The page on a port of 127.0.0.1, for browsers that do not use the proxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.wsgi import WSGIContainer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ADDRESS = "127.0.0.1"

Origin = Callable[[tuple[Any, ...] | None], str]
"""From the name of a connection's peer to the address of the client that asks."""


class _Container(WSGIContainer):
    """tornado's adapter from its HTTP server to WSGI."""

    def __init__(self, app: WSGIApplication, thread: ThreadPoolExecutor, origin: Origin) -> None:
        super().__init__(app, thread)
        self._origin = origin

    def environ(self, request: HTTPServerRequest) -> dict[str, Any]:
        """Runs in the event loop."""
        # tornado 6.4 raises for `Host: name:x`, and then sends no response. The app reads the field and not this.
        request.host = ADDRESS
        authority = ""
        if request.path.lower().startswith("http://"):  # a server takes the absolute form too (RFC 9112 3.2.2)
            authority, slash, path = request.path[len("http://") :].partition("/")
            request.path = slash + path or "/"
        environ = super().environ(request)
        if authority:
            environ["HTTP_HOST"] = authority
        connection: Any = request.connection
        environ["REMOTE_ADDR"] = self._origin(connection.context.address)
        return environ

    def _log(self, status_code: int, request: HTTPServerRequest) -> None:
        """Do not log each request to mitmproxy's log."""


class PagePort:
    """Listens from its construction until `close`. Needs a running event loop. Raises OSError if the port is taken.

    `origin`: see the module of this name.
    """

    def __init__(self, port: int, app: WSGIApplication, origin: Origin) -> None:
        self.port = port
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mirror-page")
        self._server = HTTPServer(
            _Container(app, self._thread, origin),
            max_body_size=64 * 1024,
            max_header_size=64 * 1024,
            idle_connection_timeout=60,
            body_timeout=10,
        )
        self._closing: asyncio.Future[None] | None = None
        listener = socket.create_server((ADDRESS, port))
        listener.setblocking(False)
        self._server.add_socket(listener)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}/"

    def close(self) -> None:
        """Free the port at once, and close all connections."""
        self._server.stop()
        self._closing = asyncio.ensure_future(self._server.close_all_connections())
        self._thread.shutdown(wait=False, cancel_futures=True)
