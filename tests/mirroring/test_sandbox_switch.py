"""The addon with and without a sandbox: which hooks it has, and where a mirror's call goes that is let pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import http
from sandboxtools import TABLE
from sandboxtools import Writer
from sandboxtools import call_flow
from sandboxtools import settings

from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.exchange import Exchanges
from mirror_addon.mirroring.sandbox_switch import HOOKS
from mirror_addon.mirroring.sandbox_switch import SandboxSwitch
from mirror_addon.routing.decision import LocalResponse


class Addon:
    def _requestheaders(self, flow: Any) -> None: ...
    def _request(self, flow: Any) -> None: ...
    def _response(self, flow: Any) -> None: ...
    def _error(self, flow: Any) -> None: ...


class World:
    def __init__(self, **options: Any) -> None:
        self.addon = Addon()
        self.writer: Any = Writer(**options)
        self.writer.sender = SimpleNamespace(sandbox=None)
        self.writer.book = SimpleNamespace(observers=[])
        self.writer.local_address = b"10.0.0.1"
        self.exchanges = Exchanges()
        self.passed: list[tuple[http.HTTPFlow, Exchange]] = []
        self.rules: Any = SimpleNamespace(table=TABLE)
        self.switch = SandboxSwitch(
            self.addon,
            lambda function: function,
            self.rules,
            self.exchanges,
            lambda *both: self.passed.append(both[:2]),
        )


async def test_on_and_off() -> None:
    world = World()
    switch, writer = world.switch, world.writer
    switch.apply(writer)
    sandbox = switch.sandbox
    assert sandbox is not None
    assert {getattr(world.addon, name) for name in HOOKS} == {getattr(sandbox, name) for name in HOOKS}
    assert writer.sender.sandbox is sandbox and writer.book.observers == [sandbox.pairs]
    writer.settings = settings(sandbox=["8091"])
    switch.apply(writer)
    assert switch.sandbox is sandbox and sandbox.pairs.ports == (8091,)
    writer.settings = settings(sandbox=[])
    switch.apply(writer)
    assert switch.sandbox is None is writer.sender.sandbox
    assert [getattr(world.addon, name) for name in HOOKS] == [getattr(world.addon, f"_{name}") for name in HOOKS]
    switch.apply(writer)
    switch.close()
    writer.settings = settings()
    switch.apply(writer)
    switch.close()
    assert len(writer.book.observers) == 2  # the first one has shadows that have not ended


def test_off_nothing_is_touched() -> None:
    world = World(sandbox=[])
    world.switch.apply(world.writer)
    assert world.switch.sandbox is None and vars(world.addon) == {}


async def test_a_call_that_passes_is_routed_and_not_mirrored() -> None:
    world = World()
    world.switch.apply(world.writer)
    flow = call_flow()
    world.switch.pass_on(flow)
    ((passed, exchange),) = world.passed
    assert passed is flow and world.exchanges[flow] is exchange
    assert exchange.settled and exchange.decision.mirrors == () and exchange.written is not None


async def test_one_that_the_rules_answer_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.switch.apply(world.writer)

    def route(request: Any, draw: int) -> Any:
        decision = TABLE.route(request, draw)
        decision.response = LocalResponse(404, (), b"")
        return decision

    world.rules.table = SimpleNamespace(route=route, wants_facts=False, __weakref__=None)
    monkeypatch.setattr(
        "mirror_addon.mirroring.sandbox_switch.Exchange", lambda _, *rest, **more: Exchange(TABLE, *rest, **more)
    )
    flow = call_flow()
    world.switch.pass_on(flow)
    assert flow.response and flow.response.status_code == 404 and world.passed == []


def test_before_the_start_a_call_goes_where_it_would() -> None:
    world = World()
    world.switch.pass_on(flow := call_flow())
    assert world.passed == [] and world.exchanges.get(flow) is None
