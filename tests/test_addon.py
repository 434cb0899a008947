"""The addon in a real proxy inside this process, with real sockets on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import random
import re
import ssl
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
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
from mirror_addon.routing.table import RouteTable

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
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confdir: Path) -> AsyncIterator[Start]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gc, "unfreeze", lambda: None)  # or each addon would let the collector see all that tests import
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "shop.yaml").write_text(RULES)
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            *,
            view: bool = False,
            tls: ssl.SSLContext | None = None,
            before: Sequence[object] = (),
            after: Sequence[object] = (),
            **options: Any,
        ) -> Proxy:
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
            context.master.addons.add(server, *before, addon, *after)
            context.master.addons.add(NextLayer(), TlsConfig(), Save(), *([View()] if view else []))
            context.options.update(confdir=str(confdir), mirror_endpoints=endpoints, mirror_drain="5s", **options)
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
    answer = await proxy.ask(
        b"GET /b/ HTTP/1.1\r\nHost: shop.test\r\nConnection: keep-alive, x-own\r\nKeep-Alive: 5\r\nX-Own: 1\r\n\r\n"
    )
    first, shadow = (await proxy.v1.request()).lower(), (await proxy.v2.request()).lower()
    for field in (b"x-forwarded-proto: http\r\n", b"x-request-id: ", b"x-envoy-attempt-count: 1\r\n"):
        assert field in first and field in shadow
    assert b"x-envoy-external-address: 127.0.0.1\r\n" in first
    assert b"x-envoy-internal: true\r\n" in shadow and b"x-envoy-internal" not in first
    assert b"x-own" not in first and b"keep-alive" not in first
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert re.search(rb"\r\nx-envoy-upstream-service-time: \d+(\r\n|$)", head)
    assert b"x-envoy" not in await proxy.ask(b"GET /teapot HTTP/1.1\r\nHost: shop.test\r\n\r\n")


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
        while not (shadows := [flow for flow in view if flow.marked.startswith(":ghost:")]):
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
        while not (shadows := [flow for flow in view if flow.marked.startswith(":ghost:")]):
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
    (shadow,) = (flow for flow in flows if flow.marked.startswith(":ghost:"))
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
    assert writer.sender.maker._timeout == 3
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


# Other addons, before and behind this one

ORDERS = ("before", "after")
POST = b"POST /b/x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 8\r\n\r\nk=secret"
CHANGED_BY_DESIGN = (b"host:", b"x-forwarded-for:")


def as_sent(received: bytes) -> tuple[bytes, list[bytes], bytes]:
    """A received request without the two fields in which a shadow differs."""
    head, _, body = received.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    return line, [field for field in fields if not field.lower().startswith(CHANGED_BY_DESIGN)], body


async def both(proxy: Proxy) -> bytes:
    """What v1 received; v2 received the same."""
    primary, shadow = await proxy.v1.request(), await proxy.v2.request()
    assert as_sent(primary) == as_sent(shadow)
    return primary


def addon(**hooks: Any) -> object:
    return type("Other", (), {name: staticmethod(hook) for name, hook in hooks.items()})()


def mask(flow: http.HTTPFlow) -> None:
    flow.request.headers["Authorization"] = "Bearer test"
    flow.request.text = (flow.request.text or "").replace("secret", "masked-longer")
    flow.request.query["added"] = "1"
    flow.request.method = "PUT"


async def mask_later(flow: http.HTTPFlow) -> None:
    await asyncio.sleep(0.01)
    mask(flow)


def add_header(flow: http.HTTPFlow) -> None:
    flow.request.headers["Authorization"] = "Bearer test"


def map_remote(flow: http.HTTPFlow) -> None:
    flow.request.path = "/mapped"
    flow.request.host_header = "mapped.test:81"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("hooks", "line", "parts"),
    [
        ({"request": mask}, b"PUT /x?added=1 ", (b"Bearer test", b"k=masked-longer")),
        ({"request": mask_later}, b"PUT /x?added=1 ", (b"Bearer test", b"k=masked-longer")),
        ({"requestheaders": add_header}, b"POST /x ", (b"Bearer test", b"k=secret")),
        ({"request": map_remote}, b"POST /mapped ", (b"Host: mapped.test:81\r\n", b"k=secret")),
    ],
)
async def test_shadows_have_what_other_addons_changed(
    start: Start, order: str, hooks: dict[str, Any], line: bytes, parts: Sequence[bytes]
) -> None:
    proxy = await start(**{order: [addon(**hooks)]})
    await proxy.ask(POST)
    primary = await both(proxy)
    assert primary.startswith(line)
    assert all(part in primary for part in parts)


async def test_the_shadows_host_is_that_of_the_primary_as_it_leaves(start: Start) -> None:
    proxy = await start(after=[addon(request=map_remote)])
    await proxy.ask(POST)
    assert b"\r\nHost: mapped.test-shadow:81\r\n" in await proxy.v2.request()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("event", ["requestheaders", "request"])
@pytest.mark.parametrize(("end", "reason"), [("respond", "local_reply"), ("kill", "aborted")])
async def test_what_is_not_sent_has_no_shadow(start: Start, order: str, event: str, end: str, reason: str) -> None:
    def act(flow: http.HTTPFlow) -> None:
        if end == "kill":
            flow.kill()
        else:
            flow.response = http.Response.make(403, b"no")

    proxy = await start(**{order: [addon(**{event: act})]})
    reader, writer = await asyncio.open_connection(*proxy.address)
    with contextlib.closing(writer):
        writer.write(POST)
        answer = await asyncio.wait_for(reader.read(12), 30)
    await writer.wait_closed()
    assert answer == (b"" if end == "kill" else b"HTTP/1.1 403")
    await proxy.settled(f"skipped.{reason}", 1)
    counters = proxy.counters
    assert (counters["requests"], counters["offered"], counters["skipped"]) == (1, 0, 1)
    assert not proxy.v1.requests and not proxy.v2.requests


@pytest.mark.parametrize("end", ["resume", "kill", "client"])
async def test_an_intercepted_request_is_mirrored_when_it_is_resumed(start: Start, end: str) -> None:
    waiting: list[http.HTTPFlow] = []

    def intercept(flow: http.HTTPFlow) -> None:
        flow.intercept()
        waiting.append(flow)

    proxy = await start(after=[addon(request=intercept)])
    _, writer = await asyncio.open_connection(*proxy.address)
    writer.write(POST)
    async with asyncio.timeout(30):
        while not waiting:
            await asyncio.sleep(0.01)
    (flow,) = waiting
    assert proxy.counters["offered"] == proxy.counters["skipped"] == 0
    mask(flow)
    if end == "client":
        writer.close()
        async with asyncio.timeout(30):
            while flow.client_conn.connected:
                await asyncio.sleep(0.01)
    if end == "kill":
        flow._resume_event.set()  # type: ignore[union-attr]
        flow.kill()
    else:
        flow.resume()
    if end == "resume":
        assert b"k=masked-longer" in await both(proxy)
    else:
        await proxy.settled("skipped.aborted", 1)
        assert proxy.counters["offered"] == 0
        assert not proxy.v1.requests and not proxy.v2.requests
    writer.close()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("stream", ["flag", "function", "generator", "late"])
async def test_streamed_bodies_are_as_other_addons_leave_them(start: Start, order: str, stream: str) -> None:
    def change(chunk: bytes) -> Any:
        changed = chunk.replace(b"s", b"z")
        return changed if stream == "function" else (part for part in (changed[:3], changed[3:]))

    def headers(flow: http.HTTPFlow) -> None:
        add_header(flow)
        if stream != "late":
            flow.request.stream = True if stream == "flag" else change

    options = {"stream_large_bodies": "1k"} if stream == "late" else {}
    proxy = await start(**{order: [addon(requestheaders=headers)]}, **options)
    size = 3000 if stream == "late" else 8
    body = (b"k=secret" * 400)[:size]
    await proxy.ask(b"POST /b/x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n" % size + body)
    primary = await both(proxy)
    assert b"\r\nAuthorization: Bearer test\r\n" in primary
    assert primary.endswith(body if stream in ("flag", "late") else b"k=zecret")
    await proxy.settled("sent", 1)


@pytest.mark.parametrize("size", [0, 5, 5000])
async def test_chunked_bodies_that_mitmproxy_begins_to_stream_half_way(start: Start, size: int) -> None:
    """It decides so when the body is longer than `stream_large_bodies`, after all hooks of the head."""
    proxy = await start(stream_large_bodies="1k")
    received: list[bytes] = []
    seen = asyncio.Event()

    async def chunked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            body = b""
            while length := int(await reader.readline(), 16):
                body += (await reader.readexactly(length + 2))[:-2]
            received.append(body)
            seen.set()
            writer.write(ANSWER)

    servers = [await asyncio.start_server(chunked, "127.0.0.1", 0) for _ in range(2)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    proxy.context.options.update(mirror_endpoints=[f"b/v{n}=127.0.0.1:{port}" for n, port in enumerate(ports, 1)])
    body = bytes(range(1, 251)) * 20
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:size][:700], body[:size][700:]) if part)
    await proxy.ask(
        b"POST /b/x HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    )
    await proxy.settled("sent", 1)
    assert received == [body[:size]] * 2
    for server in servers:
        server.close()


class Rewriter:
    """Changes each request at random, but in the same way for the same name."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.random = random.Random(f"{name}{seed}")

    def _change(self, flow: http.HTTPFlow, number: int) -> None:
        request = flow.request
        match number:
            case 0:
                request.headers[f"X-{self.name}"] = str(self.random.random())
            case 1:
                request.headers.add("x-many", self.name)
            case 2:
                request.query[self.name] = "1"
            case 3:
                request.headers.pop("user-agent", None)
            case 4 if request.raw_content is not None:  # before the decision, another rule would be met
                request.host_header = f"{self.name}.test:8080"
            case 5:
                request.headers.insert(0, "First", self.name)
            case 6 if request.raw_content is not None:
                request.content = (request.content or b"") + self.name.encode()
            case 7 if request.raw_content is not None:
                request.method = "PATCH"

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._change(flow, self.random.randrange(12))

    def request(self, flow: http.HTTPFlow) -> None:
        for _ in range(2):
            self._change(flow, self.random.randrange(12))


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_order_of_addons_both_get_the_same_bytes(start: Start, seed: int) -> None:
    proxy = await start(before=[Rewriter("one", seed)], after=[Rewriter("two", seed), Rewriter("three", seed)])
    for number in range(25):
        body = bytes([97 + number]) * number
        head = b"POST /b/%d HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: u\r\nContent-Length: %d\r\n\r\n"
        await proxy.ask(head % (number, len(body)) + body)
        await both(proxy)
    await proxy.settled("sent", 25)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("how", ["responseheaders", "response", "replaced"])
async def test_responses_are_compared_as_the_primary_sent_them(
    start: Start, order: str, how: str, tmp_path: Path
) -> None:
    def change(flow: http.HTTPFlow) -> None:
        assert flow.response
        if how == "replaced":
            flow.response = http.Response.make(201, b"of a script")
            return
        flow.response.headers["x-by-script"] = "1"
        if how == "response":
            flow.response.status_code, flow.response.text = 201, "of a script"

    event = "response" if how == "replaced" else how
    record = tmp_path / "record.jsonl"
    proxy = await start(**{order: [addon(**{event: change})]}, mirror_record=str(record))
    await proxy.ask(POST)
    await proxy.settled("sent", 1)
    async with asyncio.timeout(30):
        while not record.exists() or not record.read_text().endswith("\n"):
            await asyncio.sleep(0.01)
    (line,) = map(json.loads, record.read_text().splitlines())
    assert (line["primary"]["status"], line["shadow"]["status"], line["verdict"]) == (200, 200, "same"), line


# Faults


async def test_a_fault_of_this_program_leaves_requests_on_their_way(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As routed where it comes after the decision; one before that is passed to where it would have gone."""
    proxy = await start()
    proxy.context.options.update(mirror_endpoints=[f"b/v1=127.0.0.1:{proxy.v1.port}", "b/v2=127.0.0.1:1"])

    def fail(*_: object, **__: object) -> None:
        raise LookupError("a fault")

    writer = proxy.addon.session.writer
    assert writer
    for owner, name in ((writer.sender, "admit"), (writer.gate, "due"), (writer, "leaves")):
        with monkeypatch.context() as broken:
            broken.setattr(owner, name, fail)
            for _ in range(2):
                assert (await proxy.ask(POST)).startswith(b"HTTP/1.1 200 ")
                assert (await proxy.v1.request()).startswith(b"POST /x ")
    assert "Addon error" not in caplog.text and "crashed" not in caplog.text
    assert caplog.text.count("fault in") == 1, "all the same to the log: one line of one function"
    counters = proxy.counters
    assert counters["requests"] == counters["offered"] + counters["skipped"] == 6
    with monkeypatch.context() as broken:
        broken.setattr(RouteTable, "route", fail)
        assert (await proxy.ask(POST)).startswith(b"HTTP/1.1 502 "), "the reverse proxy's own destination is port 9"
    assert proxy.counters["skipped.internal_error"] == 6 + 1


@pytest.mark.parametrize("port", [b"9" * 5000, b"0" * 5000 + b"80", b"99999", b"-1", b"+80", b"8_0", b""])
async def test_a_host_with_an_odd_port_is_routed(start: Start, port: bytes) -> None:
    proxy = await start()
    await proxy.ask(b"GET /b/x HTTP/1.1\r\nHost: shop.test:" + port + b"\r\n\r\n")
    assert b"Host: shop.test:" + port + b"\r\n" in await proxy.v1.request()
