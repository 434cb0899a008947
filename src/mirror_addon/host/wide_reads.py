"""How much of a client's connection mitmproxy reads at once.

asyncio receives up to 256 KiB in one call. mitmproxy takes 64 KiB of it at a time, and each part passes through all
layers of the proxy by itself, which is most of what a large body costs. A client's connection on which a streamed body
is mirrored is read in parts of up to 256 KiB. That saves more of the proxy's time than the shadows of the body take, so
that no client waits longer because it is mirrored.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Coroutine
from typing import Any

from mitmproxy import connection
from mitmproxy import ctx

_MITMPROXY_READS = 65535
"""Bytes that `mitmproxy.proxy.server.ConnectionHandler` asks for in one read."""
_WIDE = 256 * 1024
"""Bytes that asyncio receives at once (`max_size` of its transports). Rarely is more buffered."""


class WideReader(asyncio.StreamReader):
    """A reader that returns more than mitmproxy asks for. A read of any other size is not changed."""

    def read(self, n: int = -1) -> Coroutine[Any, Any, bytes]:
        return super().read(_WIDE if n == _MITMPROXY_READS else n)


_widened: weakref.WeakSet[asyncio.StreamReader] = weakref.WeakSet()


def widen_reads(client: connection.Client) -> None:
    """Read this connection in wide parts, from the next read until it is closed or `narrow_reads` is called.

    Does nothing if the connection is closed, or is not read through asyncio (WireGuard, local capture).
    """
    handlers = getattr(ctx.master.addons.get("proxyserver"), "connections", {})
    transports = getattr(handlers.get(client.id), "transports", {})
    reader = getattr(transports.get(client), "reader", None)
    if type(reader) is asyncio.StreamReader:
        reader.__class__ = WideReader
        _widened.add(reader)


def narrow_reads() -> None:
    """Read all connections as mitmproxy does."""
    for reader in _widened:
        reader.__class__ = asyncio.StreamReader
    _widened.clear()
