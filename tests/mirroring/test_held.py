from __future__ import annotations

from typing import Any

from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.admission.when import When
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.mirroring.held import HeldRequests

EXCHANGE: Any = None
"""It is only passed on."""


def waiting(dispatcher: Dispatcher) -> int:
    return int(dispatcher.status()["waiting_bytes"]["value"])


def hold(held: HeldRequests, flow: http.HTTPFlow, size: int, dispatcher: Dispatcher) -> bool:
    return held.hold(flow, EXCHANGE, b"x" * size, When("~c 500"), dispatcher)


async def test_what_is_held_counts_in_the_queue() -> None:
    dispatcher = Dispatcher(ShadowSettings(queue=100_000), InFlight())
    held = HeldRequests()
    first, second = tflow.tflow(), tflow.tflow()
    assert hold(held, first, 10_000, dispatcher) and hold(held, second, 20_000, dispatcher)
    assert len(held) == 2
    assert held.size == waiting(dispatcher) == 30_000 + 2 * 1024
    taken = held.take(first)
    assert taken is not None and taken.body == b"x" * 10_000
    assert held.take(first) is None
    assert waiting(dispatcher) == 20_000 + 1024
    assert not hold(held, first, 80_000, dispatcher)
    assert held.take(first) is None
    assert [each.flow for each in held.take_all()] == [second]
    assert (len(held), held.size, waiting(dispatcher)) == (0, 0, 0)


async def test_an_upload_does_not_fit_beside_what_is_held() -> None:
    dispatcher = Dispatcher(ShadowSettings(queue=100_000), InFlight())
    held = HeldRequests()
    assert hold(held, tflow.tflow(), 90_000, dispatcher)
    assert not dispatcher.reserve(20_000)
    held.take_all()
    assert dispatcher.reserve(20_000)


async def test_flows_that_ended_without_a_hook_are_found() -> None:
    dispatcher = Dispatcher(ShadowSettings(queue=100_000), InFlight())
    held = HeldRequests()
    living, dead = tflow.tflow(), tflow.tflow()
    dead.live = False
    assert hold(held, living, 1, dispatcher) and hold(held, dead, 1, dispatcher)
    assert [each.flow for each in held.take_dead()] == [dead]
    assert len(held) == 1 and waiting(dispatcher) == 1025
    assert held.take_dead() == []
