"""One shadow sent over a lane's connection, and the report of how that went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import unpack
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.job import Body
from mirror_addon.worker.job import Job
from mirror_addon.worker.transport import LaneTransport
from mirror_addon.worker.transport import failure

ABORTED = Report("aborted", "", None, "", (), False, 0, False, None, None, 0.0)
_PLACEHOLDER = httpx.URL("http://mirror")
"""httpx requires a URL. LaneTransport does not use it."""


class Attempt:
    """Sends `job` and reads the response, within the timeout of its head.

    A shadow has one attempt. It is never repeated: the mirror may have acted on a request that failed.
    """

    __slots__ = (
        "_budget",
        "_credit",
        "_detail",
        "_error",
        "_fields",
        "_first_byte_at",
        "_head",
        "_job",
        "_kept",
        "_loop",
        "_received",
        "_response",
        "_start",
        "_transport",
        "_truncated",
    )

    def __init__(self, job: Job, transport: LaneTransport, budget: Budget, credit: Callable[[Job, int], None]) -> None:
        self._job = job
        self._head = job.head = Head(*unpack(job.request))
        self._transport = transport
        self._budget = budget
        self._credit = credit
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._first_byte_at: float | None = None
        self._response: httpx.Response | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._kept = bytearray()
        self._received = 0
        self._truncated = False
        self._error = ""
        self._detail = ""

    async def run(self) -> tuple[Report, bytes]:
        """Return the report and the kept part of the response body. Raises nothing that a mirror could cause."""
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
            self._error = failure(problem, self._transport.stream, responded=self._first_byte_at is not None)
            self._detail = str(problem) or type(problem).__name__
        job.deadline = None
        if job.aborted:  # by an expired deadline, which is no timeout then
            self._error, self._detail = job.reason, ""
        report = self._report(self._loop.time())
        await self._end()
        return report, bytes(self._kept)

    async def _send(self) -> None:
        """Send the request and read the response's head."""
        head = self._head
        self._response = response = await self._transport.handle_async_request(
            httpx.Request(
                head.method.decode("latin-1"),
                _PLACEHOLDER,
                headers=[(b"Host", head.authority), *head.headers],
                stream=Body(self._job, self._credit),
                extensions={"target": head.path, "method": head.method},
            )
        )
        self._first_byte_at = self._loop.time()
        if head.keep_body:
            self._fields = response.headers.raw

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
        response, stream, start = self._response, self._transport.stream, self._start
        self._job.response_ms = (ended - max(start, self._job.completed_at)) * 1000
        connected_at = None if self._transport.reused or stream is None else stream.connected_at
        return Report(
            self._error,
            self._detail,
            None if response is None else response.status_code,
            "" if response is None else response.extensions["http_version"].decode("latin-1"),
            tuple(self._fields),
            self._head.keep_body > 0 and response is not None,
            self._received,
            self._truncated,
            None if connected_at is None else (connected_at - start) * 1000,
            None if self._first_byte_at is None else (self._first_byte_at - start) * 1000,
            (ended - start) * 1000,
        )

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
