"""How much of the worker's time one mirror may take by sending its responses in tiny parts.

Theory of operation. All lanes share one event loop. Bytes that are there already are parsed without waiting, so that a
buffer of one-byte chunks, or of interim responses, keeps the loop for as long as its parts are many. Reading therefore
gives way after `TURN_SECONDS` of processor time, and a turn that was longer is charged to the mirror: while other
mirrors get shadows, it may take `SHARE` of the loop's time in such turns. A mirror that has taken more is read later.
Turns that are shorter are not charged, and ordinary responses have no others.
"""

from __future__ import annotations

import weakref

TURN_SECONDS = 0.0005
SHARE = 0.1
_BURST_SECONDS = 0.02
_RECENT_SECONDS = 1.0
"""Another mirror has to have got a shadow in this time."""
_MOST_SECONDS = 0.1
"""What one turn is charged at most."""
MAX_INFORMATIONAL = 100
"""Interim responses (1xx) before a response. Others are as good as a body without end."""


class Pace:
    """The long turns of one mirror. `now` and `spent` are in seconds."""

    __slots__ = ("__weakref__", "_at", "_debt", "used_at")

    def __init__(self) -> None:
        self.used_at = float("-inf")
        """When it last got a shadow."""
        self._debt = 0.0
        self._at = 0.0
        _paces.add(self)

    def after(self, spent: float, now: float) -> float:
        """Charge a long turn that took `spent`. Return how long the mirror is not to be read."""
        self._debt = max(0.0, self._debt - SHARE * (now - self._at)) + min(spent, _MOST_SECONDS)
        self._at = now
        if not any(pace is not self and now - pace.used_at < _RECENT_SECONDS for pace in _paces):
            return 0.0
        return max(0.0, (self._debt - _BURST_SECONDS) / SHARE)


_paces: weakref.WeakSet[Pace] = weakref.WeakSet()
"""Those of all mirrors of this process."""
