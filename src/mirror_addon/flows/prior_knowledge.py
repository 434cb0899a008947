"""HTTP/2 without TLS and without negotiation, "prior knowledge" (RFC 9113 3.3), which mitmproxy itself does not speak.

A client says so by its first bytes, the connection preface. mitmproxy chooses between its HTTP/1 and its HTTP/2 by the
ALPN value of a connection, whether TLS negotiated it or not: where there is no TLS, it is set here, for the client's
connection before its layer is made, and for a server's before it is opened. Connections with TLS are not touched.
"""

from __future__ import annotations

import weakref

from mitmproxy import connection
from mitmproxy import ctx
from mitmproxy import exceptions
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers.http import GetHttpConnection
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.mode_specs import UpstreamMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113 3.4"""
Address = tuple[str, int]


def speaks_it(client: connection.Client) -> bool:
    """Return whether a client's connection is HTTP/2 with prior knowledge."""
    return client.alpn == b"h2" and not client.tls


class TunnelLayer(HttpLayer):
    """Requests of such a client in upstream mode: those that go through the proxy do so in a tunnel (CONNECT).

    mitmproxy would speak HTTP/1 to the proxy, and in a tunnel to the destination, whose connection no hook is called
    for.
    """

    @classmethod
    def make(cls, context: Context, mode: UpstreamMode) -> TunnelLayer:
        """Return the layer for a connection to the proxy itself, or for one in a tunnel that the client asked for."""
        context.server.via = (mode.scheme, mode.address)
        return cls(context, HTTPMode.regular if len(context.layers) == 1 else HTTPMode.transparent)

    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> CommandGenerator[None]:
        yield from super().get_connection(event, reuse=reuse)
        for server in self.connections:
            if isinstance(server, connection.Server) and server.via is not None and not server.tls:
                server.alpn = b"h2"


class PriorKnowledge:
    """Recognises such clients, and remembers which of their and other clients' destinations are spoken to like this."""

    def __init__(self) -> None:
        self._expected: weakref.WeakKeyDictionary[connection.Client, set[Address]] = weakref.WeakKeyDictionary()

    def next_layer(self, data: NextLayer) -> None:
        """mitmproxy's hook, before its own addon chooses the layer. Raises AddonHalt to wait for the whole preface."""
        client = data.context.client
        begun = data.data_client()
        if not begun or client.tls or data.layer or client.transport_protocol != "tcp" or not ctx.options.http2:
            return
        if begun.startswith(PREFACE):
            client.alpn = b"h2"
            client.alpn_offers = (b"h2", b"http/1.1")  # what mitmproxy offers to a server with TLS
            if isinstance(client.proxy_mode, UpstreamMode):
                data.layer = TunnelLayer.make(data.context, client.proxy_mode)
        elif PREFACE.startswith(begun):
            raise exceptions.AddonHalt

    def expect(self, client: connection.Client, address: Address) -> None:
        """From now on, connections of `client` to `address` without TLS are HTTP/2."""
        self._expected.setdefault(client, set()).add(address)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """mitmproxy's hook, before it opens a connection."""
        server, expected = data.server, self._expected.get(data.client)
        if expected and server.address and not server.tls and (server.address[0], server.address[1]) in expected:
            server.alpn = b"h2"
