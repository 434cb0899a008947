"""Heavy work in a thread beside a busy event loop, and what the garbage collector must not do meanwhile.

Measured with `python -m bench.reload_stops`, in CPU time of the proxy's process:

- Threads share the interpreter's lock. A thread that wants it waits for the switch interval, 5 ms by default, before
  the other one hands it over, and a request needs it a dozen times. A reload of 1,000 routes adds 13 ms to a request
  then, and 7 ms with an interval of 0.5 ms. Shorter intervals gain nothing.
- The collector would scan the growing rule set again and again while all threads stand still: for 24 ms with 1,000
  routes, and 250 ms with 10,000. It is off during the work. Building a rule set leaves no garbage in cycles.
- When the collector is on again, it would soon scan all of the new rule set at once: for 140 ms with 10,000 routes.
  `gc.freeze` exempts it before: it lives long, and it is freed by its reference count.

What is exempt includes garbage in cycles that others, such as mitmproxy's flows, left behind during the work. So, after
a number of reloads, everything is collected once, when the proxy has nothing to do.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

SWITCH_INTERVAL = 0.0005
"""Seconds for which the working thread may hold the interpreter's lock while the loop waits for it."""
LOOK_AGAIN = 64
"""Exemptions after which everything is collected once the proxy is idle. It stops all threads for some 0.3 s."""
AT_MOST = 1024
"""Exemptions after which everything is collected at once."""
IDLE = 2.0
"""Seconds without a collection of the youngest generation after which the proxy counts as idle."""


async def in_background(work: Callable[[], T]) -> T:
    """Return the result of `work`, which is run in a thread while the loop goes on.

    The result, and all other objects that exist then, are exempt from later garbage collections: it is for results that
    live long.
    """
    with beside_the_loop():
        result = await asyncio.to_thread(work)
        _exemptions.add()  # before the collector is on again
        return result


class _Works:
    """Those under way: there are two where the script is loaded again while the rules are."""

    count = 0
    interval = 0.0
    collecting = True


@contextmanager
def beside_the_loop() -> Iterator[None]:
    """Inside, a thread that works delays the loop as little as possible, and no garbage is collected."""
    if _Works.count == 0:
        _Works.interval, _Works.collecting = sys.getswitchinterval(), gc.isenabled()
        sys.setswitchinterval(min(_Works.interval, SWITCH_INTERVAL))
        gc.disable()
    _Works.count += 1
    try:
        yield
    finally:
        _Works.count -= 1
        if _Works.count == 0:
            sys.setswitchinterval(_Works.interval)
            if _Works.collecting:
                gc.enable()


class _Exemptions:
    """How often objects were exempt since everything was collected the last time."""

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
    """Collect all garbage, and exempt all other objects that exist from later collections. For the end of a start:
    modules and rules live as long as the process.

    What was exempt before is collected too, such as the objects of a script that was loaded again.
    """
    _exemptions.clear()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
