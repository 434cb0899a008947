from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.processor.events import Body
from mirror_addon.processor.events import Head
from mirror_addon.processor.events import Message
from mirror_addon.processor.events import Trailers
from mirror_addon.processor.exchange import End
from mirror_addon.processor.exchange import Exchange
from mirror_addon.processor.exchange import Happening
from mirror_addon.processor.exchange import Kind
from mirror_addon.processor.exchange import Part

LETTERS = {
    Kind.REQUEST: "Q", Kind.REQUEST_BODY: "q", Kind.REQUEST_END: "E",
    Kind.ANSWER: "A", Kind.ANSWER_BODY: "a", Kind.ANSWER_END: "Z", Kind.OVER: "!",
}  # fmt: skip
MESSAGES: dict[str, Message | bool] = {
    name + suffix: message
    for name, request in (("request", True), ("answer", False))
    for suffix, message in (
        (" head", Head(request, (), False)),
        (" head, end", Head(request, (), True)),
        (" body", Body(request, b"x", False)),
        (" body, end", Body(request, b"x", True)),
        (" end", Body(request, b"", True)),
        (" trailers", Trailers(request, ((b"t", b"1"),))),
    )
}
CLOSED, LOST = False, True
STEPS: Sequence[Message | bool] = [*MESSAGES.values(), CLOSED, LOST]


def told(steps: Sequence[Message | bool]) -> tuple[Exchange, list[Happening]]:
    """What happens, with the stream's end after the steps."""
    exchange = Exchange()
    happened: list[Happening] = []
    for step in (*steps, CLOSED):
        happened += exchange.closed(lost=step) if isinstance(step, bool) else exchange.receive(step)
    return exchange, happened


def letters(happened: Sequence[Happening]) -> str:
    return "".join(LETTERS[each.kind] for each in happened)


def check(steps: Sequence[Message | bool]) -> None:
    """What can be relied on, whatever came."""
    exchange, happened = told(steps)
    text = letters(happened)
    assert re.fullmatch(r"[QqEAaZ]*!", text), text
    assert re.fullmatch(r"(Qq*E?)?", re.sub("[^QqE]", "", text)), text
    assert re.fullmatch(r"(Aa*Z?)?", re.sub("[^AaZ]", "", text)), text
    assert text[0] in "Q!"  # nothing of an answer before the request's head
    end = happened[-1].end
    assert end is exchange.end is not None
    assert (end is End.COMPLETE) == ("E" in text and "Z" in text)
    assert exchange.receive(Head(True, (), False)) == exchange.closed() == ()


def test_every_order_of_four_messages() -> None:
    for steps in itertools.product(STEPS, repeat=4):
        check(steps)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_any_order(steps: list[Message | bool]) -> None:
    check(steps)


@settings(max_examples=100, deadline=None)
@given(st.permutations("qqaaE"))
def test_the_directions_interleave_as_they_like(order: list[str]) -> None:
    """A body of each direction in two parts: what happens in one does not depend on the other."""
    pieces = {"q": Body(True, b"x", False), "a": Body(False, b"y", False), "E": Body(True, b"", True)}
    steps = [Head(True, (), False), Head(False, (), False), *(pieces[each] for each in order if each != "E")]
    _, happened = told([*steps, pieces["E"], Body(False, b"", True)])
    assert happened[-1].end is End.COMPLETE
    assert b"".join(each.data for each in happened if each.kind is Kind.ANSWER_BODY) == b"yy"


@pytest.mark.parametrize(
    ("steps", "text", "end"),
    [
        (["request head, end", "answer head, end"], "QEAZ!", End.COMPLETE),
        (["request head, end", "answer head", "answer body", "answer end"], "QEAaZ!", End.COMPLETE),
        (["request head", "request body", "request end", "answer head", "answer body, end"], "QqEAaZ!", End.COMPLETE),
        (["request head", "request trailers", "answer head", "answer trailers"], "QEAZ!", End.COMPLETE),
        (["request head", "answer head, end", "request body, end"], "QAZqE!", End.COMPLETE),  # an early answer
        (["request head", "request body", "answer head, end"], "QqAZ!", End.CLOSED),  # the rest never comes
        (["request head, end"], "QE!", End.CLOSED),  # a local reply of Envoy 1.36, or the client went away
        (["answer head, end"], "!", End.LOCAL),  # a fault, or a bad request
        (["answer body"], "!", End.DISORDER),
        (["request body"], "!", End.DISORDER),
        (["request head", "request head"], "Q!", End.DISORDER),
        (["request head, end", "request end", "answer head, end"], "QEAZ!", End.COMPLETE),
        (["request head, end", "request body"], "QE!", End.DISORDER),
        (["request head, end", "request trailers"], "QE!", End.DISORDER),
        ([], "!", End.CLOSED),
    ],
)
def test_exchanges(steps: list[str], text: str, end: End) -> None:
    _, happened = told([MESSAGES[step] for step in steps])
    assert (letters(happened), happened[-1].end) == (text, end)


def test_trailers_come_with_the_end() -> None:
    _, happened = told([Head(True, (), False), Trailers(True, ((b"t", b"1"),))])
    assert happened[1] == Happening(Kind.REQUEST_END, trailers=((b"t", b"1"),))


def test_a_broken_stream() -> None:
    assert Exchange().closed(lost=True) == (Happening(Kind.OVER, end=End.LOST),)


def test_what_is_left_tells_nothing_more() -> None:
    exchange = Exchange()
    exchange.receive(Head(True, (), False))
    exchange.leave()
    assert exchange.end is End.LEFT
    assert exchange.receive(Body(True, b"x", True)) == exchange.closed() == ()
    exchange.leave()
    assert (exchange.end, exchange.request) == (End.LEFT, Part.OPEN)
