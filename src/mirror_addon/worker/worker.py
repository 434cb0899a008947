"""The worker process: takes shadows from the pipe, sends them, reports. Knows neither mitmproxy nor the rules.

It lives as long as the other end of its socket: that end closes when the dispatcher is done with it, and also when the
proxy dies in whatever way.
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
import time
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
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import unpack
from mirror_addon.shadow.request import ClientTLS
from mirror_addon.shadow.request import Target
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.lanes import ABORTED
from mirror_addon.worker.lanes import Job
from mirror_addon.worker.lanes import LaneGroup

if TYPE_CHECKING:
    from mirror_addon.shadow.frames import VerdictReport
    from mirror_addon.worker.comparing import Comparing

_CREDIT_STEP = 64 * 1024
_STATUS_EVERY = 0.25
_HEARTBEAT = 1.0
_BACKLOG = 4 * 1024 * 1024
_NAME_LOOKUPS = 64
_GATHER = 64 * 1024
_PAUSE = 0.02
"""Seconds."""
_LAST_WORDS = 0.5
_BUDGET = 64 * 1024 * 1024
"""Bytes kept, until the proxy has said how many may be."""


class Worker(asyncio.Protocol):
    """The worker's end of the pipe."""

    def __init__(self, concurrency: int) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._concurrency = concurrency
        self._decoder = Decoder()
        self._groups: dict[bytes, LaneGroup] = {}
        self._jobs: dict[int, Job] = {}
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._outgoing: list[bytes] = []
        self._results: list[tuple[Any, ...]] = []
        """Ends without a body: a frame for all of them costs the proxy a third of one for each."""
        self._outgoing_size = 0
        self._flush_scheduled = False
        self._pause = _PAUSE
        self._told: tuple[Any, ...] = ()
        self._told_at = 0.0
        self._budget = Budget(_BUDGET)
        self._comparing: Comparing | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_BACKLOG)
        self._send((Kind.READY, os.getpid()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def eof_received(self) -> bool:
        """The proxy says no more, and may listen on: the connection stays for a while."""
        self.connection_lost(None)
        return True

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        for head, tail in self._decoder.feed(data):
            kind = head[0]
            if kind == Kind.REQUEST:
                _, number, target, request, more, *party = head
                lanes = self._group(target)
                job = self._jobs[number] = Job(number, request, tail, not more)
                if party:
                    job.party = self._comparing_now().join(number, lanes.target.label, *party)
                    self._comparing_now().request_body(job.party, tail, last=not more)
                lanes.submit(job)
            elif kind == Kind.CHUNK:
                started = self._jobs.get(head[1])
                if started is not None:
                    if started.party is not None:
                        self._comparing_now().request_body(started.party, tail, last=head[2])
                    started.more(tail, head[2])
            elif kind == Kind.ABORT:
                started = self._jobs.get(head[1])
                if started is not None:
                    self._abort(started, head[2])
            elif kind == Kind.FLUSH:
                group = self._groups.get(head[1])
                for waiting in group.flush() if group is not None else ():
                    self._give_up(waiting, "breaker_open")
            elif kind == Kind.ANSWER:
                self._send((Kind.CREDIT, head[1], len(tail)))
                self._comparing_now().answered(PrimaryAnswer(*head[2:]), tail)
            elif kind == Kind.NOTE:
                self._send((Kind.CREDIT, head[1], 0))
                self._comparing_now().noted(head[1], EndNote(*head[2:]))
            elif kind == Kind.CONFIG:
                recording = Recording(*head[1:])
                self._budget.resize(recording.budget)
                self._pause = 0.0 if recording.prompt else _PAUSE
                if self._comparing is not None or recording.compare or recording.path:
                    self._comparing_now().configure(recording)

    def _comparing_now(self) -> Comparing:
        """Made when it is needed: it has much to import."""
        if self._comparing is None:
            from mirror_addon.worker.comparing import Comparing

            self._comparing = Comparing(self._budget, self._tell_verdict, self.log)
        return self._comparing

    def _tell_verdict(self, number: int, report: VerdictReport, differences: bytes) -> None:
        self._send((Kind.VERDICT, number, *report), differences)

    def _group(self, packed: bytes) -> LaneGroup:
        group = self._groups.get(packed)
        if group is None:
            target = Target(*unpack(packed))
            target = target._replace(tls=None if target.tls is None else ClientTLS(*target.tls))
            group = self._groups[packed] = LaneGroup(target, self._concurrency, self._done, self._credit, self._budget)
        return group

    def _abort(self, job: Job, reason: str) -> None:
        job.abort(reason)
        if not job.started:
            job.chunks.clear()
            self._give_up(job, reason)

    def _give_up(self, job: Job, reason: str) -> None:
        del self._jobs[job.number]
        self._tell_end(job, ABORTED._replace(error=reason), b"")

    async def _done(self, job: Job, report: Report, body: bytes) -> None:
        """Report a shadow's end. Waits while the proxy does not read, so that kept answers do not pile up here."""
        del self._jobs[job.number]
        self._tell_end(job, report, body)
        await self._writable.wait()

    def _tell_end(self, job: Job, report: Report, body: bytes) -> None:
        told, tail = report, body[: job.tell_body]
        if report.kept and not job.tell_body:
            told = report._replace(kept=False, headers=())
        if tail:
            self._send((Kind.RESULT, job.number, *told), tail)
        else:
            self._results.append((job.number, *told))
            self._schedule_flush()
        if job.party is None:
            self._budget.give(job.charged)
        else:
            kept = body if report.kept else None
            answer = Answer(report.status, report.headers, kept, report.bytes, job.answer_ms, report.error)
            self._comparing_now().ended(job.party, answer, job.charged)

    def _credit(self, job: Job, size: int) -> None:
        job.passed += size + CHUNK_OVERHEAD
        if job.passed >= _CREDIT_STEP:
            self._send((Kind.CREDIT, job.number, job.passed))
            job.passed = 0

    async def end(self) -> None:
        """The proxy says no more: record what it left, and tell it if it listens."""
        if self._comparing is None or self._transport is None:
            return
        self._comparing.close()
        self._flush()
        deadline = time.monotonic() + _LAST_WORDS
        while self._transport.get_write_buffer_size() and time.monotonic() < deadline:
            await asyncio.sleep(0.002)

    def log(self, text: str) -> None:
        """Say what is wrong with this worker where the proxy logs."""
        self._send((Kind.LOG, text))

    def _send(self, head: tuple[Any, ...], tail: bytes = b"") -> None:
        """Tell the proxy, soon: each message by itself would wake its loop, which costs more than reading it."""
        self._tell_results()  # what is said next may count on them
        self._outgoing += (encode(head, len(tail)), tail)
        self._outgoing_size += len(tail)
        if self._outgoing_size > _GATHER:
            self._flush()
        else:
            self._schedule_flush()

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_later(self._pause, self._flush)

    def _tell_results(self) -> None:
        if self._results:
            self._outgoing.append(encode((Kind.RESULTS, *self._results)))
            self._results.clear()

    def _flush(self) -> None:
        self._flush_scheduled = False
        self._tell_results()
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()
        self._outgoing_size = 0

    async def housekeeping(self) -> None:
        """Close idle lanes, forget unused targets, and tell the numbers of the lanes: when they have changed, and as a
        sign of life."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_STATUS_EVERY)
            for packed, group in list(self._groups.items()):
                group.sweep(loop.time())
                if not group.lanes and not group.waiting:
                    del self._groups[packed]
            numbers = tuple(group.numbers() for group in self._groups.values()), self._budget.numbers
            due = numbers != self._told or loop.time() - self._told_at >= _HEARTBEAT
            if due and self._writable.is_set():
                self._told = numbers
                self._told_at = loop.time()
                self._send((Kind.STATUS, *numbers))


NICENESS = 10
"""Where processors are short, the proxy goes first: a shadow can wait, a client does not."""


async def run(sock: socket.socket, concurrency: int) -> None:
    """Serve the pipe until its other end closes, then end the process: a name look-up that hangs would keep it."""
    loop = asyncio.get_running_loop()
    _, worker = await loop.create_unix_connection(lambda: Worker(concurrency), sock=sock)
    anyio.Lock()  # imports anyio's backend, or else the first shadow would wait for that
    loop.set_exception_handler(lambda _, context: worker.log(_describe(context)))
    loop.set_default_executor(ThreadPoolExecutor(_NAME_LOOKUPS))
    housekeeping = asyncio.create_task(worker.housekeeping())
    gc.freeze()
    await worker.closed
    housekeeping.cancel()
    await worker.end()
    os._exit(0)


def _describe(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message', '')}" + (f": {type(error).__name__}: {error}" if error is not None else "")


def main(descriptor: int, concurrency: int) -> None:
    """The process's whole life. Never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    logging.disable()
    sys.unraisablehook = lambda _: None
    die_with_parent()  # a worker that is frozen when the proxy is killed would stay
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        asyncio.run(run(socket.socket(fileno=descriptor), concurrency))
    except Exception as error:  # the last line of a process: one line of text, no traceback
        sys.exit(f"mirror worker: {type(error).__name__}: {error}")
