"""Heavy work in a thread beside a busy event loop, without the loop feeling it.

Threads share the interpreter's lock, and each hands it over only every 5 ms by default: a request that waits for it a
dozen times then takes 60 ms longer. And building a table of 10,000 routes makes enough objects for several full
collections, each of which stops every thread for half a second and more. Measured with such a table and a loop that
wakes each millisecond: 540 ms at worst without these measures, 10-15 ms with them, on either Python line.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import TypeVar

from mirror_addon.istio.parsing import collector_paused

T = TypeVar("T")

SWITCH_INTERVAL = 0.0005
"""Seconds for which the building thread may hold the interpreter's lock while the loop waits for it."""


async def in_background(work: Callable[[], T], lives_long: Callable[[T], bool]) -> T:
    """The result of `work`, run in a thread. The loop goes on meanwhile; only one such call is to run at a time.

    `lives_long(result)`: exempt it, and all else that lives now, from later collections. Garbage in cycles that is not
    collected yet is kept as well, some megabytes where a busy proxy reloads a large table: not for small ones.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, SWITCH_INTERVAL))
    try:
        with collector_paused():
            result = await asyncio.to_thread(work)
            if lives_long(result):
                gc.freeze()  # before the collector is on again: its first act would be to look at all of it
            return result
    finally:
        sys.setswitchinterval(interval)


def exempt_what_is_loaded() -> None:
    """At the end of a start: modules and rules live as long as the process, so let no later collection look at them.

    What an earlier start left behind (the script was saved and loaded again) is looked at once more, and goes.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
