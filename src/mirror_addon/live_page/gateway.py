"""One request to the Flask app, in a thread of its own, so that rendering never holds up the proxy's loop."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.wrappers import Response

PRINTABLE = bytes(range(0x21, 0x7F))


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request as it arrived, through the proxy or on the page's own port."""

    method: str
    target: bytes
    """Origin-form, with its query."""
    host: str
    peer: str
    """IP address."""
    headers: Iterable[tuple[str, str]]
    """Latin-1 decoded."""
    body: bytes = b""
    scheme: str = "http"

    def environ(self) -> dict[str, Any]:
        """The same in WSGI's words (PEP 3333)."""
        path, _, query = self.target.partition(b"?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": quote_from_bytes(query, safe=PRINTABLE),
            "REMOTE_ADDR": self.peer,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers:
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        environ["HTTP_HOST"] = self.host
        environ["CONTENT_LENGTH"] = str(len(self.body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return environ


class Gateway:
    """Asks the app, one request at a time. `make` is called for the first: modules take a tenth of a second to load."""

    def __init__(self, make: Callable[[], Flask]) -> None:
        self._make = make
        self._app: Flask | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mirror-page")

    async def ask(self, request: PageRequest) -> Response:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, request.environ())

    def _ask(self, environ: dict[str, Any]) -> Response:
        if self._app is None:
            self._app = self._make()
        return Response.from_app(self._app, environ, buffered=True)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
