"""The addon in a real proxy inside this process, with real sockets on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy import http
from mitmproxy.addons.disable_h2c import DisableH2C
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.save import Save
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.addons.view import View
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons

from mirror_addon.addon import MirrorAddon
from mirror_addon.options import settings as settings_module

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /b/}}]
    rewrite: {uri: /}
    route:
    - destination: {host: b, subset: v1}
      headers: {response: {set: {x-by: v1}, remove: [server]}}
    mirror: {host: b, subset: v2}
  - match: [{uri: {exact: /held}}]
    fault: {delay: {fixedDelay: 200ms, percentage: {value: 100}}}
    route: [{destination: {host: b, subset: v1}}]
  - match: [{uri: {prefix: /gone}}]
    route: [{destination: {host: b, subset: v9}}]
    mirror: {host: b, subset: v2}
  - match: [{uri: {prefix: /teapot}}]
    directResponse: {status: 418, body: {string: short and stout}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: b}
spec:
  host: b
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v9, labels: {version: v9}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b}
spec:
  hosts: [b.default.svc.cluster.local]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: []
"""

ANSWER = b"HTTP/1.1 200 OK\r\nserver: tiny\r\ncontent-length: 2\r\n\r\nok"


class Upstream:
    """Answers every request with ANSWER and keeps what came, whole requests with a counted body."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.arrived = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                body = await reader.readexactly(length)
                self.requests.append(head + body)
                self.arrived.set()
                writer.write(ANSWER)
                await writer.drain()

    async def request(self) -> bytes:
        """The next request that comes."""
        while not self.requests:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 10)
        return self.requests.pop(0)


class Proxy:
    def __init__(self, addon: MirrorAddon, context: Any, v1: Upstream, v2: Upstream, address: tuple[str, int]) -> None:
        self.addon, self.context, self.v1, self.v2 = addon, context, v1, v2
        self.address = address
        self.flows: list[http.HTTPFlow] = []
        """All that came."""
        context.master.addons.add(self)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)

    async def ask(self, request: bytes) -> bytes:
        """The answer to one request, connection closed after it."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        length = next(
            int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        body = b"" if request.startswith(b"HEAD") else await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()
        return head + body

    @property
    def counters(self) -> dict[str, int]:
        assert self.addon.session.writer
        return dict(self.addon.session.writer.counters.items())

    async def settled(self, name: str, number: int) -> None:
        async with asyncio.timeout(30):
            while self.counters.get(name) != number:
                await asyncio.sleep(0.01)


Start = Callable[..., Awaitable[Proxy]]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    monkeypatch.chdir(tmp_path)
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "shop.yaml").write_text(RULES)
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, view: bool = False, tls: ssl.SSLContext | None = None, **options: Any) -> Proxy:
            upstreams = []
            for _ in range(2):
                upstream = Upstream()
                server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
                upstream.port = server.sockets[0].getsockname()[1]
                stack.callback(server.close)
                upstreams.append(upstream)
            v1, v2 = upstreams
            endpoints = [f"b/v1=127.0.0.1:{v1.port}", f"b/v2=127.0.0.1:{v2.port}"]
            server, addon = Proxyserver(), MirrorAddon()
            context = stack.enter_context(taddons.context(loadcore=True))
            context.master.addons.add(server, addon, NextLayer(), TlsConfig(), Save(), *([View()] if view else []))
            context.options.update(confdir=str(tmp_path), mirror_endpoints=endpoints, mirror_drain="5s", **options)
            context.configure(server, listen_host="127.0.0.1", listen_port=0, mode=["reverse:http://127.0.0.1:9"])
            assert await server.setup_servers()
            server.running()
            addon.running()

            async def stop() -> None:
                context.configure(server, server=False)
                if (drained := addon.done()) is not None:
                    await drained

            stack.push_async_callback(stop)
            return Proxy(addon, context, v1, v2, server.listen_addrs()[0][:2])

        yield start


async def test_routed_rewritten_and_mirrored(start: Start) -> None:
    proxy = await start()
    answer = await proxy.ask(b"POST /b/x?y HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc")
    own = proxy.addon.session.local_address
    assert (
        await proxy.v1.request()
        == b"POST /x?y HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\nx-forwarded-for: " + own + b"\r\n\r\nabc"
    )
    assert (
        await proxy.v2.request()
        == b"POST /x?y HTTP/1.1\r\nHost: shop.test-shadow\r\nContent-Length: 3\r\nx-forwarded-for: "
        + own
        + b","
        + own
        + b"\r\n\r\nabc"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"ok"
    assert b"x-by: v1" in head and b"server" not in head
    await proxy.settled("sent", 1)
    counters = proxy.counters
    assert (counters["requests"], counters["offered"], counters["b/v2.sent"]) == (1, 1, 1)


async def test_options_hold_for_the_next_request(start: Start) -> None:
    proxy = await start()
    get = b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\n\r\n"
    proxy.context.options.update(mirror_host_suffix="", mirror_use_remote_address=False, mirror_request_id=True)
    await proxy.ask(get)
    first, shadow = await proxy.v1.request(), await proxy.v2.request()
    assert b"Host: shop.test\r\n" in shadow
    assert b"x-forwarded-for" not in first.lower()
    assert (
        [line for line in first.split(b"\r\n") if b"x-request-id" in line]
        == [line for line in shadow.split(b"\r\n") if b"x-request-id" in line]
        != []
    )
    proxy.context.options.update(mirror_enabled=False)
    await proxy.ask(get)
    assert proxy.counters["skipped.paused"] == 1
    proxy.context.options.update(mirror_enabled=True, mirror_methods="POST")
    await proxy.ask(get)
    assert proxy.counters["skipped.method"] == 1
    assert not proxy.v2.requests


async def test_the_fields_of_the_mesh_and_of_one_hop(start: Start) -> None:
    proxy = await start()
    proxy.context.options.update(mirror_proxy_headers="istio", mirror_strip_hop_by_hop=True)
    await proxy.ask(
        b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive, x-own\r\nKeep-Alive: 5\r\nX-Own: 1\r\n\r\n"
    )
    first, shadow = (await proxy.v1.request()).lower(), (await proxy.v2.request()).lower()
    for field in (b"x-forwarded-proto: http\r\n", b"x-request-id: ", b"x-envoy-attempt-count: 1\r\n"):
        assert field in first and field in shadow
    assert b"x-envoy-external-address: 127.0.0.1\r\n" in first
    assert b"x-envoy-internal: true\r\n" in shadow and b"x-envoy-internal" not in first
    assert b"x-own" not in first and b"keep-alive" not in first


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"mirror_timeout": "soon"}, "mirror_timeout=soon: "),
        ({"mirror_rules": ["nowhere"]}, "nowhere"),
    ],
)
async def test_a_bad_value_while_running_is_refused_and_rolled_back(
    start: Start, option: dict[str, Any], message: str
) -> None:
    proxy = await start()
    with pytest.raises(exceptions.OptionsError, match=message):
        proxy.context.options.update(**option)
    await proxy.ask(b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert (await proxy.v1.request()).startswith(b"GET / ")


async def test_engine_options_replace_the_engine_without_losing_the_books(start: Start) -> None:
    proxy = await start()
    get = b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\n\r\n"
    await proxy.ask(get)
    proxy.context.options.update(mirror_concurrency="2")
    await proxy.ask(get)
    await proxy.settled("sent", 2)
    assert proxy.counters["offered"] == 2


@pytest.mark.parametrize(
    ("request_line", "status", "body", "skipped"),
    [
        (b"GET /gone", b"503", b"v9", {"skipped.local_reply": 1}),
        (b"GET /teapot", b"418", b"short and stout", {}),
        (b"HEAD /teapot", b"418", b"", {}),
        (b"GET /none", b"404", b"", {}),
    ],
)
async def test_local_replies(
    start: Start, request_line: bytes, status: bytes, body: bytes, skipped: dict[str, int]
) -> None:
    proxy = await start()
    answer = await proxy.ask(request_line + b" HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert answer.split(b" ")[1] == status
    assert body in answer.partition(b"\r\n\r\n")[2]
    assert not proxy.v1.requests and not proxy.v2.requests
    assert {name: number for name, number in proxy.counters.items() if name.startswith("skipped.")} == skipped
    assert proxy.counters["offered"] == 0


async def test_a_unix_socket_is_told_and_not_tried(start: Start, tmp_path: Path) -> None:
    rules = RULES.replace("endpoints: []", "endpoints: [{address: 'unix:///run/b.sock', labels: {version: v9}}]")
    (tmp_path / "rules" / "shop.yaml").write_text(rules)
    proxy = await start()
    answer = await proxy.ask(b"GET /gone HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"unix:///run/b.sock" in answer and b"mirror_endpoints=b.default.svc.cluster.local/v9=" in answer
    assert proxy.counters["skipped.local_reply"] == 1


async def test_fault_delay_holds_the_request(start: Start) -> None:
    proxy = await start()
    loop = asyncio.get_running_loop()
    before = loop.time()
    await proxy.ask(b"GET /held HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert loop.time() - before >= 0.2


async def test_upgrades_are_not_mirrored(start: Start) -> None:
    proxy = await start()
    await proxy.ask(
        b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert (await proxy.v1.request()).startswith(b"GET / ")
    assert proxy.counters["skipped.upgrade"] == 1


async def test_an_offer_of_h2c_is_taken_out_and_mirrored(start: Start) -> None:
    """As `curl --http2` sends it: mitmproxy declines, and it is a request like any other."""
    proxy = await start()
    proxy.context.master.addons.add(DisableH2C())
    await proxy.ask(
        b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
    )
    for received in (await proxy.v1.request(), await proxy.v2.request()):
        assert received.startswith(b"GET / ") and b"pgrade" not in received and b"HTTP2" not in received


async def test_streamed_body_is_teed(start: Start) -> None:
    proxy = await start(stream_large_bodies="1k")
    body = bytes(range(256)) * 1024
    head = b"PUT /b/ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n" % len(body)
    await proxy.ask(head + body)
    assert (await proxy.v1.request()).partition(b"\r\n\r\n")[2] == body
    assert (await proxy.v2.request()).partition(b"\r\n\r\n")[2] == body
    await proxy.settled("sent", 1)


async def test_aborted_upload_is_not_mirrored(start: Start) -> None:
    proxy = await start()
    _, writer = await asyncio.open_connection(*proxy.address)
    writer.write(b"POST /b/ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\nabc")
    await writer.drain()
    await proxy.settled("requests", 1)
    writer.close()
    await proxy.settled("skipped.aborted", 1)
    assert not proxy.v2.requests


async def test_commands(start: Start) -> None:
    proxy = await start()
    call = proxy.context.master.commands.call
    assert "state: mirroring" in call("mirror.status")
    assert "shop" in call("mirror.rules")
    call("mirror.pause")
    assert "state: paused" in call("mirror.status")
    await proxy.ask(b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert "skipped.paused 1" in call("mirror.status")
    call("mirror.resume")
    assert "state: mirroring" in call("mirror.status")
    with pytest.raises(exceptions.CommandError):
        call("mirror.explain", [])
    flow = proxy.flows[0]
    assert "route" in call("mirror.explain", [flow])


async def test_reload_command(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    proxy = await start()
    caplog.set_level(logging.INFO)
    (tmp_path / "rules" / "shop.yaml").write_text(RULES.replace("status: 418", "status: 420"))
    proxy.context.master.commands.call("mirror.reload")
    async with asyncio.timeout(30):
        while "reloaded" not in caplog.text:
            await asyncio.sleep(0.01)
    answer = await proxy.ask(b"GET /teapot HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 420 ")


async def test_shadows_stand_beside_their_primaries_in_a_view(start: Start) -> None:
    proxy = await start(view=True)
    await proxy.ask(b"POST /b/x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc")
    view = proxy.context.master.addons.get("view")
    view.requestheaders(proxy.flows[0])
    async with asyncio.timeout(30):
        while not (shadows := [flow for flow in view if flow.marked == ":ghost:"]):
            await asyncio.sleep(0.01)
    (shadow,) = shadows
    (primary,) = (flow for flow in view if flow is not shadow)
    assert shadow.metadata["mirror_of"] == primary.id
    assert primary.metadata["mirror_shadows"] == [shadow.id]
    assert (shadow.request.host_header, shadow.request.path, shadow.request.content) == (
        "shop.test-shadow",
        "/x",
        b"abc",
    )
    assert (shadow.response.status_code, shadow.response.content) == (200, b"ok")
    assert shadow.is_replay == "request"
    assert shadow.server_conn.address == ("127.0.0.1", proxy.v2.port)
    assert shadow.comment.startswith(f"shadow of {primary.id[:4]} -> b/v2 · 200 vs 200 · ")
    assert primary.comment == "mirrored to b/v2"
    assert proxy.counters["requests"] == 1
    assert "was not routed" in proxy.context.master.commands.call("mirror.explain", [shadow])


async def test_failed_shadows_are_shown_with_their_reason(start: Start) -> None:
    proxy = await start(view=True)
    proxy.context.options.update(mirror_endpoints=[f"b/v1=127.0.0.1:{proxy.v1.port}", "b/v2=127.0.0.1:1"])
    await proxy.ask(b"GET /b/x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    view = proxy.context.master.addons.get("view")
    async with asyncio.timeout(30):
        while not (shadows := [flow for flow in view if flow.marked == ":ghost:"]):
            await asyncio.sleep(0.01)
    assert shadows[0].error.msg.startswith("connect: ")
    assert "200 vs failed" in shadows[0].comment


async def test_shadows_are_saved_with_their_pairing(start: Start, tmp_path: Path) -> None:
    saved = tmp_path / "flows.mitm"
    proxy = await start(save_stream_file=str(saved))
    await proxy.ask(b"GET /b/x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    await proxy.settled("sent", 1)
    proxy.context.options.update(save_stream_file=None)
    with saved.open("rb") as file:
        flows = list(FlowReader(file).stream())
    (shadow,) = (flow for flow in flows if flow.marked == ":ghost:")
    (primary,) = (flow for flow in flows if flow.marked == "")
    assert shadow.metadata["mirror_of"] == primary.id


async def test_nothing_is_built_where_nothing_wants_it(start: Start) -> None:
    proxy = await start()
    await proxy.ask(b"GET /b/x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    await proxy.settled("sent", 1)
    assert proxy.addon.session.writer and not proxy.addon.session.writer.shows_flows
    assert all(not flow.metadata and not flow.comment for flow in proxy.flows)


TLS_RULES = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: b-tls}}
spec:
  host: b
  trafficPolicy:
    tls: {{mode: {mode}, sni: b.test, caCertificates: {ca}, clientCertificate: {certificate}, privateKey: {key}}}
"""


@pytest.mark.parametrize(
    ("names", "mutual", "status"),
    [(("b.test",), False, b"200"), (("b.test",), True, b"200"), (("other.test",), False, b"502")],
)
async def test_tls_to_the_destination(
    start: Start, tmp_path: Path, authority: Any, names: tuple[str, ...], mutual: bool, status: bytes
) -> None:
    certificate, key = authority.issue("client.test")
    rules = TLS_RULES.format(
        mode="MUTUAL" if mutual else "SIMPLE",
        ca=authority.path,
        certificate=certificate if mutual else '""',
        key=key if mutual else '""',
    )
    (tmp_path / "rules" / "tls.yaml").write_text(rules)
    tls = authority.server(*names)
    if mutual:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(authority.path)
    proxy = await start(tls=tls)
    answer = await proxy.ask(b"GET /b/x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert answer.split(b" ")[1] == status
    if status == b"200":
        assert (await proxy.v1.request()).startswith(b"GET /x ")
        assert b"Host: shop.test-shadow" in await proxy.v2.request()
    else:
        await proxy.settled("failed", 1)


async def test_a_changed_option_is_read_alone_and_touches_only_what_depends_on_it(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the record nor compare.yaml is looked at: both cannot be used any more."""
    folder = tmp_path / "records"
    folder.mkdir()
    compare = tmp_path / "mine.yaml"
    compare.write_text("")
    proxy = await start(mirror_record=str(folder / "pairs.jsonl"), mirror_compare=str(compare))
    writer = proxy.addon.session.writer
    assert writer
    (folder / "pairs.jsonl").unlink(missing_ok=True)
    folder.rmdir()
    compare.write_text("[")
    parsed: list[str] = []
    real = settings_module.parse_option
    monkeypatch.setattr(
        settings_module, "parse_option", lambda name, value: (parsed.append(name), real(name, value))[1]
    )
    table, dispatcher = proxy.addon.session.rules.table, writer.dispatcher
    proxy.context.configure(proxy.addon, mirror_enabled=False)
    assert parsed == ["mirror_enabled"]
    assert not writer.gate.settings.enabled
    assert (proxy.addon.session.rules.table, writer.dispatcher) == (table, dispatcher)
    proxy.context.configure(proxy.addon, mirror_timeout="3s")
    assert writer._maker._timeout == 3
    with pytest.raises(exceptions.OptionsError, match="mirror_record="):
        proxy.context.configure(proxy.addon, mirror_record=str(folder / "pairs.jsonl"), mirror_enabled=True)
    assert not writer.settings.enabled, "nothing is half applied"


async def test_options_of_the_engine_make_another_dispatcher(start: Start) -> None:
    proxy = await start()
    writer = proxy.addon.session.writer
    assert writer
    before = writer.dispatcher
    proxy.context.configure(proxy.addon, mirror_workers="2")
    assert writer.dispatcher is not before
    assert len(writer.dispatcher.status()["workers"]) == 2
    assert writer.dispatcher.book is before.book
