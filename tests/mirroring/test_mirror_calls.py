from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mitmproxy import http
from sandboxtools import ID
from sandboxtools import PORT
from sandboxtools import Writer
from sandboxtools import call_flow
from sandboxtools import exchange_of
from sandboxtools import respond

from mirror_addon.compare.twin_values import Translation
from mirror_addon.flows import calls as call_flows
from mirror_addon.mirroring import mirror_calls as module
from mirror_addon.mirroring.call_translation import Passing
from mirror_addon.mirroring.call_translation import Reading
from mirror_addon.mirroring.call_translation import Translated
from mirror_addon.mirroring.mirror_calls import MirrorCalls
from mirror_addon.mirroring.sandbox_advice import SandboxAdvice
from mirror_addon.sandbox.book import CallBook
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.call import PrimaryCall

IDS = (b"x-request-id:" + ID.encode(),)


async def as_it_is(flow: http.HTTPFlow, call: CallRequest, label: str) -> Translated:
    return Translated((Reading(call),))


class World:
    """A request that is under way, and the calls of both sides."""

    def __init__(self, translate: Any = as_it_is, **options: Any) -> None:
        self.writer: Any = Writer(**options)
        self.book = CallBook(lambda _: None)
        self.counted: list[str] = []
        self.passed: list[http.HTTPFlow] = []
        arguments = SandboxAdvice(), self.counted.append, self.passed.append, translate
        self.calls = MirrorCalls(self.writer, self.book, *arguments)
        self.entry = self.book.open(IDS, "root", 0.0)

    def primary(self, flow: http.HTTPFlow, *, ended: bool = True) -> PrimaryCall:
        request = call_flows.call_of(flow, call_flows.head_of_call(exchange_of(flow).request))
        call = self.book.note(self.entry, request, asyncio.get_running_loop().time())
        assert call is not None
        if ended:
            self.end(call, flow)
        return call

    def end(self, call: PrimaryCall, flow: http.HTTPFlow, lost: str = "") -> None:
        kept, why = call_flows.response_of(respond(flow), exchange_of(flow), 0.05)
        call.end(call.request, None if lost else kept, lost or why)
        self.entry.changed()

    def answered(self) -> None:
        self.book.answer(self.entry, asyncio.get_running_loop().time() - 60)

    def begin(self, flow: http.HTTPFlow) -> asyncio.Future[None]:
        self.calls.begin(flow, PORT)
        answer = self.calls.answer(flow)
        assert answer is not None
        return asyncio.ensure_future(answer)

    async def mirror(self, flow: http.HTTPFlow) -> int:
        await self.begin(flow)
        return flow.response.status_code if flow.response else 0

    @property
    def states(self) -> list[str]:
        return [call.state for call in self.entry.side(PORT).calls]


async def test_the_same_call_gets_the_same_response() -> None:
    world = World()
    world.primary(call_flow())
    flow = call_flow(body=b'{"amount":10}')
    assert await world.mirror(flow) == 201
    assert flow.response and flow.response.content == b'{"charge": 1}'
    assert (world.states, world.counted, flow.marked) == (["answered"], ["answered"], ":test_tube:")
    assert flow.comment == "call of the mirror, answered; for root"
    assert world.entry.side(PORT).waiting == 0


async def test_another_one_is_found_and_gets_it_too() -> None:
    world = World(redact="query:token")
    world.primary(call_flow())
    world.answered()
    flow = call_flow(path="/charges?token=secret", body=b'{"amount": 12}')
    assert await world.mirror(flow) == 201
    (call,) = world.entry.side(PORT).calls
    assert [(each.path, each.primary, each.shadow) for each in call.differences if not each.noise][1] == (
        "$.amount", 10, 12,
    )  # fmt: skip
    assert (call.state, flow.marked) == ("different", ":test_tube: different")
    assert "secret" not in call.url + flow.comment


@pytest.mark.parametrize(
    ("unknown", "method", "status", "state"),
    [
        ("safe", "GET", 0, "passed"),
        ("safe", "POST", 599, "blocked"),
        ("block", "GET", 599, "blocked"),
        ("pass", "DELETE", 0, "passed"),
    ],
)
async def test_a_call_that_the_primary_did_not_make(unknown: str, method: str, status: int, state: str) -> None:
    world = World(sandbox_unknown=unknown)
    world.primary(call_flow())
    world.answered()
    for path, id in (("/other", ID), ("/charges", ""), ("/charges", "another")):
        flow = call_flow(method, path, id=id)
        assert await world.mirror(flow) == status
        assert (flow in world.passed) is (status == 0)
    assert world.states == [state] and world.counted == [state] * 3
    if status:
        assert flow.response and "it belongs to no request" in (flow.response.text or "")


async def test_it_waits_for_the_primarys_call_and_for_its_response() -> None:
    world = World()
    flow = call_flow()
    waiting = world.begin(flow)
    await asyncio.sleep(0)
    assert world.entry.side(PORT).waiting == 1
    theirs = call_flow()
    call = world.primary(theirs, ended=False)
    await asyncio.sleep(0)
    assert not waiting.done()
    world.end(call, theirs)
    await waiting
    assert world.states == ["answered"] and flow.response and flow.response.status_code == 201


async def test_one_that_is_only_alike_waits_for_one_that_is_the_same() -> None:
    world = World()
    world.primary(call_flow(body=b'{"amount": 1}'))
    waiting = world.begin(call_flow(body=b'{"amount": 2}'))
    await asyncio.sleep(0)
    world.primary(call_flow(body=b'{"amount": 2}'))
    await waiting
    assert world.states == ["answered"]


async def test_waiting_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(timeout="1ms")
    assert await world.mirror(call_flow()) == 599  # no call of the primary in time
    theirs = call_flow()
    world.primary(theirs, ended=False)
    flow = call_flow()
    assert await world.mirror(flow) == 599
    assert flow.response and "the primary's call took too long" in (flow.response.text or "")
    world = World()
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    assert await world.mirror(call_flow()) == 599
    world.primary(call_flow())
    assert await world.mirror(call_flow()) == 201
    assert world.states == ["blocked", "answered"]


async def test_what_was_not_kept_is_handled_like_an_unknown_call_and_is_no_finding() -> None:
    world = World()
    theirs = call_flow()
    world.end(world.primary(theirs, ended=False), theirs, "streamed")
    flow = call_flow()
    assert await world.mirror(flow) == 599
    (call,) = world.entry.side(PORT).calls
    assert (call.state, call.note) == ("blocked", "the primary's response was not kept: it was streamed")


async def test_an_entry_that_is_forgotten_meanwhile_ends_the_wait() -> None:
    world = World()
    waiting = world.begin(flow := call_flow())
    await asyncio.sleep(0)
    world.book.sweep(10_000_000.0)
    await waiting
    assert flow.response and flow.response.status_code == 599


async def test_a_call_after_the_end_of_its_pair_is_answered_and_not_listed() -> None:
    world = World()
    world.primary(call_flow())
    world.entry.side(PORT).told = True
    flow = call_flow()
    assert await world.mirror(flow) == 201
    assert world.states == [] and world.counted == ["answered"] and "after its pair had ended" in flow.comment


async def test_what_the_mirror_sends_is_translated() -> None:
    world = World(translate)
    world.entry.side(PORT).twin = "b/v2"
    world.primary(call_flow(path="/orders/1007", body=b'{"order_id": 1007, "n": 1}'))
    flow = call_flow(path="/orders/7", body=b'{"order_id": 7, "n": 1}')
    assert await world.mirror(flow) == 201
    (call,) = world.entry.side(PORT).calls
    assert (call.state, call.url, call.primary_url) == (
        "answered", "http://pay.test/orders/7", "http://pay.test/orders/1007",
    )  # fmt: skip
    assert call.twin == (Translation("path[1]", "1007", "7", "p1"), Translation("$.order_id", "1007", "7", "p1"))
    assert world.counted == ["translated", "answered"] and "2 translated" in flow.comment


async def translate(flow: http.HTTPFlow, call: CallRequest, label: str) -> Translated:
    assert label == "b/v2"
    body = call.body and call.body.replace(b'"order_id": 7', b'"order_id": 1007')
    as_primary = call._replace(path=call.path.replace(b"/7", b"/1007"), body=body)
    twin = tuple(Translation(where, "1007", "7", "p1") for where in ("path[1]", "$.order_id"))
    fields = ((b"Host", b"pay.test"), (b"Authorization", b"Bearer of-v1"))
    return Translated((Reading(as_primary, twin), Reading(call)), Passing(as_primary.path, fields, b"", twin))


async def test_without_a_twin_nothing_is_asked() -> None:
    world = World(translate)
    world.primary(call_flow(path="/orders/1007"))
    world.answered()
    assert await world.mirror(call_flow(path="/orders/7")) == 599


async def test_what_the_primary_really_asked_for_comes_before_what_is_unlike() -> None:
    world = World(translate)
    world.entry.side(PORT).twin = "b/v2"
    world.primary(call_flow(path="/orders/7"))
    world.answered()
    assert await world.mirror(call_flow(path="/orders/7")) == 201
    (call,) = world.entry.side(PORT).calls
    assert (call.state, call.twin) == ("answered", ()), "ids that both share"


async def test_ids_of_this_very_request_are_found_by_the_endpoint() -> None:
    world = World()
    world.entry.side(PORT).twin = "b/v2"
    world.primary(call_flow(path="/orders/1007"))
    flow = asyncio.create_task(world.mirror(call_flow(path="/orders/2007")))
    await asyncio.sleep(0)
    assert not flow.done(), "the primary may still make the same call"
    world.answered()
    world.entry.changed()
    assert await flow == 201
    (call,) = world.entry.side(PORT).calls
    assert [(each.path, each.primary, each.shadow) for each in call.differences] == [("path[1]", "1007", "2007")]
    assert call.state == "different"


@pytest.mark.parametrize(("method", "path"), [("GET", "/orders/1007"), ("DELETE", "/orders/7")])
async def test_what_passes_is_translated_unless_it_changes_something(method: str, path: str) -> None:
    world = World(translate, sandbox_unknown="pass")
    world.entry.side(PORT).twin = "b/v2"
    world.answered()
    flow = call_flow(method, "/orders/7")
    await world.mirror(flow)
    assert (world.passed, flow.request.path) == ([flow], path)
    assert flow.request.headers.get("authorization") == ("Bearer of-v1" if method == "GET" else None)
    (call,) = world.entry.side(PORT).calls
    assert (call.state, len(call.twin)) == ("passed", 2 if method == "GET" else 0)


async def test_the_primarys_time_where_asked() -> None:
    world = World(sandbox_timing=True)
    world.primary(call_flow())
    begun = asyncio.get_running_loop().time()
    assert await world.mirror(call_flow()) == 201
    assert asyncio.get_running_loop().time() - begun >= 0.045


async def test_a_fault_blocks(caplog: pytest.LogCaptureFixture) -> None:
    async def fault(flow: http.HTTPFlow, call: CallRequest, label: str) -> Translated:
        raise ValueError("x")

    world = World(fault, sandbox_unknown="pass")
    world.entry.side(PORT).twin = "b/v2"
    assert await world.mirror(call_flow()) == 599
    assert world.passed == [] and "fault in the sandbox" in caplog.text


def test_flows_that_are_none_or_gone() -> None:
    async def run() -> None:
        world = World()
        assert world.calls.answer(call_flow()) is None
        flow = call_flow()
        world.calls.begin(flow, PORT)
        world.calls.forget(flow)
        assert world.calls.answer(flow) is None

    asyncio.run(run())
