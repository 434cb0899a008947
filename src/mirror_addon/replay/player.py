"""Plays turns: each when it is due, after what its client had waited for, and when there is room for it."""

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
"""Turns that may wait for others of their connections; then nothing more is read."""
_LATE = 0.001

Ending = asyncio.Future[Any]
_BREATH = 50


@dataclass(frozen=True, slots=True)
class Pace:
    """`speed`: times as fast as recorded, infinite for as fast as mirrors answer. `rate`: turns a second instead, come
    what may."""

    speed: float = 1.0
    rate: float | None = None

    def due(self, number: int, turn: Turn) -> float:
        """Seconds from the begin to the turn with this number, counted from 0."""
        if self.rate is not None:
            return number / self.rate
        return 0.0 if math.isinf(self.speed) else turn.at / self.speed


class Room:
    """So many shadows, and so many of their bytes, may be under way; others wait in their order. What does not fit at
    all goes alone."""

    def __init__(self, count: int, size: int) -> None:
        self._limits = count, size
        self._count = self._size = 0
        self._queue: deque[tuple[int, int, asyncio.Future[None]]] = deque()

    async def take(self, count: int, size: int) -> None:
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
    """`send(turn)` sends a turn's shadows and returns when all have their ends."""

    def __init__(self, pace: Pace, send: Callable[[Turn], Awaitable[None]]) -> None:
        self.latest = 0.0
        """Seconds that a turn went out after its time, at most."""
        self._pace = pace
        self._send = send
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: dict[str, dict[Ending, float]] = {}
        """By connection what has not ended, and until when of recorded time it lasted."""
        self._fewer = asyncio.Event()
        self._error: BaseException | None = None

    def stop(self) -> None:
        """Let no further turn begin; those that wait for others are given up."""
        self._stop.set()
        self._fewer.set()

    def cancel(self) -> None:
        """Wait for nothing any more."""
        for task in self._tasks:
            task.cancel()

    async def play(self, turns: Iterable[Turn]) -> None:
        """Return when all have ended, or after `stop` those that had begun. Raises what `turns` raise, then too after
        the end of those that had begun."""
        loop = asyncio.get_running_loop()
        try:
            begin: float | None = None
            for number, turn in enumerate(turns):
                if begin is None:
                    begin = loop.time()
                due = begin + self._pace.due(number, turn)
                if number % _BREATH == 0:
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
            self._keep(turn.connection, task, turn.until)

    def _before(self, turn: Turn) -> Ending | None:
        """What has to end first. Several ends become one, for all that begins later has to wait for them too."""
        others = self._under_way.setdefault(turn.connection, {})
        before = [task for task, until in others.items() if until <= turn.at]
        if len(before) < 2:
            return before[0] if before else None
        gate: Ending = asyncio.ensure_future(asyncio.wait(before))
        for task in before:
            del others[task]
        self._keep(turn.connection, gate, turn.at)
        return gate

    def _keep(self, connection: str, ending: Ending, until: float) -> None:
        self._under_way.setdefault(connection, {})[ending] = until
        ending.add_done_callback(lambda ending: self._forget(connection, ending))

    def _forget(self, connection: str, ending: Ending) -> None:
        others = self._under_way.get(connection)
        if others is not None:
            others.pop(ending, None)
            if not others:
                del self._under_way[connection]

    async def _play(self, turn: Turn, due: float, before: Ending | None) -> None:
        if before is not None:
            await asyncio.wait([before])
            if self._stop.is_set():
                return
        if not math.isinf(self._pace.speed) or self._pace.rate is not None:
            late = asyncio.get_running_loop().time() - due
            self.latest = max(self.latest, late if late > _LATE else 0.0)
        await self._send(turn)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = self._error or error
            self.stop()
        self._fewer.set()
