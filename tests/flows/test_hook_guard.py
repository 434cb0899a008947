from __future__ import annotations

import logging
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.dispatch.counters import Counters
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.exchange import Exchanges
from mirror_addon.flows.hook_guard import MOST_KINDS
from mirror_addon.flows.hook_guard import HookGuard
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

TABLE = RouteTable.build((), Identity())
REQUEST = Request(b"GET", b"http", b"b.test", b"/x", (), 80)


class Sink:
    reason = ""

    def write(self, chunk: bytes) -> None: ...

    def end(self) -> None: ...

    def abort(self, reason: str = "aborted") -> None:
        self.reason = reason


class Guarded:
    def __init__(self) -> None:
        self.exchanges, self.counters = Exchanges(), Counters()
        self._guarded = HookGuard(self.exchanges, lambda: self.counters).around(self.hook_of_mitmproxy)
        self._error: Exception | None = None

    def hook(self, subject: object, error: Exception | None = None) -> Any:
        self._error = error
        return self._guarded(subject)

    def hook_of_mitmproxy(self, subject: object) -> str:
        if self._error is not None:
            raise self._error
        return f"did {type(subject).__name__}"

    def routed(self, *labels: str, settled: bool = False) -> tuple[http.HTTPFlow, Exchange]:
        mirrors = tuple(Mirror(Cluster("b", label, 80, (), label=label), None, 100, True, None) for label in labels)
        flow = tflow.tflow()
        exchange = Exchange(TABLE, REQUEST, 7, Decision(Action.ROUTE, mirrors=mirrors), settled=settled)
        self.exchanges[flow] = exchange
        return flow, exchange

    @property
    def counted(self) -> dict[str, int]:
        return {name: number for name, number in self.counters.items() if name.endswith("internal_error")}


def test_what_does_not_fail_is_as_without() -> None:
    guarded = Guarded()
    assert guarded.hook(tflow.tflow()) == "did HTTPFlow"
    with pytest.raises(exceptions.AddonHalt):
        guarded.hook(tflow.tflow(), exceptions.AddonHalt())
    assert guarded.counted == {}


def test_a_fault_before_the_decision(caplog: pytest.LogCaptureFixture) -> None:
    guarded = Guarded()
    assert guarded.hook(tflow.tflow(), ValueError("digits")) is None
    assert guarded.counted == {"skipped.internal_error": 1}
    assert "fault in hook_of_mitmproxy: ValueError: digits; the request goes on" in caplog.text
    assert "raise self._error" in caplog.text, "the traceback"


def test_a_fault_after_the_decision_settles_the_exchange() -> None:
    guarded = Guarded()
    flow, exchange = guarded.routed("v2", "v3")
    exchange.uploads = [sink := Sink()]
    guarded.hook(flow, ValueError())
    guarded.hook(flow, ValueError())
    assert (exchange.settled, sink.reason) == (True, "aborted")
    assert guarded.counted == {
        "skipped.internal_error": 2,
        "v2.skipped.internal_error": 1,
        "v3.skipped.internal_error": 1,
    }


def test_what_was_counted_is_not_counted_again() -> None:
    guarded = Guarded()
    flow, _ = guarded.routed("v2", settled=True)
    guarded.hook(flow, ValueError())
    assert guarded.counted == {}


def test_what_is_no_request_is_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    guarded = Guarded()
    guarded.hook(tflow.tserver_conn(), ValueError())
    assert (guarded.counted, caplog.text.count("fault in")) == ({}, 1)


def test_before_the_start_nothing_is_counted() -> None:
    guard = HookGuard(exchanges := Exchanges(), lambda: None)
    flow = tflow.tflow()
    guard.caught("request", ValueError(), flow)
    exchanges[flow] = Exchange(TABLE, REQUEST, 7, Decision(Action.ROUTE))
    guard.caught("request", ValueError(), flow)
    assert exchanges[flow].settled


def test_each_kind_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    guarded = Guarded()
    for error in (ValueError("1"), ValueError("2"), LookupError("3")):
        guarded.hook(tflow.tflow(), error)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    guard = HookGuard(Exchanges(), lambda: None)
    caplog.clear()
    for number in range(2 * MOST_KINDS):
        guard.caught(f"hook_{number}", ValueError(), None)
    assert len(caplog.records) == MOST_KINDS
