"""What scripts do to shadows, through the writer with its real engine; the rest is tested with the writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import Any

import pytest
from enginetools import until
from mitmproxy import http
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring.shadow_writer import ShadowWriter
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

TABLE = RouteTable.build((), Identity())
Start = Callable[..., ShadowWriter]


class Script:
    name = "script"

    def __init__(self, does: Any) -> None:
        self.mirror_shadow = does


def mirror(port: int, label: str) -> Mirror:
    endpoint = Endpoint("127.0.0.1", port)
    return Mirror(Cluster("b", label, 80, (endpoint,), label=label), endpoint, 100, True, None)


def exchange(*mirrors: Mirror) -> Exchange:
    request = Request(b"POST", b"http", b"b.test", b"/x", (), 80)
    return Exchange(TABLE, request, 7, Decision(Action.PASSTHROUGH, request=request, mirrors=mirrors))


def a_flow(*, streamed: bool = False) -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.live = True
    flow.request.headers.clear()
    if streamed:
        flow.request.timestamp_end = None
        flow.request.stream = True
        flow.request.data.content = None
        flow.request.headers["transfer-encoding"] = "chunked"
    else:
        flow.request.content = b"secret"
    return flow


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[ShadowWriter] = []
    with taddons.context() as context:

        def start(does: Any, **options: Any) -> ShadowWriter:
            context.master.addons.add(Script(does))
            values = {each.name: each.default for each in OPTIONS}
            values |= {f"mirror_{name}": value for name, value in options.items()}
            started.append(ShadowWriter(parse_settings(values), b"10.0.0.1"))
            return started[-1]

        yield start
        for writer in started:
            await writer.close()
            writer.book.check()


def counted(writer: ShadowWriter) -> dict[str, int]:
    writer.book.check()
    wanted = ("offered", "sent", "failed", "dropped", "pending", "skipped")
    return {name: number for name, number in writer.counters.items() if number and name.startswith(wanted)}


def masks(flow: http.HTTPFlow) -> None:
    flow.request.text = (flow.request.text or "").replace("secret", "masked")
    if flow.metadata["mirror_target"] == "v3":
        flow.kill()


async def masks_slowly(flow: http.HTTPFlow) -> None:
    await asyncio.sleep(0.01)
    masks(flow)


@pytest.mark.parametrize("does", [masks, masks_slowly])
async def test_a_script_changes_one_shadow_and_leaves_out_another(start: Start, mirrors: Any, does: Any) -> None:
    writer, flow = start(does), a_flow()
    ports = [await mirrors.answering(), await mirrors.answering()]
    one = exchange(mirror(ports[0], "v2"), mirror(ports[1], "v3"))
    writer.leaves(flow, one)
    assert one.settled
    await until(lambda: counted(writer).get("sent") == 1)
    assert [received.body for received in mirrors.received] == [b"masked"]
    assert flow.request.content == b"secret"
    assert counted(writer) == {"offered": 1, "sent": 1, "skipped": 1, "skipped.script": 1}


async def test_the_response_may_come_before_the_script_is_done(start: Start, mirrors: Any) -> None:
    gate = asyncio.Event()

    async def waits(flow: http.HTTPFlow) -> None:
        await gate.wait()

    writer, flow = start(waits), a_flow()
    writer.leaves(flow, exchange(mirror(await mirrors.answering(), "v2")))
    flow.response = http.Response.make(200, b"primary")
    flow.response.timestamp_end = 2.0
    writer.answered(flow)
    assert counted(writer) == {}
    gate.set()
    await until(lambda: counted(writer).get("sent") == 1)
    await until(lambda: not writer.book.primaries)


async def adds_slowly(flow: http.HTTPFlow) -> None:
    await asyncio.sleep(0.01)
    adds(flow)


def adds(flow: http.HTTPFlow) -> None:
    flow.request.headers["x-by"] = "script"


@pytest.mark.parametrize("does", [adds, adds_slowly])
async def test_streamed_bodies_wait_for_the_script(start: Start, mirrors: Any, does: Any) -> None:
    writer, flow = start(does), a_flow(streamed=True)
    one = exchange(mirror(await mirrors.answering(), "v2"))
    writer.leaves(flow, one)
    stream: Any = flow.request.stream
    assert [stream(chunk) for chunk in (b"one ", b"two")] == [b"one ", b"two"]
    await until(lambda: counted(writer).get("offered") == 1)
    assert stream(b" three") == b" three"
    writer.end(flow, one)
    await until(lambda: counted(writer).get("sent") == 1)
    assert mirrors.received[0].body == b"one two three"
    assert b"x-by: script" in mirrors.received[0].head


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_does_not_fit_is_dropped(start: Start, streamed: bool) -> None:
    writer, flow = start(adds_slowly, queue="100"), a_flow(streamed=streamed)
    filled = writer.dispatcher.reserve(90)
    assert filled
    one = exchange(mirror(1, "v2"))
    writer.leaves(flow, one)
    if streamed:
        flow.request.stream(bytes(200))  # type: ignore[operator]
    await until(lambda: counted(writer).get("dropped.queue_full") == 1)
    writer.dispatcher.release(90)
    assert counted(writer)["offered"] == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_that_ends_meanwhile(start: Start, streamed: bool) -> None:
    async def never(flow: http.HTTPFlow) -> None:
        await asyncio.get_running_loop().create_future()

    writer, flow = start(never, drain="0s"), a_flow(streamed=streamed)
    writer.leaves(flow, exchange(mirror(1, "v2")))
    if streamed:
        flow.request.stream(b"part")  # type: ignore[operator]
    await writer.close()
    assert counted(writer) == {"offered": 1, "dropped": 1, "dropped.shutdown": 1}


async def test_a_client_that_leaves_while_the_script_decides(start: Start) -> None:
    writer, flow = start(adds_slowly), a_flow(streamed=True)
    one = exchange(mirror(1, "v2"))
    writer.leaves(flow, one)
    flow.request.stream(b"part")  # type: ignore[operator]
    writer.abort(one)
    await until(lambda: counted(writer).get("dropped.aborted") == 1)


async def test_a_streamed_body_cannot_be_replaced(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The script does not see it, so what it would mask must not leave."""
    writer, flow = start(masks), a_flow(streamed=True)
    writer.leaves(flow, exchange(mirror(1, "v2")))
    flow.request.stream(b"secret")  # type: ignore[operator]
    await until(lambda: counted(writer).get("skipped.script_error") == 1)
    assert counted(writer) == {"skipped": 1, "skipped.script_error": 1}
    assert "is streamed and cannot be replaced" in caplog.text
