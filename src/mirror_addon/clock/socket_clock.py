"""When the last byte of a request left a socket, and when the last byte of its response arrived.

Theory of operation. A response time that a program measures contains the time until the program gets to read: in an
event loop with many connections that is milliseconds, and it differs between the proxy and a worker. So both use the
sockets of this module for their connections to upstreams:

- The time of sending is taken directly before each `send` (after it would be too late: on one machine, the server may
  have responded before `send` returns).
- The time of arrival is the kernel's: with the socket option SO_TIMESTAMPNS, Linux stamps each segment when it arrives
  and returns the stamp of the newest one that a read returned (socket(7)). Where there is none (other systems, Unix
  sockets), it is the time of the read, and `Marks.exact` is False.
- After each `send`, the option TCP_QUICKACK is set (tcp(7)): a server with Nagle's algorithm that writes head and body
  separately sends the body when the head has been acknowledged, which Linux otherwise delays by 40 ms on a connection
  that was used before, and does not delay on a new one. The option does not last.

asyncio's transports call `send`, `sendmsg`, `recv` or `recv_into` of their socket, whose class `watch` replaces.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
import weakref
from collections.abc import Iterable
from typing import Any

_now = time.time  # the kernel's stamps are of this clock, CLOCK_REALTIME

_TIMESTAMPNS = 64
"""SO_TIMESTAMPNS_NEW of Linux 5.1 and newer (asm-generic/socket.h), as an option and as the type of its message."""
_STAMP = struct.Struct("=qq")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_STAMP.size) if hasattr(socket, "CMSG_SPACE") else 0
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Marks:
    """The times of the newest exchange on one socket, in seconds since the epoch; 0 for none yet."""

    __slots__ = ("exact", "first", "lag", "late", "quick_ack", "received", "sent")

    def __init__(self) -> None:
        self.sent = 0.0
        """The last bytes were passed to the kernel."""
        self.first = 0.0
        """The first bytes arrived after that."""
        self.received = 0.0
        """The last bytes arrived."""
        self.exact = False
        """`received` is when the kernel got them, and not when the program read them."""
        self.lag = 0.0
        """Seconds from arrivals to reads, of all reads but the last. The program may have held up the last bytes for as
        long: the server sends them when the first have been acknowledged, or when there is room for them."""
        self.quick_ack: int | None = None
        """The option to be set after each send; None where there is none."""
        self.late = 0.0
        """Seconds from the last arrival to its read."""

    def arrived(self, at: float, now: float) -> None:
        """Bytes that are read now arrived at `at`."""
        self.received = at
        if self.first:
            self.lag += self.late
        elif at >= self.sent:  # what arrived before is no response: TLS 1.3 sends tickets after the handshake
            self.first = at
            self.lag = 0.0
        self.late = now - at


class ClockedSocket(socket.socket):
    """A socket that keeps its Marks. It has no attributes of its own, so that the class of a socket can be replaced."""

    __slots__ = ()

    def send(self, data: Any, flags: int = 0) -> int:
        at = _now()
        sent = super().send(data, flags)
        _mark_sent(self, at)
        return sent

    def sendmsg(self, buffers: Iterable[Any], *more: Any) -> int:
        at = _now()
        sent = super().sendmsg(buffers, *more)
        _mark_sent(self, at)
        return sent

    def recv(self, size: int, flags: int = 0) -> bytes:
        data, ancillary, _, _ = super().recvmsg(size, _ANCILLARY_BYTES, flags)
        if data:
            _mark_received(self, ancillary)
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        target = memoryview(buffer)[:size] if size else buffer
        received, ancillary, _, _ = super().recvmsg_into([target], _ANCILLARY_BYTES, flags)
        if received:
            _mark_received(self, ancillary)
        return received


_marks: dict[int, Marks] = {}
"""By file descriptor: the sockets that use it now. At most one entry for each that the process ever had open."""
_watched: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _mark_sent(sock: socket.socket, at: float) -> None:
    marks = _marks[sock.fileno()]
    marks.sent = at
    marks.first = 0.0
    if marks.quick_ack is not None:
        try:  # contextlib.suppress takes longer than the call
            sock.setsockopt(socket.IPPROTO_TCP, marks.quick_ack, 1)
        except OSError:
            marks.quick_ack = None


def _mark_received(sock: socket.socket, ancillary: list[tuple[int, int, bytes]]) -> None:
    marks = _marks[sock.fileno()]
    marks.exact = False
    at = 0.0
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _TIMESTAMPNS and len(value) == _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack(value)
            at = seconds + nanoseconds * 1e-9
            marks.exact = True
    now = _now()
    marks.arrived(at or now, now)


def watch(sock: Any) -> Marks | None:
    """Take the times of a stream socket from now on, and return where they are kept.

    `sock` is a socket, or what asyncio's transports return as one. None for anything else that does not read and write
    as a socket does: then no times are taken.
    """
    sock = getattr(sock, "_sock", sock)  # asyncio.trsock.TransportSocket hides the socket that the transport uses
    if type(sock) is not socket.socket or sock.type != socket.SOCK_STREAM or not hasattr(sock, "recvmsg_into"):
        return None
    if sys.platform == "linux" and sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):  # an older kernel
            sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
    marks = _marks[sock.fileno()] = Marks()
    if sock.family != socket.AF_UNIX:
        marks.quick_ack = _QUICK_ACK
    sock.__class__ = ClockedSocket
    _watched.add(sock)
    return marks


def unwatch_all() -> None:
    """Let all sockets be as they were before `watch`."""
    for sock in _watched:
        sock.__class__ = socket.socket
    _watched.clear()
