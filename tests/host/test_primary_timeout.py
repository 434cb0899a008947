"""A route's `timeout`, in one mitmdump with upstreams that are late in several ways."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools import recorder
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import Response
from livetools.wire import lines

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: x}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /limited}}]
    timeout: 300ms
    route: [{destination: {host: primary}}]
    mirror: {host: mirror}
    headers: {response: {set: {x-route: "1"}}}
  - match: [{uri: {prefix: /generous}}]
    timeout: 60s
    route: [{destination: {host: primary}}]
  - route: [{destination: {host: primary}}]
"""


@pytest.fixture(scope="module")
def upstreams() -> Iterator[tuple[Recorder, Recorder]]:
    with Recorder() as primary, Recorder() as mirror:
        yield primary, mirror


@pytest.fixture(scope="module")
def proxy(upstreams: tuple[Recorder, Recorder], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("timeout")
    rules = folder / "rules.yaml"
    rules.write_text(RULES)
    options = ["--set", f"mirror_rules={rules}"]
    for name, upstream in zip(("primary", "mirror"), upstreams, strict=True):
        options += ["--set", f"mirror_endpoints={name}={upstream}"]
    with Proxy(folder / "confdir", *options, "--set", "mirror_timeout=1s") as running:
        yield running


def ask(proxy: Proxy, path: bytes, method: bytes = b"GET", *fields: bytes) -> Response:
    return exchange(proxy.address, lines(b"%s %s HTTP/1.1" % (method, path), b"Host: shop.test", *fields))


def test_a_late_response_is_a_504(proxy: Proxy, upstreams: tuple[Recorder, Recorder]) -> None:
    upstreams[0].behave(recorder.hang)
    found = ask(proxy, b"/limited")
    assert (found.status, found.body) == (504, b"upstream request timeout")
    assert found.values(b"content-type") == [b"text/plain"]
    assert found.values(b"x-route") == [b"1"]
    upstreams[0].restore()


def test_of_grpc_and_head(proxy: Proxy, upstreams: tuple[Recorder, Recorder]) -> None:
    upstreams[0].behave(recorder.hang)
    found = ask(proxy, b"/limited", b"POST", b"Content-Type: application/grpc", b"Content-Length: 0")
    assert (found.status, found.values(b"grpc-status")) == (200, [b"14"])
    assert found.values(b"grpc-message") == [b"upstream request timeout"]
    with Client(proxy.address) as client:
        client.send(lines(b"HEAD /limited HTTP/1.1", b"Host: shop.test"))
        assert client.socket.recv(100).startswith(b"HTTP/1.1 504 ")
    upstreams[0].restore()


def test_the_client_can_go_on(proxy: Proxy, upstreams: tuple[Recorder, Recorder]) -> None:
    """Another request on the client's connection gets a connection of its own to the primary."""
    with Client(proxy.address) as client:
        upstreams[0].behave(recorder.hang)
        request = lines(b"GET /limited HTTP/1.1", b"Host: shop.test")
        assert client.exchange(request).status == 504
        upstreams[0].behave(answer(b"200 OK", body=b"again"))
        if client.socket.fileno() >= 0:
            found = exchange(proxy.address, request)
            assert (found.status, found.body) == (200, b"again")
    upstreams[0].restore()


def test_a_response_that_has_begun_is_cut_off(proxy: Proxy, upstreams: tuple[Recorder, Recorder]) -> None:
    begun = lines(b"HTTP/1.1 200 OK", b"Content-Length: 1000")
    upstreams[0].behave(recorder.raw(begun + b"x", keep=True))
    with Client(proxy.address) as client:
        client.send(lines(b"GET /limited HTTP/1.1", b"Host: shop.test"))
        received = client.socket.recv(100)
        assert not received or received.startswith(b"HTTP/1.1 502 ")
    upstreams[0].restore()


@pytest.mark.long
def test_a_server_that_is_not_reached(tmp_path: Path, upstreams: tuple[Recorder, Recorder]) -> None:
    """A listener whose queue is full does not accept: the attempt to connect is cancelled."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        rules = tmp_path / "rules.yaml"
        rules.write_text(RULES)
        options = ["--set", f"mirror_rules={rules}", "--set", f"mirror_endpoints=primary=127.0.0.1:{address[1]}"]
        options += ["--set", f"mirror_endpoints=mirror={upstreams[1]}"]
        with Proxy(tmp_path / "confdir", *options) as proxy:
            assert ask(proxy, b"/limited").status == 502
        for filler in fillers:
            filler.close()


def test_what_is_in_time_or_has_no_limit(proxy: Proxy, upstreams: tuple[Recorder, Recorder]) -> None:
    upstreams[0].behave(recorder.slow(0.5))
    assert [ask(proxy, path).status for path in (b"/generous", b"/")] == [200, 200]
    upstreams[0].restore()
    assert ask(proxy, b"/limited").status == 200
