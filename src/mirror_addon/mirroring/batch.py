"""Small requests whose shadows are made a moment later, many in one go.

A hand-over between two requests finds the processor's caches full of other things, and takes half as long again as one
after another hand-over. What is gathered, and for how long, is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from mitmproxy import http

from mirror_addon.flows.exchange import Exchange

SECONDS = 0.01
MOST = 64
"""Requests and answers."""
LARGEST = 16 * 1024
"""Bytes of a body that may wait."""


class Offer(NamedTuple):
    """A request that is there as a whole."""

    flow: http.HTTPFlow
    exchange: Exchange
    body: bytes


class Answered(NamedTuple):
    """The end of a primary, and what `status_and_time` said of it then."""

    flow: http.HTTPFlow
    end: tuple[int | None, float | None]


class Batch:
    """Holds what comes, in its order. `hand_over` gets all of it, `SECONDS` after the first came at the latest."""

    def __init__(self, hand_over: Callable[[list[Offer | Answered]], None]) -> None:
        self._hand_over = hand_over
        self._gathered: list[Offer | Answered] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._gathered)

    def add(self, item: Offer | Answered) -> None:
        """Needs the running loop."""
        gathered = self._gathered
        gathered.append(item)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self.flush)
        elif len(gathered) >= MOST:
            self.flush()

    def flush(self) -> None:
        """Hand over what is there now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._hand_over(gathered)
