"""The times of a flow are those of its upstream's socket, if they are there and belong to it."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
import types
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.proxy.server import ConnectionIO
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.host import upstream_clock
from mirror_addon.host.upstream_clock import connect_time
from mirror_addon.host.upstream_clock import exchange_times

EXACT = sys.platform == "linux"


class Proxyserver:
    """As the addon of that name, with one connection to an upstream."""

    def __init__(self, client: Any, server: Server, writer: Any) -> None:
        handler = types.SimpleNamespace(transports={server: ConnectionIO(writer=writer)})
        self.connections = {client.id: handler}


class World:
    """A flow, and the connection that it uses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: socket.socket) -> None:
        self.reader, self.writer, self.upstream = reader, writer, upstream
        self.flow = tflow.tflow(resp=True)
        self.flow.request.timestamp_start = self.flow.request.timestamp_end = time.time()
        ctx.master.addons.add(Proxyserver(self.flow.client_conn, self.flow.server_conn, writer))
        upstream_clock.server_connected(ServerConnectionHookData(self.flow.server_conn, self.flow.client_conn))

    async def exchange(self, seconds: float = 0.0) -> http.Response:
        loop = asyncio.get_running_loop()
        self.writer.write(b"request")
        await loop.sock_recv(self.upstream, 100)
        await loop.sock_sendall(self.upstream, b"response")
        time.sleep(seconds)  # noqa: ASYNC251 - the event loop has other work
        await self.reader.read(65535)
        assert self.flow.response is not None
        self.flow.response.timestamp_start = self.flow.response.timestamp_end = time.time()
        return self.flow.response


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with socket.create_server(("127.0.0.1", 0)) as listener, taddons.context():
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        upstream, _ = listener.accept()
        upstream.setblocking(False)
        with upstream:
            yield World(reader, writer, upstream)
            upstream_clock.take_back()
            writer.close()


async def test_the_event_loops_other_work_is_not_the_upstreams_time(world: World) -> None:
    await world.exchange(0.05)
    times = exchange_times(world.flow, world.flow.response)
    assert times.ms is not None and times.first_ms is not None
    if EXACT:
        assert times.ms < 40
        assert times.clock == "socket"
    assert 0 <= times.first_ms <= times.ms


async def test_times_of_another_exchange_are_not_used(world: World) -> None:
    await world.exchange()
    world.flow.request.timestamp_start = time.time()  # a later request, which was responded to without an upstream
    world.flow.request.timestamp_end = world.flow.request.timestamp_start + 1
    assert world.flow.response is not None
    world.flow.response.timestamp_start = world.flow.request.timestamp_start + 2
    world.flow.response.timestamp_end = world.flow.request.timestamp_start + 3
    times = exchange_times(world.flow, world.flow.response)
    assert times.ms == pytest.approx(2000)
    assert times.first_ms == pytest.approx(1000)
    assert times.clock == "program"


async def test_http2_has_mitmproxys_times(world: World) -> None:
    (await world.exchange()).http_version = "HTTP/2.0"
    assert exchange_times(world.flow, world.flow.response).clock == "program"


async def test_after_an_unload_nothing_is_timed(world: World) -> None:
    upstream_clock.take_back()
    await world.exchange()
    assert exchange_times(world.flow, world.flow.response).clock == "program"


def test_without_a_response_there_are_no_times() -> None:
    assert exchange_times(tflow.tflow(), None) == (None, None, None, "program", None)


async def test_a_connection_that_is_no_socket_is_left_alone() -> None:
    flow = tflow.tflow()
    with taddons.context():
        data = ServerConnectionHookData(flow.server_conn, flow.client_conn)
        upstream_clock.server_connected(data)  # no addon `proxyserver`
        for writer in (None, object(), types.SimpleNamespace(get_extra_info=lambda _: None)):
            ctx.master.addons.clear()
            ctx.master.addons.add(Proxyserver(flow.client_conn, flow.server_conn, writer))
            upstream_clock.server_connected(data)


def test_connecting_counts_for_the_first_request_only() -> None:
    flow = tflow.tflow(resp=True)
    server = flow.server_conn
    start = flow.request.timestamp_start
    server.timestamp_start, server.timestamp_tcp_setup, server.timestamp_tls_setup = start, start + 0.25, None
    assert connect_time(flow) == pytest.approx(250)
    server.timestamp_tls_setup = start + 0.5
    assert connect_time(flow) == pytest.approx(500)
    server.timestamp_start = start - 1
    assert connect_time(flow) is None
    server.timestamp_start = None
    assert connect_time(flow) is None
