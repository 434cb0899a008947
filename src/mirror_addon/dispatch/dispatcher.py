"""The proxy's side of the shadow engine: takes shadows and passes them to workers, or drops and counts them.

Everything here runs in the proxy's loop and is quick; nothing awaits a mirror, a worker or a socket.

Bytes are counted in one place, `_waiting`: what a shadow occupies from its hand-over, wherever it is, until the worker
says that it passed those bytes on or is done with the shadow. A worker that is stuck says nothing, so the count stays
and shadows are dropped as `queue_full`. All of its writing goes through lists that this count bounds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from mirror_addon.dispatch.breaker import Breakers
from mirror_addon.dispatch.counters import Counters
from mirror_addon.dispatch.open_pairs import OpenPairs
from mirror_addon.dispatch.queue import QueuedBytes
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.dispatch.upload import PIECE
from mirror_addon.dispatch.upload import Pending
from mirror_addon.dispatch.upload import cost_of
from mirror_addon.dispatch.upload import declared_length
from mirror_addon.dispatch.upload import request_frame
from mirror_addon.dispatch.upload import send_pieces
from mirror_addon.dispatch.worker_link import GATHER
from mirror_addon.dispatch.worker_link import WorkerLink
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.gauges import KeptGauges
from mirror_addon.shadow.gauges import LaneGauges
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.result import Outcome
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.result import ShadowVerdict
from mirror_addon.shadow.result import result_of

if TYPE_CHECKING:
    from mirror_addon.compare.answer import Answer
    from mirror_addon.shadow.subject import Subject


logger = logging.getLogger(__name__)

_OVERHEAD = 1024
"""What a waiting shadow costs besides its bytes, in objects on both sides."""
_JOIN = 4096
_HELD = "held"
"""Stands among the targets for requests that are held back."""


class Dispatcher:
    """Sends shadows from worker processes.

    `on_result` is told the end of every shadow, in the loop and quickly: for dropped ones before `offer` returns.
    `on_verdict` is told, after that, what came of every shadow that has a subject.
    Counters may be shared with a predecessor's that is still draining.
    """

    def __init__(
        self,
        settings: ShadowSettings,
        on_result: Callable[[ShadowResult], None] | None = None,
        counters: Counters | None = None,
        on_verdict: Callable[[ShadowVerdict], None] | None = None,
    ) -> None:
        self.settings = settings
        self.counters = counters if counters is not None else Counters()
        self._on_result = on_result
        self._links: list[WorkerLink] = []
        self._loads: dict[WorkerLink, int] = {}
        self._pending: dict[int, Pending] = {}
        self._number = 0
        self._waiting = QueuedBytes(settings.queue)
        self._breakers = Breakers()
        self._lanes = LaneGauges(settings.concurrency * settings.workers)
        self._pairs = OpenPairs(self._waiting, settings.queue, self.counters, self._next_number, on_verdict)
        self._recording = Recording(settings.queue // settings.workers)
        self._kept = KeptGauges()
        self._closing = False
        self._drained: asyncio.Future[None] | None = None
        self._time: Callable[[], float] = lambda: 0.0

    def start(self) -> None:
        """Start the workers. Needs the running loop."""
        self._time = asyncio.get_running_loop().time
        for _ in range(self.settings.workers):
            gather = 0.0 if self.settings.prompt else GATHER
            link = WorkerLink(self.settings.concurrency, self._on_frame, self._on_lost, gather)
            self._links.append(link)
            self._loads[link] = 0
            self._configure(link)
            link.start()

    def configure(self, recording: Recording) -> None:
        """What the workers do with pairs from now on; the budget is the workers' together."""
        self._recording = recording._replace(budget=recording.budget // self.settings.workers)
        self._pairs.recording = bool(recording.path)
        for link in self._links:
            self._configure(link)

    def _configure(self, link: WorkerLink) -> None:
        link.send(encode((Kind.CONFIG, *self._recording._replace(prompt=self.settings.prompt))))

    def flush(self) -> None:
        """Many shadows were offered in a row, and no more are to be waited for."""
        for link in self._links:
            link.flush()

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    # Taking shadows

    def offer(self, shadow: ShadowRequest, body: bytes) -> None:
        """Send a shadow with its whole body. Never blocks, never raises: what cannot be sent is dropped and counted."""
        length = len(body)
        pending = self._admit(shadow, body if length <= PIECE else b"", length, length > PIECE)
        if pending is not None and length > PIECE:
            send_pieces(pending, body, last=True)

    def open(self, shadow: ShadowRequest) -> Upload:
        """Begin a shadow whose body comes in pieces; its head is sent at once."""
        return Upload(self, self._admit(shadow, b"", declared_length(shadow), True, cost=0))

    def _admit(
        self, shadow: ShadowRequest, body: bytes, length: int, more: bool, *, cost: int | None = None
    ) -> Pending | None:
        """Let a shadow in, whose body has `length` bytes, and of which `cost` bytes (all of them) come at once."""
        target = shadow.target
        label = target.label
        self.counters.offer(label)
        if shadow.adaptions:
            self.counters.adapt(label, shadow.adaptions)
        if self._closing or not self._links:
            self._refuse(shadow, "shutdown")
            return None
        if length > self.settings.max_body:
            self._refuse(shadow, "body_too_large")
            return None
        settings = self.settings
        number = self._number + 1
        try:
            head = request_frame(number, shadow, settings, len(body), more)
        except (TypeError, ValueError, OverflowError) as error:
            logger.warning("mirror: a shadow for %s cannot be handed over: %s", label, error)
            self._refuse(shadow, "unsendable")
            return None
        cost = len(head) + (cost_of(length) if cost is None else cost) + _OVERHEAD
        if not self._waiting.fits(target, cost):
            self._refuse(shadow, "queue_full")
            return None
        probe = not self._breakers.is_closed(target)
        if probe and not self._breakers.allow(target, self._time()):
            self._refuse(shadow, "breaker_open")
            return None
        self._number = number
        subject = shadow.subject
        link = self._link_for(subject)
        if subject is not None:
            self._pairs.begin(number, shadow, subject, link)
        pending = self._pending[number] = Pending(number, shadow, link, cost, probe)
        self._loads[link] += 1
        self._waiting.add(target, cost)
        if len(body) < _JOIN:
            link.send(head + body)
        else:
            link.send(head, body)
        return pending

    def _link_for(self, subject: Subject | None) -> WorkerLink:
        if len(self._links) == 1:
            return self._links[0]
        chosen = self._pairs.link_of(subject.group) if subject is not None else None
        return chosen or min(self._links, key=self._burden)

    def _burden(self, link: WorkerLink) -> tuple[bool, int]:
        """Workers with less of it are preferred."""
        return link.state == "restarting", self._loads[link]

    def refuse(self, shadow: ShadowRequest, reason: str) -> None:
        """Count a shadow as dropped without having tried."""
        self.counters.offer(shadow.target.label)
        self._refuse(shadow, reason)

    def _refuse(self, shadow: ShadowRequest, reason: str) -> None:
        """Drop a shadow at the door."""
        label = shadow.target.label
        self.counters.drop(label, reason)
        if self._on_result is not None:
            self._tell(ShadowResult(shadow.id, label, "dropped", reason))
        if shadow.subject is not None:
            link = self._link_for(shadow.subject) if self._links else None
            self._pairs.refused(shadow, shadow.subject, reason, link)

    def reserve(self, size: int) -> bool:
        """Count bytes in the queue of which it is not known yet whether they become shadows; False: no room."""
        if not self._waiting.fits(_HELD, size):
            return False
        self._waiting.add(_HELD, size)
        return True

    def release(self, size: int) -> None:
        """Count them no more: they are offered now, or there is no shadow."""
        self._waiting.add(_HELD, -size)

    def answer(self, group: str, answer: Answer, note: str = "", at: float | None = None) -> None:
        """The primary's answer, once for each group that has a shadow with a subject. Never blocks; `note` says what is
        missing of it, `at` when it was made if that was not now (seconds since the epoch)."""
        self._pairs.answer(group, answer, note, at)

    def feed(self, pending: Pending, chunk: bytes, length: int) -> bool:
        """Pass on a piece of an upload of which `length` bytes were given; False if the shadow is given up."""
        if pending.counted:
            return False
        if length > self.settings.max_body:
            self.give_up(pending, "body_too_large")
            return False
        cost = cost_of(len(chunk))
        if not self._waiting.fits(pending.target, cost, own=pending.cost):
            self.give_up(pending, "queue_full")
            return False
        pending.cost += cost
        self._waiting.add(pending.target, cost)
        send_pieces(pending, chunk, last=False)
        return True

    def give_up(self, pending: Pending, reason: str) -> None:
        """Count a shadow as dropped. Its bytes count until the worker has let go of them."""
        if not pending.counted:
            pending.link.send(encode((Kind.ABORT, pending.number, reason)))
            self._drop(pending, reason)

    # Hearing of them again

    def _on_frame(self, link: WorkerLink, head: tuple[Any, ...], tail: bytes) -> None:
        kind = head[0]
        if kind == Kind.RESULTS:
            for number, *report in head[1:]:
                self._hear_end(number, Report(*report), b"")
        elif kind == Kind.RESULT:
            self._hear_end(head[1], Report(*head[2:]), tail)
        elif kind == Kind.CREDIT:
            pending = self._pending.get(head[1])
            if pending is not None:
                passed = min(head[2], pending.cost)
                pending.cost -= passed
                self._waiting.add(pending.target, -passed)
            else:
                self._pairs.credit(head[1])
        elif kind == Kind.VERDICT:
            self._pairs.verdict(head[1], VerdictReport(*head[2:]), tail)
            self._look_if_drained()
        elif kind == Kind.STATUS:
            self._lanes.tell(link, head[1])
            self._kept.tell(link, *head[2])
        elif kind == Kind.LOG:
            logger.warning("mirror: worker process %s: %s", link.pid, head[1])

    def _hear_end(self, number: int, report: Report, body: bytes) -> None:
        pending = self._forget(number)
        if pending is not None and not pending.counted:
            self._finish(pending, report, body)

    def _finish(self, pending: Pending, report: Report, body: bytes) -> None:
        if report.error == "breaker_open":
            self._drop(pending, report.error)
        elif report.error:
            if self._breakers.failed(pending.target, self._time(), probe=pending.probe):
                for link in self._links:
                    link.send(encode((Kind.FLUSH, pack(pending.target))))
            self._settle(pending, "failed", report.error, report, body)
        else:
            self._breakers.succeeded(pending.target)
            self._settle(pending, "sent", "", report, body)

    def _drop(self, pending: Pending, reason: str) -> None:
        if pending.probe:
            self._breakers.given_up(pending.target, self._time())
        self._settle(pending, "dropped", reason)

    def _settle(
        self, pending: Pending, outcome: Outcome, reason: str, report: Report | None = None, body: bytes = b""
    ) -> None:
        pending.counted = True
        if outcome == "sent":
            self.counters.sent(pending.label)
        elif outcome == "failed":
            self.counters.fail(pending.label, reason)
        else:
            self.counters.drop(pending.label, reason)
        self._pairs.ended(pending.number, reason, report)
        if self._on_result is not None:
            self._tell(result_of(pending.id, pending.label, outcome, reason, report, body))

    def _tell(self, result: ShadowResult) -> None:
        assert self._on_result is not None
        try:
            self._on_result(result)
        except Exception as error:  # somebody else's code, which must not keep shadows from being counted
            logger.warning("mirror: a result was not taken: %s: %s", type(error).__name__, error)

    def _forget(self, number: int) -> Pending | None:
        pending = self._pending.pop(number, None)
        if pending is not None:
            self._waiting.add(pending.target, -pending.cost)
            self._loads[pending.link] -= 1
            self._look_if_drained()
        return pending

    def _look_if_drained(self) -> None:
        if self._drained is not None and not (self._pending or self._pairs or self._drained.done()):
            self._drained.set_result(None)

    def _on_lost(self, link: WorkerLink) -> None:
        self._lanes.tell(link, ())
        self._kept.tell(link, 0, 0)
        self._configure(link)
        for pending in [pending for pending in self._pending.values() if pending.link is link]:
            self._forget(pending.number)
            if not pending.counted:
                self._drop(pending, "worker_lost")
        self._pairs.lost(link)

    def status(self) -> dict[str, Any]:
        """The limits and how near they are: plain values, for `mirror.status` and the live page.

        Lanes are as the workers last told, a quarter of a second ago at most.
        """
        now = self._time()
        targets = self._lanes.as_dict()
        self._breakers.status(targets)
        return {
            "workers": [link.status(now) | {"shadows": self._loads[link]} for link in self._links],
            "waiting_bytes": self._waiting.total.as_dict(),
            "shadows": len(self._pending),
            "kept_bytes": self._kept.as_dict(self._recording.budget * self.settings.workers),
            "pairs": self._pairs.status(),
            "targets": targets,
        }

    async def close(self, drain: float) -> None:
        """Take no more (`dropped.shutdown`), let what was taken finish for `drain` seconds, uploads too, and end the
        workers. What is left then is `dropped.shutdown` as well."""
        self._closing = True
        try:
            if self._pending or self._pairs:
                self._drained = asyncio.get_running_loop().create_future()
                await asyncio.wait([self._drained], timeout=drain)
        finally:
            left = list(self._pending.values())
            for pending in left:
                self._forget(pending.number)
                if not pending.counted:
                    self._drop(pending, "shutdown")
            links, self._links = self._links, []
            polite = bool(self._pairs)
            await asyncio.gather(*(link.close(kill=bool(left) and not polite, flush=polite) for link in links))
            self._pairs.close()


class Upload:
    """A shadow whose body comes in pieces. After its end, and after it was given up, calls do nothing."""

    __slots__ = ("_dispatcher", "_length", "_pending")

    def __init__(self, dispatcher: Dispatcher, pending: Pending | None) -> None:
        self._dispatcher = dispatcher
        self._pending = pending
        self._length = 0

    @property
    def alive(self) -> bool:
        """False once it is ended or given up: no need to pass on more."""
        return self._pending is not None and not self._pending.counted

    def write(self, chunk: bytes) -> None:
        """Pass on a piece of the body. If it does not fit, the shadow is given up, and the client never slowed."""
        if self._pending is not None and chunk:
            self._length += len(chunk)
            if not self._dispatcher.feed(self._pending, chunk, self._length):
                self._pending = None

    def end(self) -> None:
        """The body is complete."""
        if self._pending is not None and not self._pending.counted:
            self._pending.link.send(encode((Kind.CHUNK, self._pending.number, True)))
        self._pending = None

    def abort(self, reason: str = "aborted") -> None:
        """The body will not be complete; `dropped.<reason>`."""
        if self._pending is not None:
            self._dispatcher.give_up(self._pending, reason)
        self._pending = None
