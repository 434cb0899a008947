from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring import pairing as module
from mirror_addon.mirroring.pairing import Pairing
from mirror_addon.mirroring.pairing import PairingMode
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.result import ShadowVerdict

PLAIN = PairingMode()
COMPARED = PairingMode(subjects=True, request_headers=True, body=100)
SAME = Comparison("same", ())


class Observer:
    def __init__(self) -> None:
        self.pairs: list[Pair] = []

    def pair(self, pair: Pair) -> None:
        self.pairs.append(pair)


class World:
    """A Pairing, with one request that has as many shadows as asked for."""

    def __init__(self, mode: PairingMode = PLAIN, *controls: bool) -> None:
        self.observer = Observer()
        self.pairing = Pairing([self.observer])
        self.pairing.mode = mode
        self.answers: list[tuple[str, Answer, str]] = []
        self.flow: http.HTTPFlow = tflow.tflow()
        self.flow.live = True
        cluster = Cluster("b", "v1", 80, (), label="b/v1")
        rule = Rule("default/b", "http[0]", "", "")
        request = Request(b"GET", b"http", b"b.test", b"/x", ((b"A", b"b"),), 80)
        decision = Decision(Action.ROUTE, rule, cluster=cluster)
        self.exchange = Exchange(RouteTable.build((), Identity()), request, 7, decision)
        self.shadows = [self._shadow(number) for number, _ in enumerate(controls or (False,))]
        dispatcher: Any = self
        named = list(zip(self.shadows, controls or (False,), strict=True))
        self.pairing.begin(self.flow, self.exchange, named, dispatcher)

    def _shadow(self, number: int) -> ShadowRequest:
        target = Target("b/v2", "127.0.0.1", 1, False, "b", None)
        return ShadowRequest(f"{self.flow.id}/{number}", target, b"GET", b"b", b"/", (), 1.0)

    def answer(self, group: str, answer: Answer, note: str) -> None:
        self.answers.append((group, answer, note))

    def answered(self) -> None:
        self.flow.response = http.Response.make(200, b"body")
        self.pairing.answered(self.flow)

    def result(self, number: int = 0) -> None:
        self.pairing.result(ShadowResult(self.shadows[number].id, "b/v2", "sent", status=201))

    def verdict(self, number: int = 0, comparison: Comparison | None = SAME) -> None:
        self.pairing.verdict(ShadowVerdict(self.shadows[number].id, "b/v2", False, comparison, None))

    @property
    def open(self) -> int:
        return len(self.pairing._groups) + len(self.pairing._shadows)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.pairing.close()


@pytest.mark.parametrize("first", ["answered", "result"])
async def test_without_comparing_a_pair_is_told_when_both_ended(first: str) -> None:
    with World() as world:
        for step in sorted(("answered", "result"), key=lambda name: name != first):
            assert world.observer.pairs == []
            getattr(world, step)()
        (pair,) = world.observer.pairs
        assert (pair.rule, pair.route, pair.target, pair.method, pair.url) == (
            "default/b http[0]", "b/v1", "b/v2", "GET", "http://b.test/x",
        )  # fmt: skip
        assert (pair.primary_status, pair.result.status, pair.comparison, pair.control) == (200, 201, None, False)
        assert (pair.flow_id, world.open, world.answers) == (world.flow.id, 0, [])
        assert world.shadows[0].subject is None


@pytest.mark.parametrize("mode", [PLAIN, COMPARED])
async def test_a_flow_is_not_kept_for_a_mirror_that_hangs(mode: PairingMode) -> None:
    with World(mode) as world:
        world.answered()
        flow = weakref.ref(world.flow)
        del world.flow
        gc.collect()
        assert flow() is None
        assert world.open


async def test_with_comparing_it_waits_for_the_verdict() -> None:
    with World(COMPARED) as world:
        world.answered()
        world.result()
        assert world.observer.pairs == []
        world.verdict()
        (pair,) = world.observer.pairs
        assert pair.comparison == SAME
        ((group, answer, note),) = world.answers
        assert (group, answer.status, answer.body, note) == (world.flow.id, 200, b"body", "")


async def test_subjects_say_who_waits_for_the_control() -> None:
    with World(COMPARED, False, True) as world:
        subjects = [shadow.subject for shadow in world.shadows]
        assert [subject and (subject.control, subject.controlled) for subject in subjects] == [
            (False, True), (True, False),
        ]  # fmt: skip
        subject = subjects[0]
        assert subject is not None
        assert (subject.group, subject.route, subject.draw, subject.rule) == (
            world.flow.id, "b/v1", 7, "default/b http[0]",
        )  # fmt: skip
        assert subject.client == "127.0.0.1:22"
        assert subject.headers == ((b"Host", b"b.test"), (b"A", b"b"))


async def test_a_primary_that_fails_is_an_end_too() -> None:
    with World(COMPARED) as world:
        world.flow.error = mitm_flow.Error("Client disconnected.")
        world.pairing.answered(world.flow)
        world.result()
        world.verdict(comparison=None)
        (pair,) = world.observer.pairs
        assert (pair.primary_status, pair.comparison) == (None, None)
        assert world.answers[0][1].error == "client_gone"


async def test_more_shadows_of_an_answered_primary_are_compared_with_the_same_answer() -> None:
    with World(COMPARED) as world:
        world.answered()
        again = world._shadow(9)
        dispatcher: Any = world
        world.pairing.begin(world.flow, world.exchange, [(again, False)], dispatcher)
        world.pairing.answered(world.flow)
        assert world.answers[0] == world.answers[1]


async def test_a_flow_that_ends_without_a_word_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.0)
    with World() as world:
        world.result()
        world.pairing._look()
        assert world.open == 1 + 1
        world.flow.live = False
        world.pairing._look()
        assert (world.open, len(world.observer.pairs)) == (0, 1)
        assert world.observer.pairs[0].primary_status is None


async def test_what_nobody_awaits_is_passed_over() -> None:
    with World() as world:
        world.pairing.answered(tflow.tflow())
        world.pairing.result(ShadowResult("other", "b/v2", "sent"))
        world.pairing.verdict(ShadowVerdict("other", "b/v2", False, None, None))
        assert world.observer.pairs == []


async def test_an_observer_that_raises_keeps_no_other_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def pair(self, pair: Pair) -> None:
            raise RuntimeError("broken")

    with World() as world:
        world.pairing._observers = [Broken(), world.observer]
        world.answered()
        world.result()
        assert len(world.observer.pairs) == 1
        assert "broken" in caplog.text
