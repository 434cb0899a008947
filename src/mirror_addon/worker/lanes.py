"""Lanes: how many shadows a worker has in flight to one target, and what each of them does.

A target has up to `concurrency` lanes, opened when all others are busy and closed when idle for some seconds. A lane
sends one shadow after the other over its own connection. Targets share no lanes, so one that hangs starves no other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import unpack
from mirror_addon.shadow.request import Target
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.transport import LaneTransport
from mirror_addon.worker.transport import failure

if TYPE_CHECKING:
    from mirror_addon.worker.groups import Party

IDLE = 4.0
"""Seconds after which an idle lane closes. Shorter than the 5 s after which the servers of Node and uvicorn close, so
that a shadow rarely meets a connection that is just being closed."""

ABORTED = Report("aborted", "", None, "", (), False, 0, False, None, None, 0.0)
_PLACEHOLDER = httpx.URL("http://mirror")


class Job:
    """A shadow in a worker: its request as it came through the pipe, and its body as far as it has come."""

    __slots__ = (
        "aborted",
        "answer_ms",
        "charged",
        "chunks",
        "complete",
        "completed_at",
        "deadline",
        "number",
        "party",
        "passed",
        "reason",
        "request",
        "started",
        "tell_body",
        "wake",
    )

    def __init__(self, number: int, request: bytes, body: bytes, complete: bool, party: Party | None = None) -> None:
        self.number = number
        self.request = request
        self.party = party
        self.reason = "aborted"
        """Why it was given up."""
        self.charged = 0
        """Bytes of the answer that are kept, and counted in the budget."""
        self.tell_body = 0
        self.completed_at = 0.0
        """Loop time of the last part of a body that came in pieces."""
        self.answer_ms: float | None = None
        """From the whole request to the whole answer."""
        self.chunks: deque[bytes] = deque((body,) if body else ())
        self.complete = complete
        self.started = False
        self.aborted = False
        self.passed = 0
        self.deadline: asyncio.Timeout | None = None
        self.wake: asyncio.Future[None] | None = None

    def more(self, chunk: bytes, complete: bool) -> None:
        """The next part of the body."""
        if chunk:
            self.chunks.append(chunk)
        self.complete = complete
        if complete:
            self.completed_at = asyncio.get_running_loop().time()
        if self.wake is not None and not self.wake.done():
            self.wake.set_result(None)

    async def wait(self) -> None:
        """Wait for the next part. That is the client's time and not the mirror's: the deadline waits too."""
        loop = asyncio.get_running_loop()
        self.wake = loop.create_future()
        left = self.deadline.when() if self.deadline is not None else None
        if self.deadline is None or left is None:
            await self.wake
            return
        left -= loop.time()
        self.deadline.reschedule(None)
        await self.wake
        if not self.aborted:
            self.deadline.reschedule(loop.time() + left)

    def abort(self, reason: str = "aborted") -> None:
        """Give up, wherever it is."""
        self.aborted = True
        self.reason = reason
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(asyncio.get_running_loop().time())


class Body(httpx.AsyncByteStream):
    """A job's body for httpx, which adds no framing field to a stream. `credit` is told of bytes passed on."""

    def __init__(self, job: Job, credit: Callable[[Job, int], None]) -> None:
        self._job = job
        self._credit = credit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        job = self._job
        while True:
            while job.chunks:
                chunk = job.chunks.popleft()
                yield chunk
                self._credit(job, len(chunk))
            if job.complete:
                return
            await job.wait()


class Lane:
    """One connection and the task that uses it."""

    def __init__(self, group: LaneGroup) -> None:
        self.idle: asyncio.Future[Job | None] | None = None
        self.idle_since = 0.0
        self._group = group
        self._transport = LaneTransport(group.target)
        self._loop = asyncio.get_running_loop()

    async def run(self, job: Job | None) -> None:
        """Send `job` and all that follow, until the group has none for too long."""
        try:
            while job is not None:
                report, body = await self._shadow(job)
                await self._group.done(job, report, body)
                job = self._group.next() or await self._wait()
        finally:
            self._group.lanes.discard(self)
            await self._transport.aclose()

    async def _wait(self) -> Job | None:
        self.idle = self._loop.create_future()
        self.idle_since = self._loop.time()
        self._group.idle.append(self)
        return await self.idle

    async def _shadow(self, job: Job) -> tuple[Report, bytes]:
        if job.aborted:
            return ABORTED._replace(error=job.reason), b""
        head = Head(*unpack(job.request))
        job.tell_body = head.tell_body
        keep_body = head.keep_body
        budget = self._group.budget
        transport = self._transport
        error = detail = version = ""
        status: int | None = None
        fields: list[tuple[bytes, bytes]] = []
        kept = bytearray()
        received = 0
        truncated = False
        first: float | None = None
        response: httpx.Response | None = None
        start = self._loop.time()
        try:
            async with asyncio.timeout(head.timeout) as job.deadline:
                response = await transport.handle_async_request(
                    httpx.Request(
                        head.method.decode("latin-1"),
                        _PLACEHOLDER,
                        headers=[(b"Host", head.authority), *head.headers],
                        stream=Body(job, self._group.credit),
                        extensions={"target": head.path, "method": head.method},
                    )
                )
                first = self._loop.time()
                status = response.status_code
                version = response.extensions["http_version"].decode("latin-1")
                if head.keep_body:
                    fields = response.headers.raw
                async for chunk in response.stream:  # type: ignore[union-attr]
                    received += len(chunk)
                    if len(kept) < keep_body:
                        wanted = min(len(chunk), keep_body - len(kept))
                        granted = budget.take(wanted)
                        job.charged += granted
                        kept += chunk[:granted]
                        if granted < wanted:
                            keep_body = len(kept)
                    if received > head.drain_body:
                        truncated = True
                        break
                if head.keep_body:
                    fields += transport.trailers()
        except TimeoutError:
            error, detail = "timeout", f"no complete answer in {head.timeout:g} s"
        except Exception as problem:  # whatever a mirror makes the libraries raise, its shadow is counted
            error = failure(problem, transport.stream, answered=first is not None)
            detail = str(problem) or type(problem).__name__
        job.deadline = None
        if job.aborted:
            error, detail = job.reason, ""
        ended = self._loop.time()
        total = ended - start
        job.answer_ms = (ended - max(start, job.completed_at)) * 1000
        connected = None if transport.reused or transport.stream is None else transport.stream.connected_at
        broken = bool(error) or truncated
        if response is not None:
            try:
                await response.aclose()
            except Exception:  # a connection that cannot be tidied up is closed; the shadow's end is known
                broken = True
        if broken:
            await transport.aclose()
        return Report(
            error,
            detail,
            status,
            version,
            tuple(fields),
            head.keep_body > 0 and status is not None,
            received,
            truncated,
            None if connected is None else (connected - start) * 1000,
            None if first is None else (first - start) * 1000,
            total * 1000,
        ), bytes(kept)


class LaneGroup:
    """The lanes of one target and the shadows that wait for them."""

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

    def submit(self, job: Job) -> None:
        """Give the job to an idle lane, a new one, or let it wait. The lane that was idle for the shortest time is
        the first choice, so that surplus ones become old and close."""
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
        """The shadow that has waited longest."""
        while self.waiting:
            job = self.waiting.popleft()
            if not job.aborted:
                job.started = True
                return job
        return None

    def flush(self) -> list[Job]:
        """Give up all that wait and are not given up yet."""
        flushed = [job for job in self.waiting if not job.aborted]
        self.waiting.clear()
        return flushed

    def sweep(self, now: float) -> None:
        """Close the lanes that have been idle for too long."""
        old = [lane for lane in self.idle if now - lane.idle_since >= IDLE]
        if old:
            self.idle = [lane for lane in self.idle if now - lane.idle_since < IDLE]
        for lane in old:
            self.lanes.discard(lane)  # now, for what comes before its task runs again must not count on it
            assert lane.idle is not None
            lane.idle.set_result(None)

    def numbers(self) -> tuple[str, int, int, int]:
        """Label, lanes, active ones, waiting shadows."""
        return self.target.label, len(self.lanes), len(self.lanes) - len(self.idle), len(self.waiting)
