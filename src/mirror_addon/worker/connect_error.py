"""Why a connection could not be opened: a fault of the mirror, or one of this machine."""

from __future__ import annotations

import os
import socket

import httpcore

from mirror_addon.worker.local_fault import LocalFault
from mirror_addon.worker.local_fault import is_local


def connect_error(error: OSError | ValueError, where: str) -> LocalFault | httpcore.ConnectError:
    """Return what to raise for an error of connecting. ValueError: `where` has a name that IDNA cannot encode."""
    if is_local(error):
        return LocalFault(f"no connection: {_reason(error)}")
    return httpcore.ConnectError(f"{where}: {_reason(error)}")


def _reason(error: OSError | ValueError) -> str:
    """The operating system's text for an error. That of asyncio is `Connect call failed` for every cause."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
