"""A shadow inside the worker: its request, the part of its body that has arrived, and its deadline."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from mirror_addon.shadow.frames import Head
    from mirror_addon.worker.pair_book import PendingPair


class Job:
    """One shadow. `request` is a packed `frames.Head`: it is unpacked when a lane takes the job, so that a waiting job
    costs no more memory than its bytes. `complete` is whether `body` is the whole request body."""

    __slots__ = (
        "aborted",
        "again",
        "body",
        "charged",
        "chunks",
        "complete",
        "completed_at",
        "deadline",
        "head",
        "number",
        "on_complete",
        "pair",
        "passed",
        "reason",
        "request",
        "started",
        "tell_body",
        "trailers",
        "waited",
        "waits_since",
        "wake",
    )

    def __init__(self, number: int, request: bytes, body: bytes, complete: bool) -> None:
        self.number = number
        self.request = request
        self.pair: PendingPair | None = None
        """None if the shadow is neither compared nor recorded."""
        self.head: Head | None = None
        """The unpacked `request`, once a lane has taken the job."""
        self.aborted = False
        self.again = False
        """It met the end of a kept connection, and is sent for the second time."""
        self.reason = "aborted"
        """Why it was aborted: the error of its Report."""
        self.charged = 0
        """Bytes of the response body that are kept, taken from the budget."""
        self.tell_body = 0
        """Bytes of the response body that go to the proxy."""
        self.completed_at = 0.0
        """Loop time at which the last part of a streamed body arrived."""
        self.body: bytes | None = body if complete else None
        """All of the body while the request may have to be sent again; None if it came in parts."""
        self.chunks: deque[bytes] = deque((body,) if body else ())
        """Parts of the body that have arrived and are not sent yet."""
        self.complete = complete
        self.trailers: tuple[tuple[bytes, bytes], ...] = ()
        """They come with the last part of the body."""
        self.started = False
        """A lane has taken it."""
        self.passed = 0
        """Bytes sent to the mirror for which the proxy has no CREDIT yet."""
        self.deadline: asyncio.Timeout | None = None
        """While a lane sends it."""
        self.wake: asyncio.Future[None] | None = None
        self.waited = 0.0
        """Seconds for which a lane has waited for parts of the body, until `waits_since`."""
        self.waits_since: float | None = None
        """Loop time, while it waits."""
        self.on_complete: Callable[[Job], None] = _nothing
        """Called when the last part of a streamed body arrives."""

    def waited_until(self, now: float) -> float:
        """Seconds for which a lane has waited for parts of the body. `now` is the loop's time."""
        return self.waited + (0.0 if self.waits_since is None else now - self.waits_since)

    def more(self, chunk: bytes, complete: bool) -> None:
        """The next part of the body has arrived."""
        if chunk:
            self.chunks.append(chunk)
        self.complete = complete
        if complete:
            self.completed_at = asyncio.get_running_loop().time()
        if self.wake is not None and not self.wake.done():
            self.wake.set_result(None)
        if complete:
            self.on_complete(self)

    async def wait(self) -> None:
        """Wait for the next part of the body.

        The deadline is suspended meanwhile: it is the client that takes this time to upload, not the mirror.
        """
        loop = asyncio.get_running_loop()
        self.wake = loop.create_future()
        self.waits_since = loop.time()
        # After an abort the deadline is about to expire, and must.
        left = self.deadline.when() if self.deadline is not None and not self.aborted else None
        if self.deadline is not None and left is not None:
            left -= self.waits_since
            self.deadline.reschedule(None)
        try:
            await self.wake
        finally:
            self.waited += loop.time() - self.waits_since
            self.waits_since = None
        if self.deadline is not None and left is not None and not self.aborted:
            self.deadline.reschedule(loop.time() + left)

    def replace_body(self, body: bytes) -> None:
        """Send another body than the one that has arrived, which is complete and of which nothing was sent."""
        self.chunks = deque((body,) if body else ())
        if self.body is not None:
            self.body = body

    def rewind(self) -> None:
        """Let the body be sent again from its beginning. Only if there is a `body`."""
        self.again = True
        self.chunks = deque((self.body,) if self.body else ())

    def abort(self, reason: str) -> None:
        """Give up the shadow. If a lane is sending it, its deadline expires now."""
        self.aborted = True
        self.reason = reason
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(asyncio.get_running_loop().time())


def _nothing(job: Job | None = None) -> None:
    """Do nothing."""


class Body(httpx.AsyncByteStream):
    """A job's request body as a stream, to which httpx adds no Content-Length or Transfer-Encoding of its own.

    `credit(job, size)` is called after each part has been sent and will not be sent again, so that the proxy can take
    these bytes off its queue; `ends()`, when there are no more parts.
    """

    def __init__(self, job: Job, credit: Callable[[Job, int], None], ends: Callable[[], None] = _nothing) -> None:
        self._job = job
        self._credit = credit
        self._ends = ends

    @property
    def trailers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Those of the request, when the body has ended."""
        return self._job.trailers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        job = self._job
        while True:
            while job.chunks:
                chunk = job.chunks.popleft()
                yield chunk
                if job.body is None:
                    self._credit(job, len(chunk))
            if job.complete:
                self._ends()
                return
            await job.wait()
