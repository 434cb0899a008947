"""When the bytes of an exchange left and reached mitmproxy's connection to an upstream.

mitmproxy's own times of a flow are taken elsewhere: a request ends when it was received from the client, before hooks,
connecting and the event loop's other work, and a response ends when the event loop has come to its last byte. For a
quick upstream that is several times what the upstream took. A shadow is timed at the worker's socket, so the primary
has to be timed at its own (`clock.socket_clock`).

HTTP/2: mitmproxy sends several requests at a time over one connection, and frames of its own while it receives a
response. Times of a socket say nothing about one of them there, so mitmproxy's are used.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

from mitmproxy import connection
from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.proxy import server_hooks

from mirror_addon.clock.socket_clock import Marks
from mirror_addon.clock.socket_clock import unwatch_all
from mirror_addon.clock.socket_clock import watch
from mirror_addon.compare.answer import PROGRAM_CLOCK
from mirror_addon.compare.answer import clock_of

_marks: weakref.WeakKeyDictionary[connection.Server, Marks] = weakref.WeakKeyDictionary()


class ExchangeTimes(NamedTuple):
    """Milliseconds of one exchange with an upstream; None where there is none.

    `ms`: from the last byte of the request to the last byte of the response. `first_ms`: to its first bytes.
    `connect_ms`: name lookup, TCP and TLS; None if the connection was open before. `clock`: how `ms` was taken,
    see compare.answer. `late_ms`: from the arrival of the last bytes to their read.
    """

    ms: float | None
    first_ms: float | None
    connect_ms: float | None
    clock: str
    late_ms: float | None = None


def server_connected(data: server_hooks.ServerConnectionHookData) -> None:
    """mitmproxy's hook: take the times of this connection. Does nothing where it is not a socket of asyncio (QUIC)."""
    handlers = getattr(ctx.master.addons.get("proxyserver"), "connections", {})
    transports = getattr(handlers.get(data.client.id), "transports", {})
    writer = getattr(transports.get(data.server), "writer", None)
    find = getattr(writer, "get_extra_info", None)
    marks = watch(find("socket")) if find is not None else None
    if marks is not None:
        _marks[data.server] = marks


def exchange_times(flow: http.HTTPFlow, response: http.Response | None) -> ExchangeTimes:
    """The times of a flow and its response as it came, which is there. May be called later too: times of another
    exchange are not used."""
    server = flow.server_conn
    if response is None:
        return ExchangeTimes(None, None, None, PROGRAM_CLOCK)
    connect_ms = connect_time(flow)
    begun, ended = flow.request.data.timestamp_end, response.data.timestamp_end
    marks = _marks.get(server) if server is not None else None
    if (
        marks is not None
        and ended
        and flow.request.data.timestamp_start <= marks.sent <= marks.received <= ended
        and response.data.http_version.startswith(b"HTTP/1")
    ):
        first_ms = (marks.first - marks.sent) * 1000 if marks.first else None
        ms = (marks.received - marks.sent) * 1000
        clock = clock_of(ms, marks.lag * 1000, marks.exact)
        return ExchangeTimes(ms, first_ms, connect_ms, clock, marks.late * 1000 if marks.exact else None)
    started = response.data.timestamp_start
    return ExchangeTimes(
        (ended - begun) * 1000 if begun and ended else None,
        (started - begun) * 1000 if begun and started else None,
        connect_ms,
        PROGRAM_CLOCK,
    )


def connect_time(flow: http.HTTPFlow) -> float | None:
    """The milliseconds that connecting took; None if the connection was open before the request, or there is none."""
    server = flow.server_conn
    if server is None:
        return None
    begun, ended = server.timestamp_start, server.timestamp_tls_setup or server.timestamp_tcp_setup
    if not begun or not ended or begun < flow.request.timestamp_start:
        return None
    return (ended - begun) * 1000


def take_back() -> None:
    """Leave all open connections as mitmproxy opened them."""
    unwatch_all()
    _marks.clear()
