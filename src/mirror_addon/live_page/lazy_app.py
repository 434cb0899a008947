"""The Flask app as a WSGI callable for both servers, created for the first request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Flask


class LazyApp:
    """Calls the app that `make` returns, which is called once: importing what it needs takes a tenth of a second.

    Both servers call this in threads of their own, so that neither imports nor rendering block the event loop. The app
    is not written for several threads, so it gets one request at a time.
    """

    def __init__(self, make: Callable[[], Flask]) -> None:
        self._make = make
        self._app: Flask | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        from werkzeug.wrappers import Response

        with self._lock:
            if self._app is None:
                self._app = self._make()
            # asgiref does not close what it iterates over, which for a static file is an open file. So the body is read
            # and closed here.
            response: Any = Response.from_app(self._app, environ, buffered=True)
        return response(environ, start_response)  # type: ignore[no-any-return]
