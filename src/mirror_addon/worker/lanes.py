"""Lanes: how many shadows the worker has in flight to one target.

A target has up to `mirror_concurrency` lanes. A lane is a task with one connection of its own, which sends one shadow
after the other. It is opened when all others are busy and closed when it has been idle for some seconds. Targets share
no lanes, so that a mirror that hangs delays no shadow to another.

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
from mirror_addon.worker.job import Job
from mirror_addon.worker.transport import LaneTransport

IDLE_SECONDS = 4.0
"""Time after which an idle lane closes. It is shorter than the 5 s after which the servers of Node and uvicorn close
an idle connection, so that a shadow is rarely written to a connection that the mirror is closing."""


class Lane:
    """One connection and the task that uses it."""

    def __init__(self, lanes: TargetLanes) -> None:
        self.idle: asyncio.Future[Job | None] | None = None
        """While the lane is idle: takes the next job, or None to close the lane."""
        self.idle_since = 0.0
        self._lanes = lanes
        self._transport = LaneTransport(lanes.target)
        self._loop = asyncio.get_running_loop()

    async def run(self, job: Job | None) -> None:
        """Send `job` and all that follow, until the lane is closed."""
        lanes = self._lanes
        try:
            while job is not None:
                if job.aborted:  # between being taken and this task's first step
                    report, body = ABORTED._replace(error=job.reason), b""
                else:
                    report, body = await Attempt(job, self._transport, lanes.budget, lanes.credit).run()
                await lanes.done(job, report, body)
                job = lanes.next() or await self._wait()
        finally:
            lanes.lanes.discard(self)
            await self._transport.aclose()

    async def _wait(self) -> Job | None:
        self.idle = self._loop.create_future()
        self.idle_since = self._loop.time()
        self._lanes.idle.append(self)
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
        self._concurrency = concurrency
        self._tasks: set[asyncio.Task[None]] = set()
        """The event loop keeps only weak references to tasks."""

    def submit(self, job: Job) -> None:
        """Give the job to an idle lane or to a new one, or let it wait.

        Of the idle lanes, the one that was busy last is taken: the others then stay idle until they are closed.
        """
        if self.idle:
            lane = self.idle.pop()
            assert lane.idle is not None
            job.started = True
            lane.idle.set_result(job)
        elif len(self.lanes) < self._concurrency:
            job.started = True
            lane = Lane(self)
            self.lanes.add(lane)
            task = asyncio.create_task(lane.run(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self.waiting.append(job)

    def next(self) -> Job | None:
        """Take the job that has waited longest, if there is one. The ends of aborted ones have been reported."""
        while self.waiting:
            job = self.waiting.popleft()
            if not job.aborted:
                job.started = True
                return job
        return None

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
