"""In which order and when recorded requests go out again. Pure.

Captures list exchanges by their ends. What is due is found in a window of them, so a capture of any length plays in
bounded memory; a request that took longer than the window goes when it is found.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass

from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.stream import CaptureError

WINDOW = 2000
WINDOW_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Turn:
    """A request and when it goes out. Times are seconds of recorded time since the replay's begin."""

    recorded: Recorded
    at: float
    until: float
    """When its client had the answer: what began later on the connection, waits for this one's end."""
    connection: str
    id: str
    number: int
    """Counts the turns, from 0: with a seed it decides what is left to chance."""
    done: int
    """Bytes of captures read up to it, over all passes."""


def by_start(
    exchanges: Iterable[Recorded], window: int = WINDOW, window_bytes: int = WINDOW_BYTES
) -> Iterator[Recorded]:
    """The exchanges by their beginnings, as far as a window of so many, or of so many bytes, can tell.

    A CaptureError comes out after all that came before it.
    """
    problem: CaptureError | None = None
    heap: list[tuple[float, int, Recorded]] = []
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


def turns(
    captures: Iterable[Callable[[], Iterable[Recorded]]],
    sizes: list[int],
    *,
    amplify: int = 1,
    loops: float = 1,
) -> Iterator[Turn]:
    """Every request `amplify` times at once, each time on a connection of its own; all of it `loops` times.

    One capture after the other: each begins where the one before had its last request. `captures` give their exchanges
    anew each time they are called; a pass without any is the last.
    """
    readers = list(captures)
    base = 0.0
    count = passes = read = 0
    while passes < loops:
        before = count
        for place, (reader, size) in enumerate(zip(readers, sizes, strict=True)):
            origin: float | None = None
            last = base
            for each in by_start(reader()):
                if origin is None:
                    origin = each.started
                at = base + max(0.0, each.started - origin)
                until = at + (each.ended - each.started)
                for copy in range(amplify):
                    id = f"{each.id}.{count}" if passes or place or copy else each.id
                    yield Turn(each, at, until, f"{each.connection}#{copy}", id, count, read + each.position)
                    count += 1
                last = max(last, at)
            base = last
            read += size
        passes += 1
        if count == before:
            return
