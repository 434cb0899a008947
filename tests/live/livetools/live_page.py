"""The live page, asked as a script asks it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from livetools.client import exchange
from livetools.recorder import PATIENCE
from livetools.wire import Response
from livetools.wire import lines

HOST = b"mirror-addon.test"


class LivePage:
    """At an address: the proxy's, or the page's own port."""

    def __init__(self, address: tuple[str, int], *, proxied: bool = True) -> None:
        self.address = address
        self._prefix = b"http://" + HOST if proxied else b""
        self._host = HOST if proxied else b"127.0.0.1:%d" % address[1]

    def ask(self, method: bytes, path: bytes, *fields: bytes, body: bytes = b"") -> Response:
        head = (b"%b %b%b HTTP/1.1" % (method, self._prefix, path), b"Host: " + self._host, *fields)
        return exchange(self.address, lines(*head, b"Content-Length: %d" % len(body)) + body)

    def get(self, path: str) -> str:
        reply = self.ask(b"GET", path.encode())
        assert reply.status == 200, reply
        return reply.body.decode()

    def press(self, button: str, **fields: str) -> Response:
        """Send the form of a button, with the token that the page has now."""
        token = re.search(r'name="token" value="([^"]+)"', self.get("/"))
        assert token
        form = urlencode({"token": token[1]} | fields).encode()
        kind = b"Content-Type: application/x-www-form-urlencoded"
        return self.ask(b"POST", f"/{button}".encode(), kind, b"Accept: text/plain", body=form)

    def open(self) -> None:
        """Load the page and do what its script does then."""
        assert self.press("compare").status == 204

    def status(self) -> Any:
        return json.loads(self.get("/api/status.json"))

    def wait_until(self, reached: Callable[[Any], bool], patience: float = PATIENCE) -> Any:
        """The status once `reached` says so of it."""
        deadline = time.monotonic() + patience
        while not reached(status := self.status()):
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def wait_until_told(self, pairs: int) -> Any:
        """The status once so many pairs are complete."""
        return self.wait_until(lambda status: sum(route["pairs"] for route in status["routes"]) >= pairs)
