"""Which recorded requests are sent, in which order, and at which time. Pure: no I/O and no clock.

Captures list exchanges in the order in which they ended, but a replay sends requests in the order in which they began
(`captures.by_start`).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass

from mirror_addon.captures.by_start import by_start
from mirror_addon.captures.entry import Recorded


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often each request is sent."""

    amplify: int = 1
    """Copies sent at the same time, each on a connection of its own."""
    loops: float = 1
    """Passes over all captures; infinity: until Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request and when it is sent. Times are seconds of recorded time since the start of the replay."""

    recorded: Recorded
    at: float
    until: float
    """When its client had the response. A request that began later on this connection waits for this turn's end."""
    connection: str
    id: str
    number: int
    """Counts the turns, from 0. With the seed it determines the turn's random numbers."""
    done: int
    """Bytes of captures read up to it, over all passes."""


def turns(
    captures: Iterable[Callable[[], Iterable[Recorded]]], sizes: list[int], repeats: Repeats = Repeats()
) -> Iterator[Turn]:
    """The turns of a replay.

    Captures are replayed one after the other: each starts at the time of the last request of the one before. A capture
    is a function that returns its exchanges and is called once a pass; `sizes` are the captures' lengths in bytes. The
    first pass without any exchange ends the replay, so that an endless loop over nothing ends.
    """
    readers = list(captures)
    base = 0.0
    count = passes = read = 0
    while passes < repeats.loops:
        before = count
        for place, (reader, size) in enumerate(zip(readers, sizes, strict=True)):
            origin: float | None = None
            last = base
            for each in by_start(reader()):
                if origin is None:
                    origin = each.started
                at = base + max(0.0, each.started - origin)
                until = at + (each.ended - each.started)
                for copy in range(repeats.amplify):
                    id = f"{each.id}.{count}" if passes or place or copy else each.id
                    yield Turn(each, at, until, f"{each.connection}#{copy}", id, count, read + each.position)
                    count += 1
                last = max(last, at)
            base = last
            read += size
        passes += 1
        if count == before:
            return
