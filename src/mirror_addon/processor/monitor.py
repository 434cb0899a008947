"""`--metrics ADDRESS:PORT`: `/metrics` for Prometheus, and `/ready` and `/healthy` for probes of Kubernetes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.web import RequestHandler

Exposed = Callable[[str], Callable[[], tuple[bytes, str]]]
"""From an Accept field to what renders the metrics, in a thread, as they are now."""


class Monitor:
    """Listens from its construction on. Needs the running event loop. Raises OSError.

    `exposed` renders the metrics. `ready` says whether the processor takes streams.
    """

    def __init__(self, host: str, port: int, exposed: Exposed, ready: Callable[[], bool]) -> None:
        handlers: list[Any] = [
            ("/metrics", _Metrics, {"exposed": exposed}),
            ("/ready", _Probe, {"well": ready}),
            ("/healthy", _Probe, {"well": lambda: True}),
        ]
        self._server = HTTPServer(Application(handlers, log_function=lambda _: None), max_header_size=64 * 1024)
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, reuse_port=False
        )
        listener.setblocking(False)
        self._server.add_socket(listener)
        port = listener.getsockname()[1]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def close(self) -> None:
        """Free the port, and close all connections."""
        self._server.stop()
        await self._server.close_all_connections()


class _Metrics(RequestHandler):
    def initialize(self, exposed: Exposed) -> None:
        self._exposed = exposed

    async def get(self) -> None:
        render = self._exposed(self.request.headers.get("Accept", ""))
        body, content_type = await asyncio.to_thread(render)
        self.set_header("Content-Type", content_type)
        self.write(body)


class _Probe(RequestHandler):
    def initialize(self, well: Callable[[], bool]) -> None:
        self._well = well

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        if self._well():
            self.write("yes\n")
        else:
            self.set_status(503)
            self.write("no\n")
