"""Who asks, where the proxy itself made the connection: decided with real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import connection
from mitmproxy.addons import proxyserver
from mitmproxy.test import taddons

from mirror_addon.live_page.origin import MOST_HOPS
from mirror_addon.live_page.origin import canonical
from mirror_addon.live_page.origin import clients_by_socket
from mirror_addon.live_page.origin import origin

FAR = ("192.0.2.7", 50000)


def handler(client: tuple[str, int] | None, *servers: connection.Server) -> Any:
    """What mitmproxy keeps of a client and its open connections."""
    from_client = connection.Client(peername=client, sockname=("127.0.0.1", 8080), timestamp_start=0)
    return SimpleNamespace(client=from_client, transports=dict.fromkeys([from_client, *servers]))


def server(sockname: tuple[Any, ...] | None, protocol: Any = "tcp") -> connection.Server:
    return connection.Server(address=("x", 1), sockname=sockname, transport_protocol=protocol)


@pytest.fixture
def page() -> Iterator[socket.socket]:
    """A listener, as the page's port is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
async def proxy() -> AsyncIterator[proxyserver.Proxyserver]:
    addon = proxyserver.Proxyserver()
    with taddons.context(addon):
        yield addon


@pytest.mark.parametrize(
    ("host", "family"),
    [
        *((host, socket.AF_INET) for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f.1")),
        ("::ffff:127.0.0.1", socket.AF_INET6),
    ],
)
@pytest.mark.parametrize(("client", "found"), [(FAR, FAR[0]), (("::ffff:192.0.2.7", 1, 0, 0), FAR[0]), (None, "")])
async def test_a_far_client_is_found_by_whatever_name_it_asked(
    page: socket.socket, proxy: Any, host: str, family: int, client: Any, found: str
) -> None:
    with socket.socket(family) as out:
        out.connect((host, page.getsockname()[1]))
        accepted, peername = page.accept()
        with accepted:
            proxy.connections[1] = handler(client, server(out.getsockname()))
            assert origin(peername) == found


async def test_a_near_client_is_near(page: socket.socket, proxy: Any) -> None:
    proxy.connections[1] = handler(FAR, server(("127.0.0.1", 1)))
    with socket.create_connection(page.getsockname()) as browser:
        assert origin(browser.getsockname()) == "127.0.0.1"
        proxy.connections[2] = handler(("127.0.0.1", 50001), server(browser.getsockname()))
        assert origin(browser.getsockname()) == "127.0.0.1"


async def test_through_the_proxys_own_port(proxy: Any) -> None:
    hops = [("127.0.0.1", 40000 + number) for number in range(MOST_HOPS)]
    proxy.connections[0] = handler(FAR, server(hops[0]))
    for number, hop in enumerate(hops[1:]):
        proxy.connections[number + 1] = handler(hops[number], server(hop))
    for hop in hops[: MOST_HOPS - 1]:
        assert origin(hop) == FAR[0]
    assert origin(hops[-1]) == "", "no way to the page is that long"
    proxy.connections[0] = handler(hops[0], server(hops[0]))
    assert origin(hops[0]) == ""


def test_other_connections_are_not_the_peers() -> None:
    udp, pending = server(("127.0.0.1", 1), "udp"), server(None)
    assert clients_by_socket([handler(FAR, udp, pending)]) == {}


async def test_without_a_peer_or_a_proxy() -> None:
    with taddons.context():
        assert origin(None) == origin(()) == ""
        assert origin(("127.0.0.1", 1)) == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "form"),
    [("::FFFF:7f00:1", "127.0.0.1"), ("fe80::1%eth0", "fe80::1"), ("0:0::1", "::1"), ("x", "x"), ("", "")],
)
def test_canonical(address: str, form: str) -> None:
    assert canonical(address) == form
