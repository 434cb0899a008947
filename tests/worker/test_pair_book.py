from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import Call
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.pair_book import Match
from mirror_addon.worker.pair_book import PairBook
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.pair_book import State

OK = Answer(200, body=b"ok", bytes=2)


class World:
    """Groups whose matches are kept, and settled when asked."""

    def __init__(self) -> None:
        self.matches: list[Match] = []
        self.budget = Budget(1000)
        self.book = PairBook(self.matches.append, self.budget, lambda: 7.0)
        self._number = 0

    def pair(self, group: str = "a", *, control: bool = False, controlled: bool = False) -> PendingPair:
        self._number += 1
        subject = Subject(group, 1.0, "r", "b/v1", control, controlled, "GET", "http://b/", 1, "")
        made = PendingPair(self._number, f"{group}/{self._number}", "b/v2", subject)
        self.book.join(made)
        return made

    def ended(self, pair: PendingPair, answer: Answer = OK) -> None:
        self.book.ended(pair, answer, self.budget.take(len(answer.body or b"")))

    def answered(self, group: str = "a", *, uncontrolled: bool = False) -> None:
        self.book.primary_ended(group, OK, "", self.budget.take(2), uncontrolled=uncontrolled)

    def settle(self) -> None:
        for match in self.matches:
            self.book.settled(match.pair)


def test_either_end_may_be_first() -> None:
    for primary_first in (True, False):
        world = World()
        pair = world.pair()
        steps = [world.answered, lambda world=world, pair=pair: world.ended(pair)]
        for step in steps if primary_first else steps[::-1]:
            assert world.matches == []
            step()
        (match,) = world.matches
        assert (match.pair, match.primary, match.control, match.primary_at) == (pair, OK, None, 7.0)
        world.settle()
        assert (len(world.book), world.budget.numbers[0]) == (0, 0)


def test_a_candidate_waits_for_its_control() -> None:
    world = World()
    candidate, control = world.pair(controlled=True), world.pair(control=True)
    world.ended(candidate)
    world.answered()
    assert world.matches == []
    said = Answer(200, body=b"no", bytes=2)
    world.ended(control, said)
    assert [(match.pair, match.control) for match in world.matches] == [(candidate, said), (control, None)]
    world.settle()
    assert world.budget.numbers[0] == 0


def test_a_control_that_fails_or_never_comes_holds_nobody_up() -> None:
    world = World()
    candidate, control = world.pair(controlled=True), world.pair(control=True)
    world.ended(candidate)
    world.answered()
    world.ended(control, Answer(None, error="timeout"))
    assert [(match.pair, match.control) for match in world.matches] == [(candidate, None), (control, None)]

    alone = world.pair("b", controlled=True)
    world.ended(alone)
    world.answered("b", uncontrolled=True)
    assert world.matches[-1].pair is alone


def test_groups_do_not_mix_and_strangers_are_let_go() -> None:
    world = World()
    first, _ = world.pair("a"), world.pair("b")
    world.ended(first)
    world.answered("b")
    world.answered("nobody's")
    assert world.matches == []
    world.answered("a")
    world.answered("a")
    assert [match.pair for match in world.matches] == [first]
    world.ended(first)
    assert len(world.matches) == 1
    world.settle()
    assert world.budget.numbers[0] == 2  # the primary's answer to b


def test_a_pair_passes_its_states_in_order() -> None:
    world = World()
    pair = world.pair()
    states = [pair.state]
    for step in (lambda: world.ended(pair), world.answered, world.settle):
        step()
        states.append(pair.state)
    assert states == [State.OPEN, State.ENDED, State.MATCHED, State.SETTLED]
    world.ended(pair)
    assert (pair.state, len(world.matches), world.budget.numbers[0]) == (State.SETTLED, 1, 0)


def test_notes_of_the_primary_and_of_the_shadow_are_passed_on() -> None:
    world = World()
    pair = world.pair()
    pair.notes = ("of the shadow",)
    world.book.primary_ended("a", OK, "of the primary", at=3.0)
    world.ended(pair)
    assert (world.matches[0].notes, world.matches[0].primary_at) == (("of the primary", "of the shadow"), 3.0)


def test_what_is_left_at_the_end_comes_once() -> None:
    world = World()
    ended, under_way, matched = world.pair("a"), world.pair("b"), world.pair("c")
    world.ended(ended)
    world.answered("b")
    world.ended(matched)
    world.answered("c")
    left = {match.pair: match.primary for match in world.book.leave()}
    assert left == {ended: None, under_way: OK}
    assert list(world.book.leave()) == []


def test_a_request_body_is_kept_up_to_its_limit_and_the_budgets() -> None:
    world = World()
    pair = world.pair()
    for part in (b"abc", b"", b"defg", b"h"):
        pair.request.add(part, 5, world.budget)
    assert (b"".join(pair.request.parts), pair.request.cut) == (b"abcde", True)
    whole = world.pair()
    whole.request.add(b"abc", 3, world.budget)
    assert not whole.request.cut
    for each in (pair, whole):
        world.ended(each)
    world.answered()
    world.settle()
    assert world.budget.numbers[0] == 0


@given(st.permutations(["primary", "one", "two", "control"]), st.booleans())
def test_in_any_order_all_are_matched_once_and_nothing_stays(order: list[str], has_control: bool) -> None:
    world = World()
    pairs = {name: world.pair(controlled=has_control) for name in ("one", "two")}
    if has_control:
        pairs["control"] = world.pair(control=True)
    for step in order:
        if step == "primary":
            world.answered()
        elif step in pairs:
            world.ended(pairs[step])
    assert sorted(match.pair.number for match in world.matches) == [pair.number for pair in pairs.values()]
    world.settle()
    assert (len(world.book), world.budget.numbers[0]) == (0, 0)


def test_a_pair_waits_for_the_calls_of_its_mirror() -> None:
    world = World()
    calls = (Call("POST", "http://pay.test/charges", "answered"),)
    sent, dropped = world.pair(), world.pair()
    for pair in (sent, dropped):
        pair.subject = pair.subject._replace(calls=True)
    dropped.sent = False
    world.ended(sent)
    world.ended(dropped)
    world.answered()
    assert [match.pair for match in world.matches] == [dropped]
    world.book.called("other", sent.number, calls)
    world.book.called("a", 99, calls)
    assert len(world.matches) == 1
    world.book.called("a", sent.number, calls)
    assert [match.pair for match in world.matches] == [dropped, sent] and sent.calls == calls
