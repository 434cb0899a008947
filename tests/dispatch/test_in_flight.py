"""The book of shadows in flight: every allowed step, no other, and balanced counters after each."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule

from mirror_addon.dispatch.in_flight import OUTCOMES
from mirror_addon.dispatch.in_flight import STEPS
from mirror_addon.dispatch.in_flight import IllegalStep
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State
from mirror_addon.shadow.result import Outcome
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.subject import Subject

SUBJECT = Subject("a", 1.0, "default/b http[0]", "b/v1", False, False, "GET", "http://b/", 7, "")
REASONS: dict[State, str] = {State.SENT: "", State.FAILED: "connect", State.DROPPED: "queue_full"}


class Told(Primary):
    """Remembers what it was told."""

    __slots__ = ("pairs",)

    def __init__(self, id: str = "a", subject: Subject | None = None) -> None:
        super().__init__(id, subject)
        self.pairs: list[Shadow] = []

    def told(self, shadow: Shadow) -> None:
        self.pairs.append(shadow)


def result(shadow: Shadow, outcome: State) -> ShadowResult:
    words: dict[State, Outcome] = {State.SENT: "sent", State.FAILED: "failed", State.DROPPED: "dropped"}
    return ShadowResult(shadow.id, shadow.label, words[outcome], REASONS[outcome])


def walk(book: InFlight, shadow: Shadow, to: State) -> None:
    """Ask the book for one step."""
    if to in OUTCOMES:
        book.end(shadow, to, result(shadow, to))
    elif to is State.JUDGED:
        book.judge(shadow, None)
    elif to is State.TOLD:
        book.answered(shadow.primary)


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
@pytest.mark.parametrize("answered_first", [True, False])
@pytest.mark.parametrize("subject", [None, SUBJECT])
def test_each_way_from_admission_to_told(outcome: State, answered_first: bool, subject: Subject | None) -> None:
    book, primary = InFlight(), Told(subject=subject)
    shadow = book.admit(primary, "b/v2")
    assert (shadow.state, book.counters.totals().pending) == (State.ADMITTED, 1)
    if answered_first:
        book.answered(primary)
    walk(book, shadow, outcome)
    assert book.counters.totals().pending == 0
    if subject is not None:
        assert (shadow.state, list(book.unjudged())) == (outcome, [shadow])
        walk(book, shadow, State.JUDGED)
    if not answered_first:
        assert (shadow.state, primary.pairs) == (State.JUDGED, [])
        book.answered(primary)
    assert (shadow.state, primary.pairs, primary.shadows) == (State.TOLD, [shadow], [])
    assert (book.primaries, book.shadows) == ({}, {})
    book.check()


def test_the_table_names_every_state_and_ends() -> None:
    assert set(STEPS) == set(State)
    assert {state for state, following in STEPS.items() if not following} == {State.TOLD}
    reached = {State.ADMITTED}
    for _ in State:
        reached |= {following for state in reached for following in STEPS[state]}
    assert reached == set(State)


PATHS: dict[State, tuple[State, ...]] = {
    State.ADMITTED: (),
    State.SENT: (State.SENT,),
    State.FAILED: (State.FAILED,),
    State.DROPPED: (State.DROPPED,),
    State.JUDGED: (State.SENT, State.JUDGED),
    State.TOLD: (State.SENT, State.JUDGED, State.TOLD),
}
FORBIDDEN = [(before, to) for before, to in itertools.product(State, State) if to not in STEPS[before]]


@pytest.mark.parametrize(("before", "to"), FORBIDDEN)
def test_no_other_step_is_taken(before: State, to: State) -> None:
    book, primary = InFlight(), Told(subject=SUBJECT)
    shadow = book.admit(primary, "b/v2")
    for step in PATHS[before]:
        walk(book, shadow, step)
    counted = list(book.counters.items())
    with pytest.raises(IllegalStep, match=f"from {before} to {to}"):
        shadow.step(to)
    if to is not State.ADMITTED and to is not State.TOLD:
        with pytest.raises(IllegalStep):
            walk(book, shadow, to)
    assert shadow.state is before
    assert list(book.counters.items()) == counted
    book.check()


def test_a_worker_that_holds_bytes_keeps_the_shadow_in_the_book() -> None:
    """Given up on this side, its number may still stand in a frame."""
    book, primary = InFlight(), Told()
    shadow = book.admit(primary, "b/v2")
    shadow.in_worker = True
    book.answered(primary)
    walk(book, shadow, State.DROPPED)
    assert (shadow.state, book.shadows) == (State.TOLD, {shadow.number: shadow})
    book.release(shadow)
    assert book.shadows == {}
    book.check()


def test_released_before_it_is_judged() -> None:
    book, primary = InFlight(), Told(subject=SUBJECT)
    shadow = book.admit(primary, "b/v2")
    shadow.in_worker = True
    book.release(shadow)
    walk(book, shadow, State.SENT)
    assert book.shadows == {shadow.number: shadow}, "its verdict is still to come"
    walk(book, shadow, State.JUDGED)
    assert book.shadows == {}


def test_subjects_say_which_is_the_control() -> None:
    book, primary = InFlight(), Told(subject=SUBJECT)
    shadow = book.admit(primary, "b/v2", controlled=True)
    control = book.admit(primary, "b/v1", control=True, controlled=True)
    assert shadow.subject is not None and control.subject is not None
    assert (shadow.subject.control, shadow.subject.controlled) == (False, True)
    assert (control.subject.control, control.subject.controlled) == (True, False)


def test_observers_are_told_of_each_outcome_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    class Observer:
        def __init__(self) -> None:
            self.outcomes: list[State] = []

        def outcome(self, shadow: Shadow) -> None:
            self.outcomes.append(shadow.state)

    class Broken:
        def outcome(self, shadow: Shadow) -> None:
            raise RuntimeError("broken observer")

    book, observer = InFlight(), Observer()
    book.observers += (Broken(), observer)
    for outcome in sorted(OUTCOMES):
        walk(book, book.admit(Told(outcome), "b/v2"), outcome)
    assert observer.outcomes == sorted(OUTCOMES)
    assert caplog.text.count("Broken: RuntimeError: broken observer") == len(OUTCOMES)
    book.check()


def test_a_primary_that_fails_to_be_told_leaves_the_book_in_order(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Primary):
        __slots__ = ()

        def told(self, shadow: Shadow) -> None:
            raise RuntimeError("no room")

    book, primary = InFlight(), Broken("a")
    shadow = book.admit(primary, "b/v2")
    book.answered(primary)
    walk(book, shadow, State.SENT)
    assert (shadow.state, book.primaries) == (State.TOLD, {})
    assert "a pair was not shown: RuntimeError: no room" in caplog.text


def test_what_is_left_at_the_end_is_forgotten() -> None:
    book, primary = InFlight(), Told()
    walk(book, book.admit(primary, "b/v2"), State.SENT)
    book.forget()
    assert (book.primaries, book.shadows, primary.pairs) == ({}, {}, [])


class RandomWalks(RuleBasedStateMachine):
    """Any order of admissions, outcomes, releases, verdicts and responses."""

    def __init__(self) -> None:
        super().__init__()
        self.book = InFlight()
        self.primaries: list[Told] = []
        self.shadows: list[Shadow] = []

    def pick(self, data: st.DataObject, *states: State) -> Shadow | None:
        found = [shadow for shadow in self.shadows if shadow.state in states]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(compared=st.booleans())
    def request(self, compared: bool) -> None:
        self.primaries.append(Told(str(len(self.primaries)), SUBJECT if compared else None))

    @precondition(lambda self: self.primaries)
    @rule(data=st.data(), label=st.sampled_from(["b/v2", "b/v3"]), in_worker=st.booleans())
    def admit(self, data: st.DataObject, label: str, in_worker: bool) -> None:
        shadow = self.book.admit(data.draw(st.sampled_from(self.primaries)), label)
        shadow.in_worker = in_worker
        self.shadows.append(shadow)

    @rule(data=st.data(), outcome=st.sampled_from(sorted(OUTCOMES)))
    def end(self, data: st.DataObject, outcome: State) -> None:
        if (shadow := self.pick(data, State.ADMITTED)) is not None:
            walk(self.book, shadow, outcome)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = [shadow for shadow in self.shadows if shadow.in_worker]
        if held:
            self.book.release(data.draw(st.sampled_from(held)))

    @rule(data=st.data())
    def judge(self, data: st.DataObject) -> None:
        if (shadow := self.pick(data, *OUTCOMES)) is not None:
            walk(self.book, shadow, State.JUDGED)

    @precondition(lambda self: self.primaries)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.book.answered(data.draw(st.sampled_from(self.primaries)))

    @rule(data=st.data(), to=st.sampled_from(list(State)))
    def wrong_step(self, data: st.DataObject, to: State) -> None:
        shadow = self.pick(data, *(state for state in State if to not in STEPS[state]))
        if shadow is not None:
            with pytest.raises(IllegalStep):
                shadow.step(to)

    @invariant()
    def the_book_balances(self) -> None:
        self.book.check()
        totals = self.book.counters.totals()
        assert totals.offered == len(self.shadows)
        assert totals.offered == totals.sent + totals.failed.total() + totals.dropped.total() + totals.pending

    @invariant()
    def each_pair_is_told_once_and_in_time(self) -> None:
        for primary in self.primaries:
            told = [shadow for shadow in self.shadows if shadow.primary is primary and shadow.state is State.TOLD]
            assert sorted(primary.pairs, key=id) == sorted(told, key=id)
            if primary.answered:
                assert not any(shadow.state is State.JUDGED for shadow in primary.shadows)


TestRandomWalks = RandomWalks.TestCase


def test_a_shadow_may_be_counted_apart() -> None:
    book, primary = InFlight(), Told()
    shadow = book.admit(primary, "b/v2", counts=book.counters.rerun)
    book.check()
    assert (book.counters.totals().offered, book.counters.rerun.pending) == (0, 1)
    book.end(shadow, State.SENT, result(shadow, State.SENT))
    assert (book.counters.totals().offered, book.counters.rerun.sent, book.counters.targets) == (0, 1, {})
