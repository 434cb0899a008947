"""mitmweb as a subprocess, and its REST interface."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.wire import lines


class Web(Proxy):
    """mitmweb on two free ports."""

    def __init__(self, confdir: Path, *arguments: str, anew: bool = False) -> None:
        with reserved_port() as port:
            quiet = ("--set", "web_open_browser=false", "--set", f"web_port={port}")
            super().__init__(confdir, *quiet, *arguments, program="mitmweb", anew=anew)
            url = urllib.parse.urlsplit(self.wait_for(r"Web server listening at (\S+)")[1])
        self.web = ("127.0.0.1", port)
        self.token = urllib.parse.parse_qs(url.query).get("token", [""])[0]
        """Needed by mitmproxy >= 11.1.2."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One REST call; the answer's JSON."""
        data = b"" if body is None else json.dumps(body).encode()
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.web[1]}",
            "Cookie: _xsrf=ab12; _mitmproxy_xsrf=ab12",
            "X-XSRFToken: ab12",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
            *([f"Authorization: Bearer {self.token}"] if self.token else []),
        ]
        reply = exchange(self.web, lines(*(line.encode() for line in head)) + data)
        assert reply.status == 200, reply
        return json.loads(reply.body) if reply.body else None

    @property
    def url(self) -> str:
        """Where a browser opens it."""
        return f"http://127.0.0.1:{self.web[1]}/" + (f"?token={self.token}" if self.token else "")

    @staticmethod
    def wait_until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def command(self, name: str, *arguments: str) -> str:
        reply = self.call("POST", f"/commands/{name}", {"arguments": list(arguments)})
        assert isinstance(reply.get("value"), str), reply
        return str(reply["value"])
