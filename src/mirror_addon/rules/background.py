"""Heavy work in a thread beside a busy event loop, without the loop feeling it.

Threads share the interpreter's lock, and each hands it over only every 5 ms by default: a request that waits for it a
dozen times then takes 60 ms longer. So it is handed over sooner, and work that comes in steps rests between them
(`giving_way`). And the collector looks at all that a table of 1,000 routes consists of three times before it is old,
each time for several milliseconds in which every thread stands still; building one of 10,000 routes took several full
collections of half a second.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import TypeVar

from mirror_addon.istio.parsing import collector_paused
from mirror_addon.rules.giving_way import giving_way

T = TypeVar("T")

SWITCH_INTERVAL = 0.0005
"""Seconds for which the building thread may hold the interpreter's lock while the loop waits for it."""


LOOK_AGAIN = 64
"""After so many exemptions all is looked at once more, for garbage that was exempt by mistake, as soon as the proxy has
nothing to do: every thread stands still for some 0.3 s."""
AT_MOST = 1024
"""After so many exemptions whether it has or not."""
IDLE = 2.0
"""Seconds without a collection of what is young: nothing was done."""


async def in_background(work: Callable[[], T], lives_long: Callable[[T], bool]) -> T:
    """The result of `work`, run in a thread. The loop goes on meanwhile; only one such call is to run at a time.

    `lives_long(result)`: exempt it, and all else that lives now, from later collections. Garbage in cycles that is not
    collected yet is kept as well, until all is looked at once more: not for small results.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, SWITCH_INTERVAL))
    try:
        with collector_paused():
            result = await asyncio.to_thread(_run, work)
            if lives_long(result):
                _exemptions.add()  # before the collector is on again: its first act would be to look at all of it
            return result
    finally:
        sys.setswitchinterval(interval)


def _run(work: Callable[[], T]) -> T:
    with giving_way(lambda: gc.collect(0)):
        return work()


class _Exemptions:
    """Since all was looked at the last time."""

    def __init__(self) -> None:
        self.count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self) -> None:
        gc.freeze()
        self.count += 1
        if self.count >= AT_MOST:
            exempt_what_is_loaded()
        elif self.count == LOOK_AGAIN:
            self._wait(asyncio.get_running_loop(), _young_collections())

    def _wait(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        self._timer = loop.call_later(IDLE, self._look, loop, before)

    def _look(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        if (now := _young_collections()) != before:
            self._wait(loop, now)
        else:
            exempt_what_is_loaded()

    def clear(self) -> None:
        self.count = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_exemptions = _Exemptions()


def _young_collections() -> int:
    return int(gc.get_stats()[0]["collections"])


def exempt_what_is_loaded() -> None:
    """At the end of a start: modules and rules live as long as the process, so let no later collection look at them.

    What an earlier start left behind (the script was saved and loaded again) is looked at once more, and goes.
    """
    _exemptions.clear()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
