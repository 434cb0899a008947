"""Which sockets listen at a port of this machine, and which processes hold them, by what Linux says in /proc (proc(5)).

The functions read files of the kernel, which may take some milliseconds: call them in a thread.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path

from mirror_addon.shadow.request import Target

PROC = Path("/proc")
_LISTEN = b"0A"

Listeners = frozenset[str]
"""The names of sockets, `socket:[INODE]`."""
Holders = frozenset[tuple[str, str]]
"""Files of processes, `/proc/PID/fd/NUMBER`, and the sockets that they are."""


def listeners_of(target: Target) -> Listeners | None:
    """Return the sockets that listen at the target's port on this machine. None: that is not known."""
    if target.address != "localhost":
        try:
            if not ipaddress.ip_address(target.address).is_loopback:
                return None
        except ValueError:
            return None
    port = b"%04X" % target.port
    found: set[str] = set()
    try:
        for name in ("tcp", "tcp6"):
            table = PROC / "self" / "net" / name
            if name == "tcp" or table.exists():  # the kernel may be without IPv6
                found.update(f"socket:[{inode}]" for number, inode in _listening(table) if number == port)
    except OSError:  # another system
        return None
    return frozenset(found)


def _listening(table: Path) -> Iterator[tuple[bytes, str]]:
    """Yield port and inode of each listening socket in a table, which has these first."""
    with table.open("rb", buffering=4096) as lines:
        next(lines, b"")
        for line in lines:
            # number, local address and port, remote ones, state, queues, timers, retransmits, uid, timeout, inode
            fields = line.split(None, 10)
            if len(fields) < 10 or fields[3] != _LISTEN:
                return
            yield fields[1].rpartition(b":")[2], fields[9].decode()


def holders_of(listeners: Listeners) -> Holders:
    """Return which processes hold these sockets, of those that may be looked at: the user's own."""
    found: set[tuple[str, str]] = set()
    for process in os.scandir(PROC):
        if process.name.isdigit():
            with contextlib.suppress(OSError):  # not ours, or gone
                for each in os.scandir(f"{process.path}/fd"):
                    if (name := _name_of(each.path)) in listeners:
                        found.add((each.path, name))
    return frozenset(found)


def are_held(holders: Holders) -> bool:
    """Whether all these processes still hold their sockets."""
    return all(_name_of(path) == name for path, name in holders)


def _name_of(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
