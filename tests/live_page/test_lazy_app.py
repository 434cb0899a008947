"""A WSGI app that is created for its first request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from flask import Response
from werkzeug.test import Client

from mirror_addon.live_page.lazy_app import LazyApp


def test_it_is_made_once_and_gets_one_request_at_a_time() -> None:
    made = []
    inside = threading.Lock()

    def make() -> Flask:
        app = Flask("counted")
        made.append(app)

        @app.get("/")
        def page() -> str:
            assert inside.acquire(blocking=False)
            try:
                return str(len(made))
            finally:
                inside.release()

        return app

    lazy = LazyApp(make)
    assert made == []
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: Client(lazy).get("/").text, range(200))) == {"1"}


def test_a_body_is_read_and_closed() -> None:
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield from (b"a", b"b")

        def close(self) -> None:
            closed.append(True)

    app = Flask("body")
    app.get("/")(lambda: Response(Body()))
    started = []
    body = LazyApp(lambda: app)(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http"},
        lambda status, headers, exc_info=None: started.append((status, dict(headers))),  # type: ignore[arg-type,return-value]
    )
    assert b"".join(body) == b"ab"
    assert closed == [True]
    ((status, headers),) = started
    assert (status, headers["Content-Length"]) == ("200 OK", "2")
