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
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113 3.4"""
Address = tuple[str, int]


def speaks_it(client: connection.Client) -> bool:
    """Return whether a client's connection is HTTP/2 with prior knowledge."""
    return client.alpn == b"h2" and not client.tls


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
