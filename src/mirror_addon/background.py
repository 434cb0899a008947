"""Heavy work in a thread beside a busy event loop, without the loop feeling it.

Threads share the interpreter's lock, and each hands it over only every 5 ms by default: a request that waits for it a
dozen times then takes 60 ms longer. And building a table of 10,000 routes makes enough objects for several full
collections, each of which stops every thread for half a second and more. Measured with such a table and a loop that
wakes each millisecond: 540 ms at worst without these measures, 10-15 ms with them, on either Python line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

SWITCH_INTERVAL = 0.0005
"""Seconds for which the building thread may hold the interpreter's lock while the loop waits for it."""


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection inside. What is built there lives long: collecting it again and again finds nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


async def in_background(work: Callable[[], T]) -> T:
    """The result of `work`, run in a thread. The loop goes on meanwhile; only one such call is to run at a time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, SWITCH_INTERVAL))
    try:
        with collector_paused():
            return await asyncio.to_thread(work)
    finally:
        sys.setswitchinterval(interval)


def keep_from_collector() -> None:
    """Exempt all that lives now from later collections, so that a large table does not cost half a second each time.

    Garbage in cycles that is not collected yet is kept as well: some megabytes where a busy proxy reloads a large
    table, which is why this is not for small ones.
    """
    gc.freeze()
