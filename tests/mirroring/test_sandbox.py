from __future__ import annotations

import asyncio
from typing import Any

import pytest
from enginetools import until
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from sandboxtools import FRONT
from sandboxtools import ID
from sandboxtools import PORT
from sandboxtools import Writer
from sandboxtools import call_flow
from sandboxtools import exchange_of
from sandboxtools import mirror
from sandboxtools import respond

from mirror_addon.flows.exchange import Exchanges
from mirror_addon.mirroring import sandbox as module
from mirror_addon.mirroring.sandbox import Hooks
from mirror_addon.mirroring.sandbox import Sandbox

MIRRORED = "mirrored"


class World:
    """The sandbox around hooks that route a request, and mirror those to `/orders`."""

    def __init__(self, **options: Any) -> None:
        self.writer: Any = Writer(**options)
        self.exchanges = Exchanges()
        self.seen: list[tuple[str, http.HTTPFlow]] = []
        hooks = {name: self.hook(name) for name in ("request", "response", "error", "pass_on")}
        self.sandbox = Sandbox(self.writer, self.exchanges, Hooks(requestheaders=self.route, **hooks))

    def hook(self, name: str) -> Any:
        return lambda flow: self.seen.append((name, flow))

    def route(self, flow: http.HTTPFlow) -> str:
        mirrors = (mirror(),) if flow.request.path == "/orders" or MIRRORED in flow.request.headers else ()
        self.exchanges[flow] = exchange_of(flow, *mirrors)
        return "the addon's"

    def begin(self, flow: http.HTTPFlow) -> http.HTTPFlow:
        assert self.sandbox.requestheaders(flow) == "the addon's"
        assert self.sandbox.request(flow) is None
        return flow

    def end(self, flow: http.HTTPFlow) -> http.HTTPFlow:
        self.sandbox.response(respond(flow))
        return flow

    def order(self, id: str = ID, **more: Any) -> http.HTTPFlow:
        return self.begin(call_flow(path="/orders", port=FRONT, id=id, **more))

    async def mirror(self, flow: http.HTTPFlow) -> int:
        assert self.sandbox.requestheaders(flow) is None
        answer = self.sandbox.request(flow)
        assert answer is not None
        await answer
        return flow.response.status_code if flow.response else 0

    @property
    def counts(self) -> dict[str, int]:
        return {name: number for name, number in self.writer.counters.sandbox.items() if number}


@pytest.fixture
async def world() -> Any:
    made = World(request_id=True)
    yield made
    made.sandbox.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.01)


async def test_the_whole_way(world: World) -> None:
    order = world.order()
    charge = world.begin(call_flow(port=FRONT))
    world.end(charge)
    assert [name for name, flow in world.seen if flow is charge] == ["request", "response"]
    assert await world.mirror(call_flow()) == 201
    world.end(order)
    assert await world.mirror(call_flow()) == 599
    assert await world.mirror(call_flow("GET", "/else")) == 0
    assert world.counts == {"answered": 1, "blocked": 1, "passed": 1}
    assert [name for name, _ in world.seen].count("pass_on") == 1
    assert [each[1] for each in world.writer.skipped] == []


async def test_the_primarys_calls_are_not_mirrored_by_mirror_to(world: World) -> None:
    world.order()
    charge = world.begin(call_flow(port=FRONT, fields={MIRRORED: "yes"}))
    assert [(each[0], each[1]) for each in world.writer.skipped] == [(world.exchanges[charge], "call")]


async def test_a_request_with_the_id_of_one_that_was_answered_is_another_one(world: World) -> None:
    first = world.end(world.order())
    second = world.order()
    assert world.writer.skipped == []
    roots = [world.sandbox.pairs.root_of(flow) for flow in (first, second)]
    assert roots[0] and roots[1] and roots[0].entry is not roots[1].entry


async def test_requests_without_an_id_get_one_where_that_is_asked_for(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    order = world.order(id="")
    assert len(order.request.headers["x-request-id"]) == 36 and not caplog.records
    other = World()
    order = other.order(id="")
    assert "x-request-id" not in order.request.headers and "Set mirror_request_id=true" in caplog.text
    assert len(other.sandbox.book) == 0


async def test_what_is_lost_is_counted(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.order()
    streamed = call_flow(port=FRONT)
    streamed.request.stream = True
    world.begin(streamed)
    respond(streamed)
    assert streamed.response
    streamed.response.data.content = None
    world.sandbox.response(streamed)
    gone = world.begin(call_flow(port=FRONT))
    gone.error = mitm_flow.Error("Client disconnected.")
    world.sandbox.error(gone)
    assert world.counts == {"not_kept.streamed": 1, "not_kept.unanswered": 1}
    assert "not kept for the mirror: it was streamed" in caplog.text
    assert ("error", gone) in world.seen


async def test_a_failed_call_is_remembered_as_the_502_that_it_was(world: World) -> None:
    world.order()
    failed = world.begin(call_flow(port=FRONT))
    failed.error = mitm_flow.Error("Connection refused")
    world.sandbox.error(failed)
    assert await world.mirror(call_flow()) == 502


async def test_the_sweep_forgets_and_ends_what_mitmproxy_gave_up(world: World) -> None:
    order = world.order()
    order.live = False
    root = world.sandbox.pairs.root_of(order)
    assert root is not None
    await until(lambda: root.entry.answered is not None)
    world.begin(call_flow(port=FRONT))
    world.sandbox.book.sweep(10_000_000.0)
    await until(lambda: world.sandbox.pairs.root_of(order) is None and world.sandbox._timer is None)
    assert world.sandbox._primary_flows == {}


async def test_a_fault_lets_other_requests_pass(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(*_: Any) -> None:
        raise ValueError("x")

    monkeypatch.setattr(world.sandbox.book, "find", fault)
    flow = world.order()
    monkeypatch.setattr(world.sandbox.pairs, "root_of", fault)
    world.end(flow)
    flow.error = mitm_flow.Error("x")
    world.sandbox.error(flow)
    assert [name for name, _ in world.seen] == ["request", "response", "error"]
    assert caplog.text.count("fault in the sandbox") == 3


async def test_a_client_that_goes_before_its_call_is_whole(world: World) -> None:
    flow = call_flow()
    world.sandbox.requestheaders(flow)
    flow.error = mitm_flow.Error("Client disconnected.")
    world.sandbox.error(flow)
    assert world.sandbox.request(flow) is None


async def test_what_is_no_call_of_a_mirror(world: World) -> None:
    connect = call_flow()
    connect.request.method = "CONNECT"
    world.begin(connect)
    loaded = call_flow()
    loaded.live = False
    world.begin(loaded)
    nowhere = call_flow()
    nowhere.client_conn.sockname = None
    world.begin(nowhere)
    world.writer.settings = Writer(sandbox=["8091"]).settings
    world.sandbox.apply()
    world.begin(call_flow(port=PORT))
    assert await world.mirror(call_flow(port=8091, id="")) == 599


async def test_shadows_are_told_and_calls_are_sent(world: World) -> None:
    order = world.order()
    world.sandbox.admitted(order, [])
    sent: Any = object()
    world.sandbox._send(sent, b"[]")
    assert world.writer.sent == [(sent, b"[]")]
    await asyncio.sleep(0)
