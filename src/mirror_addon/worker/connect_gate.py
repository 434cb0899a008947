"""How many new connections to one target are opened at a time.

Theory of operation. A development server often has a listen backlog of 5 and one thread (`http.server`): of a burst of
new connections it takes six, and the system drops the SYN segments of the others, which are sent again after a second.
That second would be measured, and the client's own requests to such a server would meet a full backlog.

`connect` returns when the system has the connection in the backlog, not when the server has accepted it. The first byte
of a response shows that. So at most `window` connections may be without one (as TCP does with segments):

- the window grows by one after as many connections whose first response came about as soon as the soonest so far: the
  server takes connections as they come. It stays if they come later: they wait for each other in the backlog.
- a connection that is not established after `HOLD_SECONDS` has lost its SYN, or meets no server: the window is halved,
  and does not grow for `REST_SECONDS`.
- after `HOLD_SECONDS`, a connection does not count any more. So requests that take long, and mirrors that hang, delay
  other connections to the same target only for that time; other targets have gates of their own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

START = 4
"""Connections at first: the smallest usual backlog, 5, has room for six."""
LEAST = 2
HOLD_SECONDS = 0.5
REST_SECONDS = 10.0
_QUICK = 1.5
_SLACK_SECONDS = 0.001


class Slot:
    """One new connection. `proved` and `release` may be called more than once."""

    __slots__ = ("_begun", "_gate", "_timer", "established")

    def __init__(self, gate: ConnectGate, loop: asyncio.AbstractEventLoop) -> None:
        self._gate = gate
        self._begun = loop.time()
        self.established: Callable[[], bool] = bool
        """Whether it is established."""
        self._timer: asyncio.TimerHandle | None = loop.call_later(HOLD_SECONDS, self._expire)

    def proved(self) -> None:
        """A response has begun to arrive on it."""
        if self._timer is not None:
            self._gate.proved(self._begun)
            self.release()

    def release(self) -> None:
        """It does not count any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._gate.leave()

    def _expire(self) -> None:
        if not self.established():
            self._gate.lost()
        self.release()


class ConnectGate:
    """The new connections to one target. `room()` is called when another one may be opened after it could not."""

    def __init__(self, room: Callable[[], None]) -> None:
        self.window = START
        self.open = 0
        """Slots that are in use."""
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._soonest = math.inf
        self._quick = 0
        """How many more proofs were quick than were not, since the window grew."""
        self._rests_until = 0.0

    @property
    def full(self) -> bool:
        """No other connection may be opened now."""
        return self.open >= self.window

    def enter(self) -> Slot:
        """Count a new connection. The caller has to release its slot."""
        self.open += 1
        return Slot(self, self._loop)

    # For slots

    def leave(self) -> None:
        """One slot less is in use."""
        self.open -= 1
        self._room()

    def proved(self, begun: float) -> None:
        """A connection that was begun at `begun` has the first byte of a response."""
        now = self._loop.time()
        took = now - begun
        self._soonest = min(self._soonest, took)
        if took > _QUICK * self._soonest + _SLACK_SECONDS:
            self._quick = max(self._quick - 1, 0)
            return
        self._quick += 1
        if self._quick >= self.window and now >= self._rests_until:
            self.window += 1
            self._quick = 0

    def lost(self) -> None:
        """A connection was not established in time. Those of one burst count once."""
        now = self._loop.time()
        if now >= self._rests_until - REST_SECONDS + HOLD_SECONDS:
            self.window = max(self.window // 2, LEAST)
            self._rests_until = now + REST_SECONDS
