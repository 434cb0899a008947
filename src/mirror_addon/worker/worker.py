"""The worker process: it receives shadows from the proxy, sends them to mirrors, and reports what became of them.

Theory of operation
-------------------
The proxy (`dispatch.worker_link`) starts `main` in a child process, `mirror_workers` times. It is a process because a
sender in the proxy's own process, in its event loop or in a thread, leaves the proxy less than half of its throughput.
The socket pair between the two is their only connection; `shadow.frames` defines what is sent over it. The process
loads neither mitmproxy nor the rules: of this package only `worker`, `shadow`, `clock`, `compare` and `processes`.

In:   CONFIG; REQUEST and CHUNK, a shadow and the parts of its body; ABORT and FLUSH, which give shadows up;
      ANSWER, NOTE and CALLS, for pairs: a primary's response, the end of a shadow that no worker sent, and what the
      mirror called meanwhile; TRANSLATE, a call of a mirror in which the primary's values are asked for.
Out:  READY; CREDIT, for body bytes that have left the worker; RESULT, the end of a shadow; VERDICT, the end of a pair;
      TRANSLATED, that call; STATUS, numbers and sign of life; LOG, text for the proxy's log. `outgoing` sends several
      frames at a time.

A shadow's way: `Worker` makes a `Job` of the frame and passes it to its target's `TargetLanes` (`lanes`). A `Lane`, a
task with one connection, makes an `Attempt`, which sends the request through `transport` (httpx's interface, httpcore)
and `network` (asyncio) and reads the response. Its report goes to the proxy. If the shadow is one of a pair, its
response also goes to `Comparing`, where the `pair_book` matches it with the primary's; the pair is compared, recorded
(`recorder`) and reported.

Threads: all of this runs in the main thread's event loop, except name lookups (asyncio's default executor). Pairs that
are not small are compared in a child process (`compare_process`).

Memory: the proxy bounds what waits here to be sent, by the bytes that no CREDIT or RESULT has released
(`mirror_queue`). The `Budget` bounds the bodies that are kept. Lanes stop while the proxy does not read their results.

End: the worker serves until the other end of its socket is closed, on purpose or because the proxy died. If the proxy
has closed only its sending direction, the open pairs are recorded and reported first. A damaged frame ends the worker
as well: nothing after it can be understood. The proxy then starts another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

import anyio

from mirror_addon.compare.answer import Answer
from mirror_addon.processes.parent_death import die_with_parent
from mirror_addon.shadow.frames import CHUNK_OVERHEAD
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import TranslatedCall
from mirror_addon.shadow.frames import unpack
from mirror_addon.shadow.request import ClientTLS
from mirror_addon.shadow.request import Target
from mirror_addon.worker import httpcore_internals
from mirror_addon.worker.attempt import ABORTED
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.job import Job
from mirror_addon.worker.lanes import TargetLanes
from mirror_addon.worker.outgoing import Outgoing
from mirror_addon.worker.trailers import Fields

if TYPE_CHECKING:
    from mirror_addon.shadow.frames import VerdictReport
    from mirror_addon.worker.comparing import Comparing
    from mirror_addon.worker.twins import Twins

_CREDIT_BYTES = 64 * 1024
"""Bytes of one body for which a CREDIT is sent."""
_HOUSEKEEPING_SECONDS = 0.25
_HEARTBEAT_SECONDS = 1.0
"""Longest time between two STATUS frames. A worker that is silent for longer is taken to hang by the proxy."""
_LAST_FRAMES_SECONDS = 0.5
_BUDGET_BYTES = 64 * 1024 * 1024
"""Bytes of bodies that may be kept until the first CONFIG."""
_LOOKUP_THREADS = 64
"""A lookup that hangs occupies one of them. asyncio's own executor has a few more threads than there are processors."""
NICENESS = 10
"""Where processor time is short, the proxy goes first: a client waits for its response, and no one for a shadow's."""


class Worker(asyncio.Protocol):
    """The worker's end of the socket. Takes frames apart and calls a method for each."""

    _outgoing: Outgoing
    """Set when the connection is made."""

    def __init__(self, concurrency: int) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._concurrency = concurrency
        self._decoder = Decoder()
        self._targets: dict[bytes, TargetLanes] = {}
        """By the packed Target."""
        self._jobs: dict[int, Job] = {}
        """The shadows that have no RESULT yet, by number."""
        self._status: tuple[Any, ...] = ()
        self._status_at = 0.0
        self._budget = Budget(_BUDGET_BYTES)
        self._comparing: Comparing | None = None
        self._twins: Twins | None = None
        self._handlers: dict[int, Callable[..., None]] = {
            Kind.REQUEST: self._on_request,
            Kind.CHUNK: self._on_chunk,
            Kind.ABORT: self._on_abort,
            Kind.FLUSH: self._on_flush,
            Kind.ANSWER: self._on_answer,
            Kind.NOTE: self._on_note,
            Kind.CALLS: self._on_calls,
            Kind.TRANSLATE: self._on_translate,
            Kind.CONFIG: self._on_config,
        }
        """Called with the frame's tail and the fields of its head after the kind."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outgoing = Outgoing(cast(asyncio.Transport, transport))
        self._outgoing.send((Kind.READY, os.getpid()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def eof_received(self) -> bool:
        """The proxy sends nothing more, but still reads. True keeps the connection open for the last frames."""
        self.connection_lost(None)
        return True

    def pause_writing(self) -> None:
        self._outgoing.pause_writing()

    def resume_writing(self) -> None:
        self._outgoing.resume_writing()

    def data_received(self, data: bytes) -> None:
        # An exception from here closes the connection (asyncio, "Fatal error"), and that ends the worker.
        for head, tail in self._decoder.feed(data):
            handler = self._handlers.get(head[0])
            if handler is None:
                raise FrameError(f"a frame of the unknown kind {head[0]!r}")
            handler(tail, *head[1:])

    # Frames from the proxy

    def _on_request(self, tail: bytes, number: int, target: bytes, request: bytes, more: bool, *pair: Any) -> None:
        lanes = self._lanes(target)
        job = self._jobs[number] = Job(number, request, tail, not more)
        if pair:
            comparing = self._started_comparing()
            job.pair = comparing.join(number, lanes.target.label, *pair)
            comparing.request_body(job.pair, tail, last=not more)
            if job.pair.subject.twin and not job.pair.subject.control:
                self._started_twins(comparing).take(job, job.pair, target)
                return
        lanes.submit(job)

    def _on_chunk(self, tail: bytes, number: int, last: bool, trailers: Fields = ()) -> None:
        job = self._jobs.get(number)
        if job is not None:
            job.trailers = trailers
            if job.pair is not None:
                self._started_comparing().request_body(job.pair, tail, last=last)
            job.more(tail, last)
            if self._twins is not None:
                self._twins.more(job)

    def _on_abort(self, tail: bytes, number: int, reason: str) -> None:
        job = self._jobs.get(number)  # None if it ended while the frame was on its way
        if job is not None:
            job.abort(reason)
            if not job.started:
                job.chunks.clear()
                self._give_up(job, reason)

    def _on_flush(self, tail: bytes, target: bytes) -> None:
        lanes = self._targets.get(target)
        held = self._twins.flush(target) if self._twins is not None else []
        for job in [*(lanes.flush() if lanes is not None else ()), *held]:
            self._give_up(job, "breaker_open")

    def _on_answer(self, tail: bytes, number: int, *fields: Any) -> None:
        self._outgoing.send((Kind.CREDIT, number, len(tail)))
        self._started_comparing().primary_ended(PrimaryAnswer(*fields), tail)

    def _on_note(self, tail: bytes, number: int, *fields: Any) -> None:
        self._outgoing.send((Kind.CREDIT, number, 0))
        self._started_comparing().noted(number, EndNote(*fields))

    def _on_calls(self, tail: bytes, number: int, group: str, shadow: int) -> None:
        self._outgoing.send((Kind.CREDIT, number, len(tail)))
        self._started_comparing().called(group, shadow, tail)

    def _on_translate(self, tail: bytes, number: int, *fields: Any) -> None:
        asked = OwnCall(*fields)
        found = self._twins.as_primary(asked, tail) if self._twins is not None else None
        answer, body = found or (TranslatedCall(asked.path, asked.headers, False, (), ()), b"")
        self._outgoing.send((Kind.TRANSLATED, number, *answer), body)
        self._outgoing.flush()  # the mirror waits for it

    def _on_config(self, tail: bytes, *fields: Any) -> None:
        recording = Recording(*fields)
        self._budget.resize(recording.budget)
        self._outgoing.prompt(recording.prompt)
        if self._comparing is not None or recording.compare or recording.path:
            self._started_comparing().configure(recording)

    def _started_comparing(self) -> Comparing:
        """The Comparing, which is imported when it is first needed: with it, a worker takes longer to start."""
        if self._comparing is None:
            from mirror_addon.worker.comparing import Comparing

            self._comparing = Comparing(self._budget, self._send_verdict, self.log)
        return self._comparing

    def _started_twins(self, comparing: Comparing) -> Twins:
        if self._twins is None:
            from mirror_addon.worker.twins import Twins

            self._twins = comparing.twins = Twins(lambda job, target: self._lanes(target).submit(job), self.log)
        return self._twins

    def _lanes(self, packed: bytes) -> TargetLanes:
        lanes = self._targets.get(packed)
        if lanes is None:
            target = Target(*unpack(packed))
            target = target._replace(tls=None if target.tls is None else ClientTLS(*target.tls))
            lanes = TargetLanes(target, self._concurrency, self._done, self._credit, self._budget)
            self._targets[packed] = lanes
        return lanes

    # Frames to the proxy

    def log(self, text: str) -> None:
        """Have the proxy log a warning."""
        self._outgoing.send((Kind.LOG, text))

    def _send_verdict(self, number: int, report: VerdictReport, differences: bytes) -> None:
        self._outgoing.send((Kind.VERDICT, number, *report), differences)

    def _credit(self, job: Job, size: int) -> None:
        job.passed += size + CHUNK_OVERHEAD
        if job.passed >= _CREDIT_BYTES:
            self._outgoing.send((Kind.CREDIT, job.number, job.passed))
            job.passed = 0

    def _give_up(self, job: Job, reason: str) -> None:
        """End a shadow that no lane has taken."""
        self._ended(job, ABORTED._replace(error=reason), b"")

    async def _done(self, job: Job, report: Report, body: bytes) -> None:
        """End a shadow that a lane has sent. Waits while the proxy does not read, so that no results pile up here."""
        self._ended(job, report, body)
        await self._outgoing.wait_writable()

    def _ended(self, job: Job, report: Report, body: bytes) -> None:
        del self._jobs[job.number]
        sent = report
        if report.kept and not job.tell_body:  # kept for the comparison alone
            sent = report._replace(kept=False, headers=())
        if self._twins is not None:
            sent = self._twins.told(job, sent)
        self._outgoing.send_result(job.number, sent, body[: job.tell_body])
        if job.pair is None:
            self._budget.give(job.charged)
        else:
            comparing = self._started_comparing()
            kept = body if report.kept else None
            asked = comparing.asked(job.pair, job.head) if report.kept and job.head is not None else None
            ms = None if report.truncated else report.ms
            times = ms, report.error, report.connect_ms, report.first_byte_ms, report.clock, report.late_ms
            response = Answer(report.status, report.headers, kept, report.bytes, *times, asked, not report.truncated)
            if self._twins is not None:
                self._twins.ended(job.pair, response)
            comparing.ended(job.pair, response, job.charged)

    async def housekeeping(self) -> None:
        """Close idle lanes, forget targets without lanes, and send STATUS when its numbers have changed or a sign of
        life is due. Runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)
            for packed, lanes in list(self._targets.items()):
                lanes.sweep(loop.time())
                if lanes.over:
                    del self._targets[packed]
            compared = self._comparing.numbers if self._comparing is not None else (0, 0)
            status = tuple(lanes.numbers() for lanes in self._targets.values()), self._budget.numbers, compared
            due = status != self._status or loop.time() - self._status_at >= _HEARTBEAT_SECONDS
            if due and self._outgoing.writable:
                self._status = status
                self._status_at = loop.time()
                self._outgoing.send((Kind.STATUS, *status))

    async def end(self) -> None:
        """Record the pairs that are open and report them, if the proxy still reads."""
        if self._comparing is not None:
            await self._comparing.close()
            await self._outgoing.drain(_LAST_FRAMES_SECONDS)


async def run(sock: socket.socket, concurrency: int) -> None:
    """Serve the socket until its other end closes, then exit the process."""
    loop = asyncio.get_running_loop()
    _, worker = await loop.create_unix_connection(lambda: Worker(concurrency), sock=sock)
    if warning := httpcore_internals.missing():
        worker.log(warning)
    anyio.Lock()  # imports anyio's backend for asyncio, which the first shadow would otherwise wait for
    loop.set_exception_handler(lambda _, context: worker.log(_describe(context)))
    loop.set_default_executor(ThreadPoolExecutor(_LOOKUP_THREADS))
    housekeeping = asyncio.create_task(worker.housekeeping())
    gc.freeze()  # what has been imported stays: the collector need not look at it again
    await worker.closed
    housekeeping.cancel()
    await worker.end()
    os._exit(0)  # a return would wait for the executors' threads, and a name lookup may hang for minutes


def _describe(context: dict[str, Any]) -> str:
    """One line for what asyncio passes to an exception handler."""
    error = context.get("exception")
    return f"{context.get('message', '')}" + (f": {type(error).__name__}: {error}" if error is not None else "")


def main(descriptor: int, concurrency: int) -> None:
    """The process's whole life: serve the socket of this descriptor, with so many lanes per target. Never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal, the proxy too
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    logging.disable()  # of the libraries: httpcore logs every step of a request
    sys.unraisablehook = lambda _: None
    die_with_parent()  # a worker that is stopped when the proxy is killed would not see its socket close
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        asyncio.run(run(socket.socket(fileno=descriptor), concurrency))
    except Exception as error:  # the last line of a process: one line of text, no traceback
        sys.exit(f"mirror worker: {type(error).__name__}: {error}")
