"""How much of a client's connection mitmproxy reads at once.

asyncio receives 256 KiB in one call, of which mitmproxy takes 64 KiB at a time, and each part goes through all its
layers by itself: most of what a big body costs the proxy. A body that is handed to shadows is read in parts of 256 KiB,
which wins back more than its shadows take of the proxy's time: no client waits longer for being mirrored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from mitmproxy import connection
from mitmproxy import ctx

_MITMPROXY_READS = 65535
"""What `mitmproxy.proxy.server.ConnectionHandler` asks for, in bytes."""
_WIDE = 256 * 1024
"""What asyncio receives at once (`max_size` of its transports), in bytes: there is hardly ever more."""


class WideReader(asyncio.StreamReader):
    """A reader whose `read` gives more than mitmproxy asks for. What others ask for they get."""

    def read(self, n: int = -1) -> Coroutine[Any, Any, bytes]:
        return super().read(_WIDE if n == _MITMPROXY_READS else n)


def widen_reads(client: connection.Client) -> None:
    """From its next read on, until it is closed, read this connection in wide parts.

    Does nothing where it is not read through asyncio (WireGuard, local capture), or is no longer there."""
    handlers = getattr(ctx.master.addons.get("proxyserver"), "connections", {})
    transports = getattr(handlers.get(client.id), "transports", {})
    reader = getattr(transports.get(client), "reader", None)
    if type(reader) is asyncio.StreamReader:
        reader.__class__ = WideReader
