"""mitmproxy's reads get more of what has arrived, and everybody else what they ask for."""

from __future__ import annotations

import asyncio
import socket
import types
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mitmproxy import ctx
from mitmproxy.proxy.server import ConnectionIO
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.host.wide_reads import WideReader
from mirror_addon.host.wide_reads import narrow_reads
from mirror_addon.host.wide_reads import widen_reads

KIB = 1024
CLIENT = tflow.tclient_conn()


class Proxyserver:
    """As the addon of that name, with one connection."""

    def __init__(self, reader: Any) -> None:
        self.connections = {CLIENT.id: types.SimpleNamespace(transports={CLIENT: ConnectionIO(reader=reader)})}


@pytest.fixture
async def master() -> AsyncIterator[None]:
    with taddons.context():
        yield


def widened() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    ctx.master.addons.add(Proxyserver(reader))
    widen_reads(CLIENT)
    assert isinstance(reader, WideReader)
    return reader


@pytest.mark.usefixtures("master")
async def test_mitmproxy_gets_all_that_asyncio_receives_at_once() -> None:
    reader = widened()
    body = bytes(range(256)) * 2 * KIB
    reader.feed_data(body)
    assert await reader.read(65535) == body[: 256 * KIB]
    reader.feed_eof()
    assert await reader.read(65535) == body[256 * KIB :]
    assert await reader.read(65535) == b""


@pytest.mark.usefixtures("master")
async def test_others_get_what_they_ask_for() -> None:
    reader = widened()
    reader.feed_data(bytes(300 * KIB))
    reader.feed_eof()
    assert [len(await reader.read(size)) for size in (0, 1, 65534, 65536)] == [0, 1, 65534, 65536]
    assert await reader.readexactly(3) == bytes(3)
    assert len(await reader.read()) == 300 * KIB - 1 - 65534 - 65536 - 3


@pytest.mark.usefixtures("master")
async def test_a_read_that_waits_goes_on() -> None:
    """It was begun before."""
    reader = asyncio.StreamReader()
    ctx.master.addons.add(Proxyserver(reader))
    waiting = asyncio.ensure_future(reader.read(65535))
    await asyncio.sleep(0)
    widen_reads(CLIENT)
    widen_reads(CLIENT)
    reader.feed_data(bytes(100 * KIB))
    assert len(await waiting) == 65535
    assert len(await reader.read(65535)) == 100 * KIB - 65535


@pytest.mark.usefixtures("master")
async def test_narrowed_again_mitmproxy_gets_what_it_asks_for() -> None:
    reader = widened()
    reader.feed_data(bytes(300 * KIB))
    assert len(await reader.read(65535)) == 256 * KIB
    narrow_reads()
    narrow_reads()
    assert type(reader) is asyncio.StreamReader
    reader.feed_data(bytes(300 * KIB))
    assert len(await reader.read(65535)) == 65535


@pytest.mark.usefixtures("master")
async def test_the_sender_is_held_back_as_before() -> None:
    """More than asyncio's limits is not buffered; reading lets the sender go on."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=ours)
    ctx.master.addons.add(Proxyserver(reader))
    widen_reads(CLIENT)
    body = bytes(range(256)) * 16 * KIB
    sending = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(theirs, body))
    async with asyncio.timeout(30):
        while writer.transport.is_reading():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert not sending.done()
        received = b""
        while len(received) < len(body):
            part = await reader.read(65535)
            assert 0 < len(part) <= 256 * KIB
            received += part
        await sending
    assert received == body
    theirs.close()
    writer.close()
    await writer.wait_closed()


class OtherReader(asyncio.StreamReader):
    pass


@pytest.mark.usefixtures("master")
@pytest.mark.parametrize("kind", [object, OtherReader, lambda: None])
async def test_what_is_read_in_another_way_is_left_alone(kind: Any) -> None:
    reader = kind()
    ctx.master.addons.add(Proxyserver(reader))
    widen_reads(CLIENT)
    assert type(reader) is type(kind())


@pytest.mark.usefixtures("master")
async def test_a_client_that_is_gone_and_a_mitmproxy_without_connections() -> None:
    widen_reads(CLIENT)
    ctx.master.addons.add(Proxyserver(asyncio.StreamReader()))
    widen_reads(tflow.tclient_conn())
