"""What fails on this side, and says nothing about a mirror."""

from __future__ import annotations

import errno

_NO_RESOURCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL})


class LocalFault(Exception):
    """A request cannot be sent: HTTP has no form for it, or this machine has no socket for it."""


def is_local(error: OSError | ValueError) -> bool:
    """Whether a connection could not be made because this process or machine has no descriptor, memory or port left."""
    return isinstance(error, OSError) and error.errno in _NO_RESOURCE
