"""Waits, at the end of a dispatcher, for what may still come of its shadows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Iterable

from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State


class Drain:
    """`mine` gives the shadows that the dispatcher's workers hold, or owe a verdict."""

    def __init__(self, mine: Callable[[], Iterable[Shadow]]) -> None:
        self._mine = mine
        self._over: asyncio.Future[None] | None = None
        """None until something is waited for."""

    async def wait(self, seconds: float) -> None:
        """Return when nothing is to come any more, after so many seconds at most."""
        if any(map(awaits, self._mine())):
            self._over = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._over], timeout=seconds)

    def look(self) -> None:
        """Something has come."""
        if self._over is not None and not (self._over.done() or any(map(awaits, self._mine()))):
            self._over.set_result(None)


def awaits(shadow: Shadow) -> bool:
    """Whether something may still come of it in order.

    Nothing will where it was dropped while its primary has no response, which may hang: its worker records it at the
    end.
    """
    return shadow.in_worker or shadow.state is not State.DROPPED or shadow.primary.answer_is_sent
