"""One shadow sent over a lane's connection, and the report of how that went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from mirror_addon.compare.answer import PROGRAM_CLOCK
from mirror_addon.compare.answer import clock_of
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import unpack
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.connect_gate import Slot
from mirror_addon.worker.job import Body
from mirror_addon.worker.job import Job
from mirror_addon.worker.transport import IDEMPOTENT
from mirror_addon.worker.transport import LaneTransport
from mirror_addon.worker.transport import failure
from mirror_addon.worker.transport import may_repeat

ABORTED = Report("aborted", "", None, "", (), False, 0, False, None, None, 0.0)
_PLACEHOLDER = httpx.URL("http://mirror")
"""httpx requires a URL. LaneTransport does not use it."""


class Attempt:
    """Sends `job` and reads the response, within the timeout of its head.

    A shadow has one attempt: the mirror may have acted on a request that failed. Only if a kept connection turns out to
    be closed before a byte of the response, the request is sent once more, on a new one (`transport.may_repeat`).
    """

    __slots__ = (
        "_budget",
        "_credit",
        "_detail",
        "_error",
        "_fields",
        "_head",
        "_job",
        "_kept",
        "_loop",
        "_received",
        "_response",
        "_slot",
        "_start",
        "_transport",
        "_truncated",
    )

    def __init__(
        self,
        job: Job,
        transport: LaneTransport,
        budget: Budget,
        credit: Callable[[Job, int], None],
        slot: Slot | None = None,
    ) -> None:
        self._job = job
        self._slot = slot
        self._head = job.head = Head(*unpack(job.request))
        self._transport = transport
        self._budget = budget
        self._credit = credit
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._response: httpx.Response | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._kept = bytearray()
        self._received = 0
        self._truncated = False
        self._error = ""
        self._detail = ""

    async def run(self) -> tuple[Report | None, bytes]:
        """Return the report and the kept part of the response body; without a report, the request is to be sent once
        more, on a new connection. Raises nothing that a mirror could cause."""
        job, head = self._job, self._head
        job.tell_body = head.tell_body
        try:
            async with asyncio.timeout(head.timeout) as job.deadline:
                await self._send()
                await self._read()
        except TimeoutError:
            if self._may_have_no_end():
                self._truncated = True
            else:
                self._error, self._detail = "timeout", f"no complete response within {head.timeout:g} s"
        except Exception as problem:  # whatever the libraries raise for a mirror's bytes, the shadow has to be counted
            if self._begins_again(problem):
                job.deadline = None
                await self._transport.aclose()
                return None, b""
            self._error = failure(problem, self._transport.stream, responded=self._response is not None)
            self._detail = str(problem) or type(problem).__name__
        job.deadline = None
        if job.aborted:  # by an expired deadline, which is no timeout then
            self._error, self._detail = job.reason, ""
        report = self._report(self._loop.time())
        await self._end()
        return report, bytes(self._kept)

    async def _send(self) -> None:
        """Send the request and read the response's head."""
        job, head, kept = self._job, self._head, self._transport.stream
        if job.again or self._slot is not None or kept is None or not (head.method in IDEMPOTENT or kept.speaks_http2):
            job.body = None  # it is not sent again
        self._response = await self._transport.handle_async_request(
            httpx.Request(
                head.method.decode("latin-1"),
                _PLACEHOLDER,
                headers=[(b"Host", head.authority), *head.headers],
                stream=Body(job, self._credit, self._body_ends),
                extensions={"target": head.path, "method": head.method},
            )
        )
        if self._slot is not None:
            self._slot.proved()
        if head.keep_body:
            self._fields = self._response.headers.raw

    def _begins_again(self, problem: Exception) -> bool:
        """Whether the request is to be sent once more; its body is there again then."""
        job, transport = self._job, self._transport
        if job.body is None or job.aborted or self._response is not None or not transport.reused:
            return False
        if not may_repeat(problem, self._head.method, transport.stream):
            return False
        job.rewind()
        return True

    def _body_ends(self) -> None:
        stream = self._transport.stream
        if stream is not None:
            stream.end_request()

    async def _read(self) -> None:
        """Read the response body, and keep its beginning as far as the head and the budget allow."""
        assert self._response is not None
        assert isinstance(self._response.stream, httpx.AsyncByteStream)
        head, kept = self._head, self._kept
        room = head.keep_body
        async for chunk in self._response.stream:
            self._received += len(chunk)
            if room:
                wanted = min(len(chunk), room)
                granted = self._budget.take(wanted)
                self._job.charged += granted
                kept += chunk[:granted]
                # Without budget for one part nothing after it is kept either: kept bytes are a body's beginning.
                room = room - granted if granted == wanted else 0
            if self._received > head.drain_body:
                self._truncated = True
                return
        if head.keep_body:
            self._fields += self._transport.trailers()

    def _may_have_no_end(self) -> bool:
        """Whether the response is a stream of events, of which a part is as good as the whole."""
        if self._response is None:
            return False
        from mirror_addon.compare.media_types import is_stream  # rarely needed

        return is_stream(self._response.headers.get("content-type", ""))

    def _report(self, ended: float) -> Report:
        response = self._response
        connect_seconds = self._transport.connect_seconds
        ms, first_ms, clock = self._times(ended)
        marks = self._transport.stream.marks if self._transport.stream is not None else None
        return Report(
            self._error,
            self._detail,
            None if response is None else response.status_code,
            "" if response is None else response.extensions["http_version"].decode("latin-1"),
            tuple(self._fields),
            self._head.keep_body > 0 and response is not None,
            self._received,
            self._truncated,
            None if connect_seconds is None else connect_seconds * 1000,
            first_ms,
            (ended - self._start) * 1000,
            ms,
            clock,
            None if marks is None or not marks.exact else marks.late * 1000,
        )

    def _times(self, ended: float) -> tuple[float, float | None, str]:
        """Milliseconds from the last byte of the request to the last and to the first bytes of the response, and
        the clock of the first of them. `ended` is the loop's time."""
        stream = self._transport.stream
        marks = stream.marks if stream is not None else None
        first_ms = None
        if stream is not None and marks is not None and self._response is not None:
            sent, first = (stream.sent_at, 0.0) if stream.speaks_http2 else (marks.sent, marks.first)
            first_ms = (first - sent) * 1000 if first else None
            if 0 < sent <= marks.received and not self._error:
                ms = (marks.received - sent) * 1000
                return ms, first_ms, clock_of(ms, marks.lag * 1000, marks.exact and not self._truncated)
        begun = max(self._start, self._job.completed_at)
        if stream is not None:
            begun = max(begun, stream.connected_at)
        return (ended - begun) * 1000, first_ms, PROGRAM_CLOCK

    async def _end(self) -> None:
        """Release the response, and close the connection where it cannot carry another request."""
        broken = bool(self._error) or self._truncated
        if self._response is not None:
            try:
                await self._response.aclose()
            except Exception:  # the shadow's end is known; a connection in an unknown state is closed
                broken = True
        if broken:
            await self._transport.aclose()
