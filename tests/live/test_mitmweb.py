"""mitmweb with the addon, spoken to over its own REST interface."""

from __future__ import annotations

import json
import re
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request


class Web(Proxy):
    """mitmweb on two free ports."""

    def __init__(self, confdir: Path, *arguments: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        quiet = ("--set", "web_open_browser=false", "--set", f"web_port={port}")
        super().__init__(confdir, *quiet, *arguments, program="mitmweb")
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
            f"Content-Length: {len(data)}",
            *([f"Authorization: Bearer {self.token}"] if self.token else []),
        ]
        reply = exchange(self.web, lines(*(line.encode() for line in head)) + data)
        assert reply.status == 200, reply
        return json.loads(reply.body)

    def command(self, name: str, *arguments: str) -> str:
        value = self.call("POST", f"/commands/{name}", {"arguments": list(arguments)})["value"]
        assert isinstance(value, str)
        return value


@pytest.fixture(scope="module")
def web(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Web]:
    with Web(confdir, *endpoints(*upstreams)) as running:
        yield running


def test_flows_and_status(web: Web, v1: Recorder, v2: Recorder) -> None:
    sent = request(b"POST http://%b/serviceB/orders?x=1" % HOST, b"Content-Length: 2", body=b"hi")
    assert exchange(web.address, sent).body == b"ok"
    assert v1.one().target == v2.one().target == b"//orders?x=1"
    primary = web.call("GET", "/flows")[0]
    assert primary["request"]["path"] == "//orders?x=1"
    assert primary["server_conn"]["address"] == ["127.0.0.1", v1.port]
    status = web.command("mirror.status")
    assert re.search(r"^offered 1$", status, re.MULTILINE), status
    assert HOST.decode() in web.command("mirror.rules")


def test_pause_and_resume(web: Web, v1: Recorder, v2: Recorder) -> None:
    web.command("mirror.pause")
    exchange(web.address, request(b"GET http://%b/serviceB/paused" % HOST))
    web.command("mirror.resume")
    exchange(web.address, request(b"GET http://%b/serviceB/resumed" % HOST))
    assert [primary.target for primary in v1.take(2)] == [b"//paused", b"//resumed"]
    assert v2.one().target == b"//resumed"
