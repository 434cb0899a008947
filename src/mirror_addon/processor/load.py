"""Whether the event loop keeps up with what Envoy sends.

A processor that comes too late to its messages holds Envoy's buffers, and in the end its clients. So while the loop is
late, new exchanges are left at their first message, which costs a fifth of a whole one, and those begun are finished.
"""

from __future__ import annotations

import asyncio

EVERY = 0.05
"""Seconds between two looks."""
LATE = 0.25
"""Seconds that the loop may be late."""
LOOKS = 4
"""In a row. A machine that is busy for a moment, or a reload of the rules, is no overload."""


class Load:
    """`overloaded` is what the newest look found."""

    def __init__(self) -> None:
        self.overloaded = False
        self.latest = 0.0
        """Seconds by which the loop was late at most."""
        self._late = 0
        """Looks in a row that found the loop late."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look from now on. Needs the running event loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(EVERY, self._look, loop.time() + EVERY)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def look(self, late: float) -> None:
        """Take the seconds by which the loop is late. It has caught up when that is less than half of `LATE`."""
        self.latest = max(self.latest, late)
        self._late = self._late + 1 if late > (LATE / 2 if self.overloaded else LATE) else 0
        self.overloaded = self._late >= LOOKS or (self.overloaded and self._late > 0)

    def _look(self, due: float) -> None:
        self.look(asyncio.get_running_loop().time() - due)
        self.start()
