"""HTTP/2 with prior knowledge, in a real proxy inside this process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from enginetools import H2Client
from enginetools import H2Mirror
from mitmproxy.addons.disable_h2c import DisableH2C
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.test import taddons

from mirror_addon.addon import MirrorAddon
from mirror_addon.flows.prior_knowledge import PREFACE

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: b}
spec:
  host: b
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: v1
kind: Service
metadata: {name: b}
spec: {ports: [{port: 80, name: PORT}]}
"""


class Stage:
    def __init__(self, addon: MirrorAddon, address: tuple[str, int], v1: H2Mirror, v2: H2Mirror) -> None:
        self.addon, self.address, self.v1, self.v2 = addon, address, v1, v2
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address)
        self._writers.append(writer)
        return reader, writer

    async def client(self) -> H2Client:
        return H2Client(*await self.connect())

    async def sent(self, number: int) -> None:
        assert self.addon.session.writer
        counters = self.addon.session.writer.counters
        async with asyncio.timeout(30):
            while dict(counters.items()).get("sent") != number:
                await asyncio.sleep(0.01)


@pytest.fixture
async def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirrors: Any, confdir: Path
) -> AsyncIterator[Callable[..., Any]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gc, "unfreeze", lambda: None)  # or each addon would let the collector see all that tests import
    (tmp_path / "rules").mkdir()
    async with contextlib.AsyncExitStack() as stack:

        async def start(port: str = "grpc", **options: Any) -> Stage:
            (tmp_path / "rules" / "shop.yaml").write_text(RULES.replace("PORT", port))
            v1, v2 = H2Mirror(), H2Mirror()
            ports = [await mirrors.start(each) for each in (v1, v2)]
            endpoints = [f"b/v1=127.0.0.1:{ports[0]}", f"b/v2=127.0.0.1:{ports[1]}"]
            server, addon = Proxyserver(), MirrorAddon()
            context = stack.enter_context(taddons.context(loadcore=True))
            context.master.addons.add(DisableH2C(), server, addon, NextLayer(), TlsConfig())
            context.options.update(confdir=str(confdir), mirror_endpoints=endpoints, mirror_drain="5s", **options)
            context.configure(server, listen_host="127.0.0.1", listen_port=0)
            assert await server.setup_servers()
            server.running()
            addon.running()
            stage = Stage(addon, server.listen_addrs()[0][:2], v1, v2)

            async def stop() -> None:
                for writer in stage._writers:
                    writer.close()
                context.configure(server, server=False)
                if (drained := addon.done()) is not None:
                    await drained

            stack.push_async_callback(stop)
            return stage

        yield start


@pytest.mark.parametrize(
    "port",
    ["grpc", "grpc-web", "http2-web", "h2c", "x, appProtocol: grpc-web", "x, appProtocol: kubernetes.io/h2c"],
)
async def test_bodies_and_trailers_reach_primary_and_shadow(start: Any, port: str) -> None:
    stage = await start(port)
    client = await stage.client()
    sums = ((b"x-sum", b"\xff1"),)
    answer = await client.ask(b"PUT", b"shop.test", b"/x", body=b"abc", trailers=sums)
    assert answer == {"status": 200, "body": b"ok", "trailers": ((b"grpc-status", b"0"),)}
    await client.ask(b"POST", b"shop.test", b"/x", trailers=sums)
    await client.ask(b"POST", b"shop.test", b"/x", (b"content-type", b"application/grpc"), body=b"m", trailers=sums)
    await client.ask(b"POST", b"shop.test", b"/x", body=b"without")
    await stage.sent(4)
    for side in (stage.v1, stage.v2):
        assert sorted(side.bodies) == [b"", b"abc", b"m", b"without"]
        assert side.trailers == [list(sums)] * 3
        assert not any(name == b"transfer-encoding" for head in side.headers for name, _ in head)
    assert stage.v1.connections == 1


async def test_an_http1_client_of_an_http2_primary(start: Any) -> None:
    stage = await start()
    reader, writer = await stage.connect()
    for _ in range(2):
        writer.write(
            b"POST http://shop.test/x HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n"
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(2) == b"ok"
        reader, writer = await stage.connect()
    await stage.sent(2)
    assert stage.v1.bodies == stage.v2.bodies == [b"abc"] * 2


async def test_grpc_web_over_http1_is_passed_on_in_chunks(start: Any) -> None:
    stage = await start("grpc-web")
    reader, writer = await stage.connect()
    writer.write(
        b"POST http://shop.test/x HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/grpc-web\r\n"
        b"Content-Length: 3\r\n\r\nabc"
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    assert b"transfer-encoding: chunked" in head
    assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 30) == b"2\r\nok\r\n0\r\n\r\n"
    await stage.sent(1)


async def test_a_preface_in_pieces(start: Any) -> None:
    stage = await start()
    reader, writer = await stage.connect()
    for byte in PREFACE:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.002)
    client = H2Client(reader, writer)
    client.state.data_to_send()
    client.state.update_settings({})
    assert (await client.ask(b"GET", b"shop.test", b"/x"))["status"] == 200


@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_http1_that_begins_like_the_preface(start: Any, cut: int) -> None:
    """`PRI` and `PRIVATE` have three letters in common."""
    stage = await start("http")
    reader, writer = await stage.connect()
    request = b"PRIVATE http://127.0.0.1:9/ HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(request[:cut])
    await writer.drain()
    await asyncio.sleep(0.01)
    writer.write(request[cut:])
    assert (await asyncio.wait_for(reader.readline(), 30)).startswith(b"HTTP/1.1 502 ")


async def test_without_the_option_http2_it_is_refused_as_ever(start: Any) -> None:
    stage = await start(http2=False)
    with pytest.raises((ConnectionError, AssertionError)):
        await (await stage.client()).ask(b"GET", b"shop.test", b"/x")
    assert stage.v1.headers == []
