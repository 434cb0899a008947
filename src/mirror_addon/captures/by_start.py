"""Exchanges in the order in which their requests began. Captures list most of them in the order in which they ended.

They are sorted within a window of limited size, so that a capture of any length is read in bounded memory. A request
that lasted longer than the window comes late, when it is read.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Protocol
from typing import TypeVar

from mirror_addon.captures.stream import CaptureError

WINDOW = 2000
"""Exchanges."""
WINDOW_BYTES = 64 * 1024 * 1024
"""Bytes of their bodies."""


class Started(Protocol):
    """`started`: seconds since the epoch. `size`: bytes of its bodies."""

    @property
    def started(self) -> float: ...

    @property
    def size(self) -> int: ...


Each = TypeVar("Each", bound=Started)


def by_start(exchanges: Iterable[Each], window: int = WINDOW, window_bytes: int = WINDOW_BYTES) -> Iterator[Each]:
    """The exchanges sorted by start time, within a window of so many exchanges and bytes of bodies.

    Where `exchanges` raises CaptureError, it is raised after everything that was read before it.
    """
    problem: CaptureError | None = None
    heap: list[tuple[float, int, Each]] = []
    waiting = 0
    try:
        for number, each in enumerate(exchanges):
            heapq.heappush(heap, (each.started, number, each))
            waiting += each.size
            while len(heap) > window or (waiting > window_bytes and len(heap) > 1):
                first = heapq.heappop(heap)[2]
                waiting -= first.size
                yield first
    except CaptureError as error:
        problem = error
    while heap:
        yield heapq.heappop(heap)[2]
    if problem is not None:
        raise problem
