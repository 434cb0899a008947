"""Which machine a request for the page comes from, when the proxy itself may have carried it.

A client on another machine can ask the proxy for the page's port: `http://127.0.0.1:PORT/`, or any other name or
spelling of a loopback address, or by CONNECT. It can ask the proxy for the proxy's own port in the same way, and
through that for the magic host. The page then sees a connection from this machine. What was asked for does not matter,
because the socket tells: the peer is one of the proxy's own connections to servers, and the client of that connection
is the one that asks. mitmproxy keeps its open connections, so that nothing has to be noted for each of them.

A connection that is closed is no longer found. Its request is then treated as one of this machine, but nobody is left
to read the response, and no request has an effect without the token in a response.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from mitmproxy import connection
from mitmproxy import ctx

Peer = tuple[str, int]
"""An IP address in its canonical form, IPv4 where it was mapped to IPv6, and a port."""

MOST_HOPS = 8
"""Connections of the proxy to itself that are followed. More of them are nobody's way to the page."""


def canonical(address: str) -> str:
    """Return an IP address without its zone, an IPv4 one that is mapped to IPv6 as IPv4; any other text unchanged."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(found)


def origin(peername: tuple[Any, ...] | None) -> str:
    """Return the address of the client that asks on a TCP connection whose peer has `peername`. It is another than
    the peer's where the proxy that runs here made the connection. Empty if it is not known, or the client is too far.

    Runs in the event loop, once for a request of the page: it looks at all open connections of the proxy."""
    if not peername:
        return ""
    peer = _peer(peername)
    server = ctx.master.addons.get("proxyserver")
    made_here = clients_by_socket(server.connections.values() if server else ())
    for _ in range(MOST_HOPS):
        if peer not in made_here:
            return peer[0]
        client = made_here[peer]
        if client is None:
            return ""
        peer = client
    return ""


def clients_by_socket(handlers: Iterable[Any]) -> Mapping[Peer, Peer | None]:
    """Return the proxy's own end of each open TCP connection to a server, with the client for which it was opened.

    `handlers`: mitmproxy's ConnectionHandlers.
    """
    return {
        _peer(transport.sockname): _peer(handler.client.peername) if handler.client.peername else None
        for handler in handlers
        for transport in list(handler.transports)
        if isinstance(transport, connection.Server) and transport.sockname and transport.transport_protocol == "tcp"
    }


def _peer(name: tuple[Any, ...]) -> Peer:
    return canonical(str(name[0])), int(name[1])
