from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.compare.comparison import Comparison
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring.mirrored_request import MirroredRequest
from mirror_addon.mirroring.mirrored_request import subject_of
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult

SAME = Comparison("same", ())


class Observer:
    def __init__(self) -> None:
        self.pairs: list[Pair] = []

    def pair(self, pair: Pair) -> None:
        self.pairs.append(pair)


class World:
    """One request that is mirrored once, and an observer of its pair."""

    def __init__(self, *, compared: bool = False) -> None:
        self.observer = Observer()
        self.observers: list[Any] = [self.observer]
        self.flow: http.HTTPFlow = tflow.tflow()
        self.flow.live = True
        cluster = Cluster("b", "v1", 80, (), label="b/v1")
        rule = Rule("default/b", "http[0]", "", "")
        request = Request(b"GET", b"http", b"b.test", b"/x", ((b"A", b"b"),), 80)
        self.exchange = Exchange(
            RouteTable.build((), Identity()), request, 7, Decision(Action.ROUTE, rule, cluster=cluster)
        )
        subject = subject_of(self.flow, self.exchange, with_headers=True) if compared else None
        self.primary = MirroredRequest(self.flow, self.exchange, subject, self.observers)
        self.book = InFlight()
        self.shadow: Shadow = self.book.admit(self.primary, "b/v2")

    def answered(self) -> None:
        self.flow.response = http.Response.make(200, b"body")
        self.primary.take_response(self.flow, 3)
        self.book.answered(self.primary)

    def sent(self) -> None:
        self.book.end(self.shadow, State.SENT, ShadowResult(self.shadow.id, "b/v2", "sent", status=201))

    def judged(self, comparison: Comparison | None = SAME) -> None:
        self.book.judge(self.shadow, comparison)


@pytest.mark.parametrize("first", ["answered", "sent"])
def test_without_comparing_a_pair_is_told_when_both_ended(first: str) -> None:
    world = World()
    for step in sorted(("answered", "sent"), key=lambda name: name != first):
        assert world.observer.pairs == []
        getattr(world, step)()
    (pair,) = world.observer.pairs
    assert (pair.rule, pair.route, pair.target, pair.method, pair.url) == (
        "default/b http[0]", "b/v1", "b/v2", "GET", "http://b.test/x",
    )  # fmt: skip
    assert (pair.primary_status, pair.result.status, pair.comparison, pair.control) == (200, 201, None, False)
    assert (pair.flow_id, world.primary.end) == (world.flow.id, None)


@pytest.mark.parametrize("compared", [False, True])
def test_a_flow_is_not_kept_for_a_mirror_that_hangs(compared: bool) -> None:
    world = World(compared=compared)
    world.answered()
    flow = weakref.ref(world.flow)
    del world.flow
    gc.collect()
    assert flow() is None
    assert world.shadow.state is State.ADMITTED


def test_with_comparing_it_waits_for_the_verdict() -> None:
    world = World(compared=True)
    world.answered()
    world.sent()
    assert world.observer.pairs == []
    world.judged()
    (pair,) = world.observer.pairs
    assert pair.comparison == SAME
    assert world.primary.end is not None
    assert (world.primary.end.answer.status, world.primary.end.answer.body) == (200, b"bod")


def test_what_the_record_says_of_a_request() -> None:
    world = World()
    subject = subject_of(world.flow, world.exchange, with_headers=True)
    assert (subject.group, subject.route, subject.draw, subject.rule) == (
        world.flow.id, "b/v1", 7, "default/b http[0]",
    )  # fmt: skip
    assert (subject.client, subject.headers) == ("127.0.0.1:22", ((b"Host", b"b.test"), (b"A", b"b")))
    world.flow.client_conn.peername = ("::1", 22, 0, 0)
    assert subject_of(world.flow, world.exchange, with_headers=False).client == "[::1]:22"
    world.flow.client_conn.peername = None
    world.exchange.decision.rule = world.exchange.decision.cluster = None
    subject = subject_of(world.flow, world.exchange, with_headers=False)
    assert (subject.client, subject.headers, subject.rule, subject.route) == ("", None, "", None)


def test_a_primary_that_fails_is_an_end_too() -> None:
    world = World(compared=True)
    world.flow.error = mitm_flow.Error("Client disconnected.")
    world.primary.take_response(world.flow, 3)
    world.book.answered(world.primary)
    world.sent()
    world.judged(None)
    (pair,) = world.observer.pairs
    assert (pair.primary_status, pair.comparison) == (None, None)
    assert world.primary.end is not None and world.primary.end.answer.error == "client_gone"


def test_the_response_is_taken_once() -> None:
    world = World(compared=True)
    world.answered()
    end = world.primary.end
    world.flow.response = http.Response.make(500, b"edited since")
    world.primary.take_response(world.flow, 3)
    assert (world.primary.end, world.primary.status) == (end, 200)


def test_an_observer_that_raises_keeps_no_other_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def pair(self, pair: Pair) -> None:
            raise RuntimeError("broken")

    world = World()
    world.observers.insert(0, Broken())
    world.answered()
    world.sent()
    assert len(world.observer.pairs) == 1
    assert "broken" in caplog.text


def test_without_observers_no_pair_is_built() -> None:
    world = World()
    world.observers.clear()
    world.answered()
    world.sent()
    assert (world.shadow.state, world.observer.pairs) == (State.TOLD, [])


@pytest.mark.parametrize("compared", [True, False])
def test_what_is_needed_to_send_it_again(compared: bool) -> None:
    world = World(compared=compared)
    request: Any = object()
    world.shadow.again = request, b"body of the request"
    world.sent()
    world.answered()
    if not compared:
        assert world.observer.pairs[0].again is None
        return
    world.judged()
    again = world.observer.pairs[0].again
    assert again is not None and again.request is request and again.body == b"body of the request"
    assert (again.answer.body, again.answer.bytes, again.at > 0) == (b"bod", 4, True)
    assert again.asked is world.exchange.request and again.subject.draw == 7
