"""Requests whose shadows wait for the primary's answer, because `mirror-addon/when` speaks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitmproxy import http

if TYPE_CHECKING:
    from mirror_addon.admission.when import When
    from mirror_addon.dispatch.dispatcher import Dispatcher
    from mirror_addon.flows.exchange import Exchange

_OVERHEAD = 1024
"""What a held request costs besides its body."""
_LOOK_EVERY = 5.0


@dataclass(slots=True)
class HeldRequest:
    """A whole request. Its bytes count in the queue of `dispatcher`."""

    flow: http.HTTPFlow
    exchange: Exchange
    body: bytes
    when: When
    dispatcher: Dispatcher
    cost: int


class HeldRequests:
    """Holds requests until they are taken back. `on_end` gets those whose flow ended without a word of mitmproxy."""

    def __init__(self, on_end: Callable[[HeldRequest], None]) -> None:
        self._held: dict[str, HeldRequest] = {}
        self._on_end = on_end
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(held.cost for held in self._held.values())

    def hold(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes, when: When, dispatcher: Dispatcher) -> bool:
        """False: it does not fit into `mirror_queue`."""
        cost = _OVERHEAD + len(body)
        if not dispatcher.reserve(cost):
            return False
        self._held[flow.id] = HeldRequest(flow, exchange, body, when, dispatcher, cost)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
        return True

    def take(self, flow: http.HTTPFlow) -> HeldRequest | None:
        """What is held of `flow`; it does not count any more."""
        held = self._held.pop(flow.id, None)
        if held is not None:
            held.dispatcher.release(held.cost)
        return held

    def take_all(self) -> list[HeldRequest]:
        """At the end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return [held for held in map(self.take, [held.flow for held in self._held.values()]) if held is not None]

    def _look(self) -> None:
        self._timer = None
        for held in [held for held in self._held.values() if not held.flow.live]:
            self.take(held.flow)
            self._on_end(held)
        if self._held:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
