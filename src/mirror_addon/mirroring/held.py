"""Requests that wait for the primary's response, because their filter (`mirror-addon/when`) depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitmproxy import http

if TYPE_CHECKING:
    from mirror_addon.admission.when import When
    from mirror_addon.dispatch.dispatcher import Dispatcher
    from mirror_addon.flows.exchange import Exchange

_OVERHEAD = 1024
"""Bytes that a held request counts besides its body."""


@dataclass(slots=True)
class HeldRequest:
    """A complete request. Its `cost` in bytes counts in the queue of `dispatcher`."""

    flow: http.HTTPFlow
    exchange: Exchange
    body: bytes
    when: When
    dispatcher: Dispatcher
    cost: int


class HeldRequests:
    """The requests that are held, by their flows."""

    def __init__(self) -> None:
        self._held: dict[str, HeldRequest] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size(self) -> int:
        """Bytes of all held requests."""
        return sum(held.cost for held in self._held.values())

    def hold(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes, when: When, dispatcher: Dispatcher) -> bool:
        """Hold a request. Returns False, and holds nothing, if it does not fit into `mirror_queue`."""
        cost = _OVERHEAD + len(body)
        if not dispatcher.reserve(cost):
            return False
        self._held[flow.id] = HeldRequest(flow, exchange, body, when, dispatcher, cost)
        return True

    def take(self, flow: http.HTTPFlow) -> HeldRequest | None:
        """Remove and return the held request of `flow`, None if there is none."""
        held = self._held.pop(flow.id, None)
        if held is not None:
            held.dispatcher.release(held.cost)
        return held

    def take_all(self) -> list[HeldRequest]:
        """Remove and return all held requests."""
        return [held for held in map(self.take, [held.flow for held in self._held.values()]) if held is not None]

    def take_dead(self) -> list[HeldRequest]:
        """Remove and return the held requests whose flows are no longer live: some end without a hook of mitmproxy."""
        dead = [held.flow for held in self._held.values() if not held.flow.live]
        return [held for held in map(self.take, dead) if held is not None]
