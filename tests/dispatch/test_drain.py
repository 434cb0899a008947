from __future__ import annotations

import asyncio

import pytest

from mirror_addon.dispatch.drain import Drain
from mirror_addon.dispatch.drain import awaits
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.subject import Subject


def ended(state: State, book: InFlight | None = None) -> Shadow:
    """A shadow that is compared, of a primary without a response."""
    book = book or InFlight()
    subject = Subject("p", 1.0, "r", "b/v1", False, False, "GET", "http://b/", 1, "")
    shadow = book.admit(Primary("p", subject), "b/v2")
    if state is not State.ADMITTED:
        book.end(shadow, state, ShadowResult(shadow.id, shadow.label, state.value, "reset"))
    return shadow


@pytest.mark.parametrize(
    ("state", "in_worker", "answered", "waits"),
    [
        (State.ADMITTED, True, False, True),
        (State.SENT, False, False, True),
        (State.FAILED, False, False, True),
        (State.DROPPED, False, False, False),
        (State.DROPPED, False, True, True),
        (State.DROPPED, True, False, True),
    ],
)
def test_what_may_still_come(state: State, in_worker: bool, answered: bool, waits: bool) -> None:
    shadow = ended(state)
    shadow.in_worker = in_worker
    shadow.primary.answer_is_sent = answered
    assert awaits(shadow) is waits


async def test_it_ends_when_nothing_is_left() -> None:
    left = [ended(State.SENT), ended(State.DROPPED)]
    drain = Drain(lambda: left)
    drain.look()
    waiting = asyncio.ensure_future(drain.wait(600.0))
    await asyncio.sleep(0)
    drain.look()
    assert not waiting.done()
    del left[0]
    drain.look()
    drain.look()
    await asyncio.wait_for(waiting, 30)


async def test_it_does_not_begin_where_nothing_is_to_come() -> None:
    await asyncio.wait_for(Drain(lambda: [ended(State.DROPPED)]).wait(600.0), 30)


async def test_it_ends_with_its_time() -> None:
    await asyncio.wait_for(Drain(lambda: [ended(State.SENT)]).wait(0.01), 30)
