"""Lanes: how many shadows the worker has in flight to one target.

A target has up to `mirror_concurrency` lanes. A lane is a task with one connection of its own, which sends one shadow
after the other. It is opened when all others are busy and closed when it has been idle for some seconds. Targets share
no lanes, so that a mirror that hangs delays no shadow to another. New connections are opened a few at a time
(`connect_gate`); a job that needs one waits without a lane.

A shadow is sent while its client still uploads the body, and its deadline does not run while the lane waits for the
client. So that slow clients do not hold all lanes, `UPLOAD_SHARE` of them take such shadows and the rest only those
whose body is complete. If uploads wait for that share to have room, those give their lane up that have kept one waiting
for `PATIENCE_SECONDS` in all, the longest first.

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
from mirror_addon.worker.pace import Pace
from mirror_addon.worker.transport import LaneTransport

IDLE_SECONDS = 4.0
"""Time after which an idle lane closes. It is shorter than the 5 s after which the servers of Node and uvicorn close
an idle connection, so that a shadow is rarely written to a connection that the mirror is closing."""

UPLOAD_SHARE = 0.75
"""Share of the lanes that may wait for parts of a body. With a concurrency of 1 there is no rest."""
PATIENCE_SECONDS = 5.0

Turn = tuple[Job, Slot | None]
"""A job for a lane, and a slot if it is to be sent on a new connection."""


class Lane:
    """One connection and the task that uses it."""

    def __init__(self, lanes: TargetLanes) -> None:
        self.idle: asyncio.Future[Turn | None] | None = None
        """While the lane is idle: takes the next turn, or None to close the lane."""
        self.idle_since = 0.0
        self._lanes = lanes
        self._transport = LaneTransport(lanes.target, lanes.pace)
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
        lanes.ended(job)
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
        """Jobs whose body is complete."""
        self.uploads: deque[Job] = deque()
        """Waiting jobs whose body is still arriving."""
        self._arriving: set[Job] = set()
        """The same of those that have a lane."""
        self._most_arriving = max(1, int(concurrency * UPLOAD_SHARE))
        self.done = done
        self.credit = credit
        self.budget = budget
        self.gate = ConnectGate(self._assign)
        self.pace = Pace()
        self._concurrency = concurrency
        self._tasks: set[asyncio.Task[None]] = set()
        """The event loop keeps only weak references to tasks."""

    def submit(self, job: Job) -> None:
        """Give the job to an idle lane or to a new one, or let it wait."""
        self.pace.used_at = asyncio.get_running_loop().time()
        if job.complete:
            self.waiting.append(job)
        else:
            job.on_complete = self._completed
            self.uploads.append(job)
        self._assign()

    def _completed(self, job: Job) -> None:
        """The body of an upload has arrived as a whole."""
        if job.started:
            self._arriving.discard(job)
        elif job in self.uploads:
            self.uploads.remove(job)
            self.waiting.append(job)
        self._assign()

    def ended(self, job: Job) -> None:
        """Its lane is done with it."""
        self._arriving.discard(job)

    def again(self, job: Job) -> None:
        """Let a job be sent once more before all others, on a new connection."""
        job.started = False
        self.waiting.appendleft(job)
        self._assign()

    def next(self, lane: Lane) -> Turn | None:
        """The turn for a lane that is free: the job that has waited longest, and a slot where it needs a connection."""
        queue = self._queue()
        if queue is None:
            return None
        fresh = queue[0].again or not lane.connected
        if fresh and self.gate.full:
            return None
        return self._take(queue), self.gate.enter() if fresh else None

    def _take(self, queue: deque[Job]) -> Job:
        job = queue.popleft()
        job.started = True
        if not job.complete:
            self._arriving.add(job)
        return job

    def rest(self, lane: Lane) -> None:
        """A lane is idle. Of the idle lanes, the one that was busy last is taken next: the others then stay idle until
        they are closed. Those without a connection come last."""
        if lane.connected:
            self.idle.append(lane)
        else:
            self.idle.insert(0, lane)

    def _assign(self) -> None:
        """Give waiting jobs to idle lanes and to new ones, as far as connections may be opened."""
        while (queue := self._queue()) is not None:
            if self.idle:
                turn = self.next(self.idle[-1])
                if turn is None:
                    return
                future = self.idle.pop().idle
                assert future is not None
                future.set_result(turn)
            elif len(self.lanes) < self._concurrency and not self.gate.full:
                lane = Lane(self)
                self.lanes.add(lane)
                task = asyncio.create_task(lane.run((self._take(queue), self.gate.enter())))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                return

    def _queue(self) -> deque[Job] | None:
        """The queue with the job that may be sent next: the older one of both. None if no job may be sent."""
        waiting, uploads = self.waiting, self.uploads
        for queue in (waiting, uploads):
            while queue and queue[0].aborted:  # its end has been reported
                queue.popleft()
        if not uploads or len(self._arriving) >= self._most_arriving:
            return waiting or None
        if waiting and (waiting[0].again or waiting[0].number < uploads[0].number):
            return waiting
        return uploads

    @property
    def over(self) -> bool:
        """There are no lanes and no jobs."""
        return not (self.lanes or self.waiting or self.uploads)

    def flush(self) -> list[Job]:
        """Remove all waiting jobs and return those that are not aborted."""
        flushed = [job for job in (*self.waiting, *self.uploads) if not job.aborted]
        self.waiting.clear()
        self.uploads.clear()
        return flushed

    def sweep(self, now: float) -> None:
        """Close the lanes that have been idle for too long, and take lanes from the slowest uploads if others need
        them. `now` is the loop's time."""
        if self.uploads and len(self._arriving) >= self._most_arriving:
            self._reclaim(now)
        old = [lane for lane in self.idle if now - lane.idle_since >= IDLE_SECONDS]
        if old:
            self.idle = [lane for lane in self.idle if now - lane.idle_since < IDLE_SECONDS]
        for lane in old:
            # Its task does this as well, but only in its next step, and `submit` may be called before that.
            self.lanes.discard(lane)
            assert lane.idle is not None
            lane.idle.set_result(None)

    def _reclaim(self, now: float) -> None:
        slow = [job for job in self._arriving if job.waited_until(now) >= PATIENCE_SECONDS and not job.aborted]
        slow.sort(key=lambda job: -job.waited_until(now))
        for job in slow[: len(self.uploads)]:
            job.abort("slow_upload")

    def numbers(self) -> tuple[str, int, int, int]:
        """The target's label, and the numbers of its lanes, busy lanes and waiting shadows."""
        return (
            self.target.label,
            len(self.lanes),
            len(self.lanes) - len(self.idle),
            len(self.waiting) + len(self.uploads),
        )
