"""Ports for programs that must be told one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody else is given while the context lasts, and at which nobody listens.

    It is bound and not listening, with SO_REUSEADDR: a server that is told this very port and has set that option too,
    as asyncio's and Tornado's do, may listen there meanwhile.
    """
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        yield place.getsockname()[1]
