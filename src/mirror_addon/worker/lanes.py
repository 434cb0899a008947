"""Lanes: how many shadows the worker has in flight to one target.

A target has up to `mirror_concurrency` lanes. A lane is a task with one connection of its own, which sends one shadow
after the other. It is opened when all others are busy and closed when it has been idle for some seconds. Targets share
no lanes, so that a mirror that hangs delays no shadow to another. New connections are opened a few at a time
(`connect_gate`); a job that needs one waits without a lane.

Why one connection a lane, and not a pool: httpx's pool looks at all of its connections, with a system call each, at
every request. With 64 to 256 requests at a time, one shared `httpx.AsyncClient` sent 154 requests a second on two
cores at 6.4 ms of CPU each, and lanes with a connection of their own sent 2,900 at 0.3 ms.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from collections.abc import Callable

from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.request import Target
from mirror_addon.worker.attempt import ABORTED
from mirror_addon.worker.attempt import Attempt
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.connect_gate import ConnectGate
from mirror_addon.worker.connect_gate import Slot
from mirror_addon.worker.job import Job
from mirror_addon.worker.transport import LaneTransport

IDLE_SECONDS = 4.0
"""Time after which an idle lane closes. It is shorter than the 5 s after which the servers of Node and uvicorn close
an idle connection, so that a shadow is rarely written to a connection that the mirror is closing."""


Turn = tuple[Job, Slot | None]
"""A job for a lane, and a slot if it is to be sent on a new connection."""


class Lane:
    """One connection and the task that uses it."""

    def __init__(self, lanes: TargetLanes) -> None:
        self.idle: asyncio.Future[Turn | None] | None = None
        """While the lane is idle: takes the next turn, or None to close the lane."""
        self.idle_since = 0.0
        self._lanes = lanes
        self._transport = LaneTransport(lanes.target)
        self._loop = asyncio.get_running_loop()

    @property
    def connected(self) -> bool:
        """Whether its connection can carry another request."""
        return self._transport.reusable()

    async def run(self, turn: Turn | None) -> None:
        """Take this turn and all that follow, until the lane is closed."""
        lanes = self._lanes
        try:
            while turn is not None:
                await self._send(*turn)
                turn = lanes.next(self) or await self._wait()
        finally:
            lanes.lanes.discard(self)
            await self._transport.aclose()

    async def _send(self, job: Job, slot: Slot | None) -> None:
        lanes = self._lanes
        if job.aborted:  # between being taken and this task's first step
            report: Report | None = ABORTED._replace(error=job.reason)
            body = b""
        else:
            if slot is not None:
                await self._transport.aclose()
                slot.established = self._is_established
            report, body = await Attempt(job, self._transport, lanes.budget, lanes.credit, slot).run()
        if slot is not None:
            slot.release()
        if report is None:
            lanes.again(job)
        else:
            await lanes.done(job, report, body)

    def _is_established(self) -> bool:
        return self._transport.stream is not None

    async def _wait(self) -> Turn | None:
        self.idle = self._loop.create_future()
        self.idle_since = self._loop.time()
        self._lanes.rest(self)
        return await self.idle


class TargetLanes:
    """The lanes of one target, and the shadows that wait for one.

    `done(job, report, body)` is awaited after each attempt; until it returns, its lane takes no other shadow.
    `credit(job, size)` is called for each part of a request body that has been sent.
    """

    def __init__(
        self,
        target: Target,
        concurrency: int,
        done: Callable[[Job, Report, bytes], Awaitable[None]],
        credit: Callable[[Job, int], None],
        budget: Budget,
    ) -> None:
        self.target = target
        self.lanes: set[Lane] = set()
        self.idle: list[Lane] = []
        self.waiting: deque[Job] = deque()
        self.done = done
        self.credit = credit
        self.budget = budget
        self.gate = ConnectGate(self._assign)
        self._concurrency = concurrency
        self._tasks: set[asyncio.Task[None]] = set()
        """The event loop keeps only weak references to tasks."""

    def submit(self, job: Job) -> None:
        """Give the job to an idle lane or to a new one, or let it wait."""
        self.waiting.append(job)
        self._assign()

    def again(self, job: Job) -> None:
        """Let a job be sent once more before all others, on a new connection."""
        job.started = False
        self.waiting.appendleft(job)
        self._assign()

    def next(self, lane: Lane) -> Turn | None:
        """The turn for a lane that is free: the job that has waited longest, and a slot where it needs a connection."""
        if not self._has_waiting():
            return None
        fresh = self.waiting[0].again or not lane.connected
        if fresh and self.gate.full:
            return None
        job = self.waiting.popleft()
        job.started = True
        return job, self.gate.enter() if fresh else None

    def rest(self, lane: Lane) -> None:
        """A lane is idle. Of the idle lanes, the one that was busy last is taken next: the others then stay idle until
        they are closed. Those without a connection come last."""
        if lane.connected:
            self.idle.append(lane)
        else:
            self.idle.insert(0, lane)

    def _assign(self) -> None:
        """Give waiting jobs to idle lanes and to new ones, as far as connections may be opened."""
        while self._has_waiting():
            if self.idle:
                turn = self.next(self.idle[-1])
                if turn is None:
                    return
                future = self.idle.pop().idle
                assert future is not None
                future.set_result(turn)
            elif len(self.lanes) < self._concurrency and not self.gate.full:
                job = self.waiting.popleft()
                job.started = True
                lane = Lane(self)
                self.lanes.add(lane)
                task = asyncio.create_task(lane.run((job, self.gate.enter())))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                return

    def _has_waiting(self) -> bool:
        """Whether a job waits that is not aborted. The ends of aborted ones have been reported."""
        while self.waiting and self.waiting[0].aborted:
            self.waiting.popleft()
        return bool(self.waiting)

    def flush(self) -> list[Job]:
        """Remove all waiting jobs and return those that are not aborted."""
        flushed = [job for job in self.waiting if not job.aborted]
        self.waiting.clear()
        return flushed

    def sweep(self, now: float) -> None:
        """Close the lanes that have been idle for too long. `now` is the loop's time."""
        old = [lane for lane in self.idle if now - lane.idle_since >= IDLE_SECONDS]
        if old:
            self.idle = [lane for lane in self.idle if now - lane.idle_since < IDLE_SECONDS]
        for lane in old:
            # Its task does this as well, but only in its next step, and `submit` may be called before that.
            self.lanes.discard(lane)
            assert lane.idle is not None
            lane.idle.set_result(None)

    def numbers(self) -> tuple[str, int, int, int]:
        """The target's label, and the numbers of its lanes, busy lanes and waiting shadows."""
        return self.target.label, len(self.lanes), len(self.lanes) - len(self.idle), len(self.waiting)
