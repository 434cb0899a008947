from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from enginetools import until
from sandboxtools import OTHER_PORT
from sandboxtools import PORT
from sandboxtools import call_flow

from mirror_addon.compare.calls import Call
from mirror_addon.compare.redaction import NOTHING
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State
from mirror_addon.mirroring import called_pairs as module
from mirror_addon.mirroring.called_pairs import CalledPairs
from mirror_addon.mirroring.called_pairs import Root
from mirror_addon.sandbox.book import CallBook
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.subject import Subject

CALL = CallRequest(b"POST", b"http", b"pay.test", b"/charges")


class World:
    """One mirrored request, with the books of shadows and of calls."""

    def __init__(self, ports: tuple[int, ...] = (PORT, OTHER_PORT)) -> None:
        self.sent: list[tuple[Shadow, Any]] = []
        self.counted: list[str] = []
        self.pairs = CalledPairs(self.send, self.counted.append, lambda: NOTHING)
        self.pairs.ports = ports
        self.shadows = InFlight()
        self.shadows.observers.append(self.pairs)
        self.book = CallBook(lambda _: None)
        self.flow = call_flow()
        self.entry = self.book.open((b"a",), self.flow.id, 0.0)
        self.root = Root(self.entry, self.flow)
        self.pairs.open(self.root)
        subject = Subject(self.flow.id, 0.0, "", None, False, False, "POST", "http://shop.test/", 1, "")
        self.primary = Primary(self.flow.id, subject)

    def send(self, shadow: Shadow, calls: bytes) -> None:
        self.sent.append((shadow, json.loads(calls)))

    def admit(self, *labels: str, control: bool = False) -> list[Shadow]:
        shadows = [self.shadows.admit(self.primary, label) for label in labels]
        if control:
            shadows.append(self.shadows.admit(self.primary, "control:v1", control=True))
        self.pairs.admitted(self.flow, shadows)
        return shadows

    def end(self, shadow: Shadow, outcome: str = "sent") -> None:
        state = {"sent": State.SENT, "failed": State.FAILED, "dropped": State.DROPPED}[outcome]
        self.shadows.end(shadow, state, ShadowResult(shadow.id, shadow.label, outcome, ""))

    def answer(self) -> None:
        self.book.answer(self.entry, 1.0)
        self.pairs.answered(self.root)

    @property
    def states(self) -> list[list[str]]:
        return [[call["state"] for call in calls] for _, calls in self.sent]


def test_each_mirror_has_a_port_and_a_control_has_none() -> None:
    world = World()
    first, second, control = world.admit("v2", "v3", control=True)
    assert [each.subject is not None and each.subject.calls for each in (first, second, control)] == [True, True, False]
    assert set(world.entry.sides) == {PORT, OTHER_PORT} and world.root.controlled


@pytest.mark.parametrize("answered_first", [True, False])
def test_calls_are_told_when_both_have_ended(answered_first: bool) -> None:
    world = World()
    (shadow,) = world.admit("v2")
    world.entry.side(PORT).calls.append(Call("POST", "http://pay.test/charges", "answered"))
    steps = [world.answer, lambda: world.end(shadow)]
    for step in steps if answered_first else reversed(steps):
        assert world.sent == []
        step()
    assert world.states == [["answered"]] and world.sent[0][0] is shadow
    assert [call.state for call in shadow.calls] == ["answered"]
    assert world.entry.side(PORT).told


async def test_what_the_mirror_did_not_call_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_SECONDS", 0.01)
    world = World()
    (shadow,) = world.admit("v2")
    world.book.note(world.entry, CALL, 0.0)
    world.answer()
    world.end(shadow)
    assert world.sent == []
    await until(lambda: world.sent)
    assert world.states == [["missing"]] and world.counted == ["missing"]
    assert world.sent[0][1][0]["url"] == "http://pay.test/charges"


async def test_late_calls_are_waited_for() -> None:
    world = World()
    (shadow,) = world.admit("v2")
    call = world.book.note(world.entry, CALL, 0.0)
    side = world.entry.side(PORT)
    side.waiting = 1
    world.answer()
    world.end(shadow)
    assert call is not None
    call.taken.add(PORT)
    side.calls.append(Call("POST", "http://pay.test/charges", "answered"))
    side.waiting = 0
    world.entry.changed()
    await until(lambda: world.sent)
    assert world.states == [["answered"]]


@pytest.mark.parametrize("outcome", ["failed", "dropped"])
async def test_nothing_is_missing_of_a_mirror_that_did_not_respond(
    outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATE_SECONDS", 0.0)
    world = World()
    (shadow,) = world.admit("v2")
    world.book.note(world.entry, CALL, 0.0)
    world.answer()
    world.end(shadow, outcome)
    await until(lambda: world.sent)
    assert world.states == [[]] and world.counted == []


def test_a_control_makes_the_primarys_calls_twice() -> None:
    world = World()
    world.admit("v2", control=True)
    calls = [world.book.note(world.entry, CALL, 0.0) for _ in range(3)]
    assert calls[0] is not None
    calls[0].taken.add(PORT)
    assert list(module.missing(world.root, PORT)) == [CALL]
    world.root.controlled = False
    assert list(module.missing(world.root, PORT)) == [CALL, CALL]


def test_a_request_that_is_sent_again_begins_anew() -> None:
    world = World()
    (shadow,) = world.admit("v2")
    call = world.book.note(world.entry, CALL, 0.0)
    assert call is not None
    call.taken.add(PORT)
    world.answer()
    world.end(shadow)
    (again,) = world.admit("v2")
    assert again.subject is not None and again.subject.calls and call.taken == set()
    assert not world.entry.side(PORT).told


def test_more_mirrors_than_ports(caplog: pytest.LogCaptureFixture) -> None:
    world = World((PORT,))
    with caplog.at_level(logging.WARNING):
        _, second = world.admit("v2", "v3")
        world.admit("v2", "v3")
    assert second.subject is not None and not second.subject.calls
    assert [record.getMessage() for record in caplog.records] == [
        "mirror: a request has more mirrors than mirror_sandbox has ports: the calls of v3 are not told apart; give "
        "each mirror of a request a port of its own, in their order"
    ]


def test_roots_are_forgotten_with_their_entries_and_dead_ones_are_named() -> None:
    world = World()
    assert world.pairs.sweep() == []
    world.flow.live = False
    assert world.pairs.sweep() == [world.root] and world.pairs.root_of(world.flow) is world.root
    world.book.sweep(10_000.0)
    world.pairs.sweep()
    assert world.pairs.root_of(world.flow) is None
    assert world.admit("v2")[0].subject is not None and world.sent == []
