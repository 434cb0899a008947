"""Clients on other machines and the live page, with real mitmdump and real sockets.

A script tells mitmproxy another address for the clients that connect from 127.0.0.9, as theirs would be: no other
machine is needed then, and no address of this one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.client import exchange
from livetools.live_page import HOST as PAGE
from livetools.live_page import LivePage
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.wire import Response
from livetools.wire import Stream
from livetools.wire import lines
from livetools.wire import read_response
from livetools.worked_example import endpoints

FAR = """
def client_connected(client):
    if client.peername[0] == "127.0.0.9":
        client.peername = ("192.0.2.7", client.peername[1])
"""

NAMES = ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f.0.0.1", "[::ffff:127.0.0.1]"]


@pytest.fixture(scope="module")
def proxy(
    confdir: Path, upstreams: tuple[Recorder, Recorder], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    script = tmp_path_factory.mktemp("script") / "far.py"
    script.write_text(FAR)
    with (
        reserved_port() as port,
        Proxy(confdir, "-s", str(script), *endpoints(*upstreams), "--set", f"mirror_web_port={port}") as running,
    ):
        running.wait_for(rf"the live page is at http://127\.0\.0\.1:{port}/")
        yield running


@pytest.fixture(scope="module")
def port(proxy: Proxy) -> int:
    return int(proxy.wait_for(r"the live page is at http://127\.0\.0\.1:(\d+)/")[1])


class From:
    """A connection to the proxy from an address."""

    def __init__(self, address: str, proxy: Proxy) -> None:
        self.socket = socket.create_connection(proxy.address, PATIENCE, source_address=(address, 0))
        self.stream = Stream(self.socket)

    def __enter__(self) -> From:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, *head: bytes) -> Response:
        self.socket.sendall(lines(*head))
        return read_response(self.stream, head[0].split(b" ", 1)[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_not_served_through_the_proxy_by_any_name(proxy: Proxy, port: int, name: str) -> None:
    url = f"http://{name}:{port}/".encode()
    for path in (b"", b"api/status.json", b"metrics", b"parts", b"static/page.js"):
        with From("127.0.0.9", proxy) as far:
            reply = far.ask(b"GET %b%b HTTP/1.1" % (url, path), b"Host: 127.0.0.1")
            assert (reply.status, b"only to the machine" in reply.body) == (403, True), reply
    with From("127.0.0.1", proxy) as near:
        assert near.ask(b"GET %bapi/status.json HTTP/1.1" % url, b"Host: 127.0.0.1").status == 200


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1"])
def test_nor_through_a_tunnel(proxy: Proxy, port: int, name: str) -> None:
    target = f"{name}:{port}".encode()
    for address, status in (("127.0.0.9", 403), ("127.0.0.1", 200)):
        with From(address, proxy) as client:
            assert client.ask(b"CONNECT %b HTTP/1.1" % target, b"Host: " + target).status == 200
            for _ in range(2):
                assert client.ask(b"GET /parts HTTP/1.1", b"Host: 127.0.0.1").status == status


def test_nor_through_the_proxys_own_port(proxy: Proxy, port: int) -> None:
    """mitmproxy refuses to connect to itself only where the address is spelled as it listens."""
    own = f"127.1:{proxy.address[1]}".encode()
    for address, status in (("127.0.0.9", 403), ("127.0.0.1", 200)):
        with From(address, proxy) as client:
            assert client.ask(b"CONNECT %b HTTP/1.1" % own, b"Host: " + own).status == 200
            assert client.ask(b"GET http://%b/parts HTTP/1.1" % PAGE, b"Host: " + PAGE).status == status
        with From(address, proxy) as client:
            assert client.ask(b"CONNECT %b HTTP/1.1" % own, b"Host: " + own).status == 200
            direct = f"http://127.0.0.1:{port}/parts".encode()
            assert client.ask(b"GET %b HTTP/1.1" % direct, b"Host: 127.0.0.1").status == status


def test_the_magic_host_and_its_buttons(proxy: Proxy, port: int) -> None:
    with From("127.0.0.9", proxy) as far:
        assert far.ask(b"GET http://%b/ HTTP/1.1" % PAGE, b"Host: " + PAGE).status == 403
        pause = b"POST http://127.0.0.1:%d/pause HTTP/1.1" % port
        assert far.ask(pause, b"Host: 127.0.0.1", b"Content-Length: 0").status == 403
    page = LivePage(proxy.address)
    assert page.press("pause").status == 200
    assert page.press("resume").status == 200


@pytest.mark.parametrize("field", [b"Via: 1.1 front", b"Forwarded: for=192.0.2.7", b"X-Forwarded-For: 192.0.2.7"])
def test_behind_a_front_proxy_every_client_is_far(proxy: Proxy, port: int, field: bytes) -> None:
    assert LivePage(proxy.address).ask(b"GET", b"/parts", field).status == 403
    assert LivePage(("127.0.0.1", port), proxied=False).ask(b"GET", b"/parts", field).status == 403
    through = lines(b"GET http://127.0.0.1:%d/parts HTTP/1.1" % port, b"Host: 127.0.0.1", field)
    assert exchange(proxy.address, through).status == 403
