"""Starts each turn when it is due, after the responses that its client had waited for, and when there is room for it.

On a recorded connection a client sent a request after it had some of the earlier responses. A replay keeps that
order: a turn waits for the end of all turns of its connection whose `until` is not after its own `at`. Requests that
overlapped on the connection (HTTP/2) may overlap again. Where the connection is not known (HAR of most programs), those
that began at the same moment are sent in turn: their order is all that is known of them. With a fixed rate, nothing is
waited for.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mirror_addon.replay.order import Turn

MAX_WAITING = 2000
"""Turns started and not ended, most of them waiting for their connections; beyond it nothing more is read."""
_LATE = 0.001
"""Seconds. A smaller delay is the event loop's timer, not lateness."""
_YIELD_EVERY = 50
"""Turns. Between turns that are all due nothing else awaits, and the event loop must serve the workers' pipes."""

Ending = asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """When turns start: at their recorded times, faster or slower, or at a fixed rate.

    Raises ValueError where both are given.
    """

    speed: float | None = None
    """Times as fast as recorded; infinity: as fast as the mirrors respond; None: as recorded."""
    rate: float | None = None
    """Turns a second, whether or not the mirrors respond."""

    def __post_init__(self) -> None:
        if self.speed is not None and self.rate is not None:
            raise ValueError("--speed and --rate cannot be combined; give one of them")

    @property
    def timed(self) -> bool:
        """Whether a turn has a time, so that it can be late."""
        return self.rate is not None or self.speed != math.inf

    def due(self, number: int, turn: Turn) -> float:
        """Seconds from the start of the replay to the turn with this number, counted from 0."""
        return turn.at / (self.speed or 1.0) if self.rate is None else number / self.rate


class Room:
    """Limits how many shadows, and how many bytes of them, are in flight. Who does not fit waits, first in, first out.

    What exceeds a limit by itself is admitted when nothing else is in flight.
    """

    def __init__(self, count: int, size: int) -> None:
        self._limits = count, size
        self._count = self._size = 0
        self._queue: deque[tuple[int, int, asyncio.Future[None]]] = deque()

    async def take(self, count: int, size: int) -> None:
        """Wait until `count` shadows of `size` bytes together fit, and reserve that."""
        place = asyncio.get_running_loop().create_future()
        self._queue.append((count, size, place))
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give(count, size)
            raise

    def give(self, count: int, size: int) -> None:
        """Release what `take` reserved."""
        self._count -= count
        self._size -= size
        self._admit()

    def _admit(self) -> None:
        most, bytes = self._limits
        while self._queue:
            count, size, place = self._queue[0]
            fits = self._count + count <= most and self._size + size <= bytes
            if not fits and self._count and not place.cancelled():
                return
            self._queue.popleft()
            if not place.cancelled():
                self._count += count
                self._size += size
                place.set_result(None)


class Player:
    """`send(turn)` sends a turn's shadows and returns when all of them have ended."""

    def __init__(self, pace: Pace, send: Callable[[Turn], Awaitable[None]]) -> None:
        self.latest = 0.0
        """Seconds that a turn started after its time, at most."""
        self._pace = pace
        self._send = send
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight: dict[str, dict[Ending, tuple[float, float]]] = {}
        """By connection, the turns that have not ended, with their `at` and `until`."""
        self._fewer = asyncio.Event()
        self._error: BaseException | None = None

    def stop(self) -> None:
        """Start no further turn, not even those that wait for their connections."""
        self._stop.set()
        self._fewer.set()

    def cancel(self) -> None:
        """Cancel the turns that have not ended."""
        for task in self._tasks:
            task.cancel()

    async def play(self, turns: Iterable[Turn]) -> None:
        """Return when all turns have ended; after `stop`, when those that had started have.

        Raises what `turns` or `send` raise, after the turns that had started have ended.
        """
        loop = asyncio.get_running_loop()
        try:
            begin: float | None = None
            for number, turn in enumerate(turns):
                if begin is None:
                    begin = loop.time()
                due = begin + self._pace.due(number, turn)
                if number % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
                await self._until(due)
                while len(self._tasks) >= MAX_WAITING and self._pace.rate is None and not self._stop.is_set():
                    self._fewer.clear()
                    await self._fewer.wait()
                if self._stop.is_set():
                    break
                self._begin(turn, due)
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks)
        if self._error is not None:
            raise self._error

    async def _until(self, due: float) -> None:
        left = due - asyncio.get_running_loop().time()
        if left > 0:
            try:
                await asyncio.wait_for(self._stop.wait(), left)
            except TimeoutError:
                pass

    def _begin(self, turn: Turn, due: float) -> None:
        before = self._before(turn) if self._pace.rate is None else None
        task = asyncio.create_task(self._play(turn, due, before))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if self._pace.rate is None:
            self._keep(turn.connection, task, turn.at, turn.until)

    def _before(self, turn: Turn) -> Ending | None:
        """What has to end first: None, a turn, or a future for several.

        Several turns are replaced by that one future in `_in_flight`, because every later turn of the connection has to
        wait for all of them too. Without it, a long connection would cost quadratic time.
        """
        others = self._in_flight.setdefault(turn.connection, {})
        same = turn.at if turn.recorded.in_turn else None
        before = [task for task, (at, until) in others.items() if until <= turn.at or at == same]
        if len(before) < 2:
            return before[0] if before else None
        gate: Ending = asyncio.ensure_future(asyncio.wait(before))
        for task in before:
            del others[task]
        self._keep(turn.connection, gate, turn.at, turn.at)
        return gate

    def _keep(self, connection: str, ending: Ending, at: float, until: float) -> None:
        self._in_flight.setdefault(connection, {})[ending] = at, until
        ending.add_done_callback(lambda ending: self._forget(connection, ending))

    def _forget(self, connection: str, ending: Ending) -> None:
        others = self._in_flight.get(connection)
        if others is not None:
            others.pop(ending, None)
            if not others:
                del self._in_flight[connection]

    async def _play(self, turn: Turn, due: float, before: Ending | None) -> None:
        if before is not None:
            await asyncio.wait([before])
            if self._stop.is_set():
                return
        if self._pace.timed:
            late = asyncio.get_running_loop().time() - due
            self.latest = max(self.latest, late if late > _LATE else 0.0)
        await self._send(turn)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = self._error or error
            self.stop()
        self._fewer.set()
