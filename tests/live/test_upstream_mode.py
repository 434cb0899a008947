"""mitmproxy's mode `upstream:` beside others: what rules route leaves directly, all else through the proxy."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NamedTuple

import grpc
import pytest
from livetools.client import Client
from livetools.client import Client2
from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Conversation
from livetools.recorder import Recorder
from livetools.shop import Shop
from livetools.wire import Received
from livetools.wire import Stream
from livetools.wire import lines
from livetools.wire import read_response

RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: shop, subset: v1}}]
    mirror: {host: shop, subset: v2}
"""
REDIRECTED = """\
from mitmproxy import platform

platform.original_addr = lambda sock: ("192.0.2.9", 80)
"""
"""In place of iptables, which needs root: each connection of transparent mode was made to an address of nobody."""
CREDENTIALS = b"Basic dXNlcjp3b3Jk"


class Stage(NamedTuple):
    proxy: Proxy
    regular: tuple[str, int]
    socks: tuple[str, int]
    transparent: tuple[str, int]
    corporate: Recorder
    elsewhere: Recorder
    v1: Recorder
    v2: Recorder
    to: Recorder


def forward(elsewhere: Recorder) -> Any:
    """The behaviour of the corporate proxy, which tunnels to `elsewhere` and to ports of this machine."""

    def behave(conversation: Conversation, request: Received) -> bool:
        if request.method != b"CONNECT":
            conversation.send(lines(b"HTTP/1.1 200 OK", b"Content-Length: 7") + b"proxied")
            return True
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\n")
        ours = conversation.socket
        host, _, port = request.target.decode().rpartition(":")
        address = ("127.0.0.1", elsewhere.port if host == "elsewhere.test" else int(port))
        with socket.create_connection(address) as theirs:
            while True:
                for each, other in ((ours, theirs), (theirs, ours)):
                    if each in select.select([ours, theirs], [], [], 0.1)[0]:
                        if not (data := each.recv(65536)):
                            return False
                        other.sendall(data)

    return behave


@pytest.fixture(scope="module")
def stage(confdir: Path, tmp_path_factory: pytest.TempPathFactory, authority: Any) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "rules.yaml").write_text(RULES)
    certificate = authority.issue("elsewhere.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with (
        Recorder() as corporate,
        Recorder(tls=context) as elsewhere,
        Recorder() as v1,
        Recorder() as v2,
        Recorder() as to,
    ):
        corporate.behave(forward(elsewhere))
        options = [
            f"mirror_rules={folder / 'rules.yaml'}",
            f"mirror_endpoints=shop/v1={v1}",
            f"mirror_endpoints=shop/v2={v2}",
            f"mirror_to=http://{to}",
            "upstream_auth=user:word",
            "ssl_insecure=true",
        ]
        (folder / "redirected.py").write_text(REDIRECTED)
        with reserved_port() as regular, reserved_port() as socks, reserved_port() as transparent:
            modes = [f"upstream:http://{corporate}", f"regular@{regular}", f"socks5@{socks}"]
            modes.append(f"transparent@{transparent}")
            arguments = [part for mode in modes for part in ("--mode", mode)]
            arguments += [part for option in options for part in ("--set", option)]
            arguments += ["-s", str(folder / "redirected.py")]
            running = Proxy(confdir, *arguments)
        with running as proxy:
            others = [("127.0.0.1", port) for port in (regular, socks, transparent)]
            yield Stage(proxy, *others, corporate, elsewhere, v1, v2, to)


def absolute(host: bytes, path: bytes) -> bytes:
    return lines(b"GET http://" + host + path + b" HTTP/1.1", b"Host: " + host, b"Proxy-Authorization: Basic eA==")


def test_the_start_says_so(stage: Stage) -> None:
    found = stage.proxy.wait_for("mirror: requests that a rule routes do not go through .*")[0]
    assert f"the upstream proxy {stage.corporate}" in found
    assert found.endswith("all other requests go through it")


def test_one_connection_of_a_client(stage: Stage) -> None:
    with Client(stage.proxy.address) as client:
        for number in range(2):
            assert client.exchange(absolute(b"other.test", b"/o%d" % number)).body == b"proxied"
            proxied = stage.corporate.one()
            assert proxied.target == b"http://other.test/o%d" % number
            assert proxied.value(b"proxy-authorization") == CREDENTIALS
            shadow = stage.to.one()
            assert (shadow.target, shadow.value(b"proxy-authorization")) == (b"/o%d" % number, None)

            assert client.exchange(absolute(b"shop.test", b"/r%d" % number)).body == b"ok"
            for direct in (stage.v1.one(), stage.v2.one()):
                assert (direct.target, direct.value(b"proxy-authorization")) == (b"/r%d" % number, None)
    assert stage.corporate.received == stage.elsewhere.received == []


def test_https(stage: Stage) -> None:
    with Client2(stage.proxy.address, "shop.test") as client:
        assert client.exchange(b"GET", b"/secure").body == b"ok"
        for direct in (stage.v1.one(), stage.v2.one()):
            assert (direct.target, direct.value(b"proxy-authorization")) == (b"/secure", None)
    assert stage.corporate.received == []
    with Client2(stage.proxy.address, "elsewhere.test") as client:
        assert client.exchange(b"GET", b"/tunnelled").body == b"ok"
    connect, tunnelled = stage.corporate.one(), stage.elsewhere.one()
    assert (connect.target, connect.value(b"proxy-authorization")) == (b"elsewhere.test:443", CREDENTIALS)
    assert (tunnelled.target, tunnelled.value(b"proxy-authorization")) == (b"/tunnelled", None)
    assert stage.to.one().target == b"/tunnelled"


@pytest.mark.parametrize("tunnel", [False, True])
def test_grpc_without_tls(stage: Stage, tunnel: bool) -> None:
    """To the proxy itself, and in a tunnel that the client asks for."""
    with Shop(b"there ") as shop:
        place, proxy = f"127.0.0.1:{shop.port}", f"127.0.0.1:{stage.proxy.address[1]}"
        own = [("grpc.http_proxy", f"http://{proxy}")] if tunnel else [("grpc.default_authority", place)]
        with grpc.insecure_channel(place if tunnel else proxy, own) as channel:
            assert channel.unary_unary("/test.Shop/Unary")(b"x", timeout=PATIENCE) == b"there x"
        assert "proxy-authorization" not in shop.one()[2]
    connect = stage.corporate.one()
    assert (connect.method, connect.target) == (b"CONNECT", place.encode())
    assert connect.value(b"proxy-authorization") == CREDENTIALS


def test_a_mode_without_a_proxy_beside_it(stage: Stage) -> None:
    assert exchange(stage.regular, absolute(b"shop.test", b"/regular")).body == b"ok"
    assert stage.v1.one().target == stage.v2.one().target == b"/regular"
    assert exchange(stage.regular, absolute(str(stage.v1).encode(), b"/passed")).body == b"ok"
    assert stage.v1.one().value(b"proxy-authorization") == b"Basic eA=="
    while b"/passed" not in stage.to.one().head:
        pass  # what this HTTP/1 recorder makes of the gRPC shadows before
    assert stage.corporate.received == []


def test_socks5(stage: Stage) -> None:
    """The client's destination cannot be resolved, and is never dialled."""
    with Client(stage.socks) as client:
        client.send(b"\x05\x01\x00")
        assert client.stream.exactly(2) == b"\x05\x00"
        client.send(b"\x05\x01\x00\x03\x09shop.test\x00\x50")
        assert client.stream.exactly(10)[:2] == b"\x05\x00"
        assert client.exchange(lines(b"GET /socks HTTP/1.1", b"Host: shop.test")).body == b"ok"
    assert stage.v1.one().target == stage.v2.one().target == b"/socks"


def test_transparent(stage: Stage) -> None:
    assert exchange(stage.transparent, lines(b"GET /transparent HTTP/1.1", b"Host: shop.test")).body == b"ok"
    assert stage.v1.one().target == stage.v2.one().target == b"/transparent"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(stage.transparent) as plain,
        context.wrap_socket(plain, server_hostname="shop.test") as client,
    ):
        client.sendall(lines(b"GET /tls HTTP/1.1", b"Host: shop.test"))
        assert read_response(Stream(client), b"GET").body == b"ok"
    assert stage.v1.one().target == stage.v2.one().target == b"/tls"
