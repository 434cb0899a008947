"""The proxy's side of the shadow engine: passes shadows to workers, or drops and counts them.

Everything here runs in the proxy's event loop and returns quickly; nothing waits for a mirror, a worker or a socket.

Bytes are counted in one place, `QueuedBytes`: what a shadow occupies from its hand-over, wherever it is, until the
worker confirms that it passed those bytes on or is done with the shadow. A worker that is stuck confirms nothing, so
the count stays and shadows are dropped as `queue_full`. All that waits to be written is in lists that this count
bounds. What state each shadow is in stands in the book (`InFlight`), and nowhere else.

Writing is batched (`shadow.batch.Batch`): frames are collected for `SECONDS` and written with one system call, because
each message by itself would wake the worker, which costs both sides more than the message. Work that may wait as long,
like making the shadow of a small request, is deferred to the same moment (`later`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from mirror_addon.compare.answer import Answer
from mirror_addon.dispatch.breaker import Breaker
from mirror_addon.dispatch.drain import Drain
from mirror_addon.dispatch.in_flight import OUTCOMES
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State
from mirror_addon.dispatch.queue import QueuedBytes
from mirror_addon.dispatch.received import read_number
from mirror_addon.dispatch.received import read_report
from mirror_addon.dispatch.received import read_results
from mirror_addon.dispatch.received import read_translated
from mirror_addon.dispatch.received import read_verdict
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.dispatch.translations import Translations
from mirror_addon.dispatch.upload import PIECE_BYTES
from mirror_addon.dispatch.upload import Upload
from mirror_addon.dispatch.upload import cost_of
from mirror_addon.dispatch.upload import declared_length
from mirror_addon.dispatch.upload import request_frame
from mirror_addon.dispatch.upload import send_end
from mirror_addon.dispatch.upload import send_pieces
from mirror_addon.dispatch.verdicts import Verdicts
from mirror_addon.dispatch.worker_link import WorkerLink
from mirror_addon.shadow.batch import Batch
from mirror_addon.shadow.frames import CHUNK_OVERHEAD
from mirror_addon.shadow.frames import OF_THIS_SIDE
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.gauges import WorkerGauges
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.result import result_of

logger = logging.getLogger(__name__)

_OVERHEAD_BYTES = 1024
"""What a waiting shadow costs besides its bytes, in objects on both sides."""
_JOIN_BYTES = 4096
"""A smaller body is joined with its frame: one buffer is cheaper to write than two."""
_HELD = "held"
"""Stands among the targets of the queue for requests that are held until their response is there."""
BATCH_SECONDS = 0.01
BATCH_MOST = 64


class Dispatcher:
    """Sends shadows of `book` from worker processes of its own. A predecessor that still drains has the same book."""

    def __init__(self, settings: ShadowSettings, book: InFlight) -> None:
        self.settings = settings
        self.book = book
        self.counters = book.counters
        self._links: list[WorkerLink] = []
        self._loads: dict[WorkerLink, int] = {}
        self._queue = QueuedBytes(settings.queue)
        self.breakers: dict[Target, Breaker] = {}
        """A target has one from its first failure on."""
        self._gauges = WorkerGauges(settings.concurrency * settings.workers)
        self._verdicts = Verdicts(book, self._queue, settings.queue)
        self._recording = Recording(settings.queue // settings.workers)
        self.translations = Translations()
        self._batch: Batch[Callable[[], None]] = Batch(
            self._run, seconds=0.0 if settings.prompt else BATCH_SECONDS, most=BATCH_MOST
        )
        self._running = False
        self._closing = False
        self._drain = Drain(self._mine)
        self._time: Callable[[], float] = lambda: 0.0

    def start(self) -> None:
        """Start the workers. Needs the running event loop."""
        self._time = asyncio.get_running_loop().time
        for _ in range(self.settings.workers):
            link = WorkerLink(self.settings.concurrency, self._on_frame, self._on_lost, self._wake)
            self._links.append(link)
            self._loads[link] = 0
            self._configure(link)
            link.start()
        self.translations.links = self._links

    def configure(self, recording: Recording) -> None:
        """What the workers do with pairs from now on; the budget is for the workers together."""
        self._recording = recording._replace(budget=recording.budget // self.settings.workers)
        self._verdicts.recording = bool(recording.path)
        for link in self._links:
            self._configure(link)

    def _configure(self, link: WorkerLink) -> None:
        link.send(encode((Kind.CONFIG, *self._recording._replace(prompt=self.settings.prompt))))

    # The batch

    def later(self, call: Callable[[], None]) -> None:
        """Call `call` with others of its kind, within `BATCH_SECONDS`; then all frames are written at once."""
        self._batch.add(call)

    def flush(self) -> None:
        """Do now what would be done later."""
        self._batch.flush()

    def _wake(self) -> None:
        """A link has something to write."""
        if not self._running:
            self._batch.schedule()

    def _run(self, calls: list[Callable[[], None]]) -> None:
        self._running = True  # all links are written to below
        for call in calls:
            try:
                call()
            except Exception as error:  # one that fails must not lose the others
                logger.error("mirror: a shadow was not made: %s: %s", type(error).__name__, error)
        self._running = False
        for link in self._links:
            link.write()

    # Taking shadows

    def offer(self, shadow: Shadow, request: ShadowRequest, body: bytes) -> None:
        """Send an ADMITTED shadow with its whole body. Never blocks, never raises: what cannot be sent is DROPPED."""
        length = len(body)
        if request.trailers:
            if self._begin(shadow, request, b"", length, True, cost_of(length)):
                send_pieces(shadow, body, last=False)
                send_end(shadow, request.trailers)
        elif length <= PIECE_BYTES:
            self._begin(shadow, request, body, length, False, length + CHUNK_OVERHEAD)
        elif self._begin(shadow, request, b"", length, True, cost_of(length)):
            send_pieces(shadow, body, last=True)

    def open(self, shadow: Shadow, request: ShadowRequest) -> Upload:
        """Begin an ADMITTED shadow whose body comes in pieces; its head is sent at once."""
        self._begin(shadow, request, b"", declared_length(request), True, 0)
        return Upload(self, shadow)

    def _begin(
        self, shadow: Shadow, request: ShadowRequest, body: bytes, length: int, more: bool, body_cost: int
    ) -> bool:
        """Send the head of a shadow whose body has `length` bytes, with the part `body` of it; `body_cost` is what
        counts in the queue for the bytes that come at once. False: it was dropped."""
        target = request.target
        if request.adaptions:
            shadow.counts.adapted.update(request.adaptions)
        if self._closing or not self._links:
            self.refuse(shadow, "shutdown")
            return False
        if length > self.settings.max_body:
            self.refuse(shadow, "body_too_large")
            return False
        try:
            head = request_frame(shadow, request, self.settings, len(body), more)
        except (TypeError, ValueError, OverflowError) as error:
            logger.warning("mirror: a shadow for %s cannot be handed over: %s", shadow.label, error)
            self.refuse(shadow, "unsendable")
            return False
        cost = len(head) + body_cost + _OVERHEAD_BYTES
        if not self._queue.fits(target, cost):
            self.refuse(shadow, "queue_full")
            return False
        breaker = self.breakers.get(target)
        probe = breaker is not None and breaker.state != "closed"
        if probe and breaker is not None and not breaker.allow(self._time()):
            self.refuse(shadow, "breaker_open")
            return False
        link = self._link_for(shadow)
        if shadow.subject is not None:
            shadow.primary.link = link
            shadow.primary.answer_is_sent = False
        shadow.link, shadow.target, shadow.cost, shadow.probe, shadow.in_worker = link, target, cost, probe, True
        self._loads[link] += 1
        self._queue.add(target, cost)
        if len(body) < _JOIN_BYTES:
            link.send(head + body)
        else:
            link.send(head, body)
        return True

    def _link_for(self, shadow: Shadow) -> WorkerLink:
        links = self._links
        if len(links) == 1 or (shadow.subject is not None and shadow.subject.twin):
            return links[0]  # it has the twins of all mirrors; one worker sends more than this process passes on
        chosen = shadow.primary.link if shadow.subject is not None else None
        return chosen if chosen in self._loads else min(links, key=self._burden)

    def _burden(self, link: WorkerLink) -> tuple[bool, int]:
        """Workers with less of it are preferred."""
        return link.state == "restarting", self._loads[link]

    def refuse(self, shadow: Shadow, reason: str) -> None:
        """ADMITTED -> DROPPED without having been tried."""
        self.book.end(shadow, State.DROPPED, ShadowResult(shadow.id, shadow.label, "dropped", reason))
        if shadow.subject is not None:
            self._verdicts.refused(shadow, self._link_for(shadow) if self._links else None)

    def reserve(self, size: int) -> bool:
        """Count bytes in the queue of which it is not known yet whether they become shadows; False: no room."""
        if not self._queue.fits(_HELD, size):
            return False
        self._queue.add(_HELD, size)
        return True

    def release(self, size: int) -> None:
        """Stop counting them: they are offered now, or there is no shadow."""
        self._queue.add(_HELD, -size)

    def answer(self, primary: Primary, answer: Answer, note: str = "", at: float | None = None) -> None:
        """The response of a primary whose shadows are compared or recorded. Never blocks; `note` says what is missing
        of it, `at` when it was made if that was not now (seconds since the epoch)."""
        if primary.link in self._links:
            self._verdicts.answer(primary, answer, note, at)

    def feed(self, shadow: Shadow, chunk: bytes, length: int) -> bool:
        """Pass on a piece of an upload of which `length` bytes were given; False if the shadow is dropped."""
        if shadow.state is not State.ADMITTED:
            return False
        if length > self.settings.max_body:
            self.give_up(shadow, "body_too_large")
            return False
        cost = cost_of(len(chunk))
        if not self._queue.fits(shadow.target, cost, own=shadow.cost):
            self.give_up(shadow, "queue_full")
            return False
        shadow.cost += cost
        self._queue.add(shadow.target, cost)
        send_pieces(shadow, chunk, last=False)
        return True

    def calls(self, shadow: Shadow, calls: bytes) -> None:
        """Tell the shadow's worker which calls its mirror has made, if that worker is one of this dispatcher."""
        if shadow.link in self._links:
            self._verdicts.calls(shadow, calls)

    def give_up(self, shadow: Shadow, reason: str) -> None:
        """ADMITTED -> DROPPED. Its bytes count until the worker confirms that it has forgotten them."""
        if shadow.state is State.ADMITTED:
            assert shadow.link is not None
            shadow.link.send(encode((Kind.ABORT, shadow.number, reason)))
            self._drop(shadow, reason)

    # Hearing of them again

    def _on_frame(self, link: WorkerLink, head: tuple[Any, ...], tail: bytes) -> None:
        """Handle what a worker sent. Raises FrameError for a frame that does not have the fields of its kind."""
        kind = head[0]
        shadows = self.book.shadows
        if kind == Kind.RESULTS:
            for number, report in read_results(head):
                self._on_result(shadows.get(number), report, b"")
        elif kind == Kind.RESULT:
            self._on_result(shadows.get(read_number(head)), read_report(head), tail)
        elif kind == Kind.CREDIT:
            shadow = shadows.get(read_number(head))
            if shadow is not None and shadow.in_worker:
                passed = min(head[2], shadow.cost)
                shadow.cost -= passed
                self._queue.add(shadow.target, -passed)
            else:
                self._verdicts.credit(head[1])
        elif kind == Kind.VERDICT:
            shadow = shadows.get(read_number(head))
            verdict = read_verdict(head)
            if shadow is not None and shadow.subject is not None and shadow.state in OUTCOMES:
                self._verdicts.verdict(shadow, verdict, tail)
                self._drain.look()
        elif kind == Kind.STATUS:
            self._gauges.tell(link, head[1:])
        elif kind == Kind.TRANSLATED:
            self.translations.told(read_number(head), read_translated(head), tail)
        elif kind == Kind.LOG:
            logger.warning("mirror: worker process %s: %s", link.pid, head[1])

    def _on_result(self, shadow: Shadow | None, report: Report, body: bytes) -> None:
        if shadow is None or not shadow.in_worker:
            return
        self._release(shadow)
        if shadow.state is State.ADMITTED:
            self._finish(shadow, report, body)
        if self._closing:
            self._drain.look()

    def _finish(self, shadow: Shadow, report: Report, body: bytes) -> None:
        target, error = shadow.target, report.error
        assert target is not None
        if error in OF_THIS_SIDE:
            self._drop(shadow, error, result_of(shadow.id, shadow.label, "dropped", error, report, body))
        elif error:
            breaker = self.breakers.setdefault(target, Breaker())
            if breaker.failed(self._time(), probe=shadow.probe):
                for link in self._links:
                    link.send(encode((Kind.FLUSH, pack(target))))
            self.book.end(shadow, State.FAILED, result_of(shadow.id, shadow.label, "failed", error, report, body))
        else:
            if (known := self.breakers.get(target)) is not None:
                known.succeeded()
            self.book.end(shadow, State.SENT, result_of(shadow.id, shadow.label, "sent", "", report, body))

    def _drop(self, shadow: Shadow, reason: str, result: ShadowResult | None = None) -> None:
        if shadow.probe and shadow.target is not None:
            self.breakers[shadow.target].given_up(self._time())
        self.book.end(shadow, State.DROPPED, result or ShadowResult(shadow.id, shadow.label, "dropped", reason))

    def _release(self, shadow: Shadow) -> None:
        """The worker has forgotten the shadow."""
        assert shadow.link is not None
        self._queue.add(shadow.target, -shadow.cost)
        self._loads[shadow.link] -= 1
        self.book.release(shadow)

    def _mine(self) -> list[Shadow]:
        """The shadows that went to this dispatcher's workers."""
        return [shadow for shadow in self.book.shadows.values() if shadow.link in self._loads]

    def _on_lost(self, link: WorkerLink) -> None:
        self._gauges.lost(link)
        self.translations.lost(link)
        self._configure(link)
        for shadow in [shadow for shadow in self._mine() if shadow.link is link and shadow.in_worker]:
            self._end_of(shadow, "worker_lost")
        self._verdicts.lost(link)
        self._drain.look()

    def _end_of(self, shadow: Shadow, reason: str) -> None:
        """Nothing more will be heard of a shadow that a worker had."""
        self._release(shadow)
        if shadow.state is State.ADMITTED:
            self._drop(shadow, reason)

    def status(self) -> dict[str, Any]:
        """The limits and how near they are: plain values, for `mirror.status` and the live page.

        Lanes are as the workers last told, a quarter of a second ago at most.
        """
        now = self._time()
        targets = self._gauges.lanes.as_dict()
        for target, breaker in self.breakers.items():
            known = targets.setdefault(target.label, {}).setdefault("circuit_breakers", {})
            known[f"{target.address}:{target.port}"] = {"state": breaker.state, "opened": breaker.opened}
        return {
            "workers": [link.status(now) | {"shadows": self._loads[link]} for link in self._links],
            "waiting_bytes": self._queue.as_dict(),
            "shadows": sum(self._loads.values()),
            "kept_bytes": self._gauges.kept.as_dict(self._recording.budget * self.settings.workers),
            "pairs": {
                "unpaired": sum(1 for _ in self.book.unjudged()),
                "recorded": self.counters.recorded,
                "unrecorded": self.counters.unrecorded,
            }
            | self._gauges.comparisons.as_dict(),
            "targets": targets,
        }

    async def close(self, drain: float) -> None:
        """Take no more (`dropped.shutdown`), let what was taken finish for `drain` seconds, uploads too, and end the
        workers. What is left then is `dropped.shutdown` as well."""
        self.flush()
        self._closing = True
        try:
            await self._drain.wait(drain)
        finally:
            left = [shadow for shadow in self._mine() if shadow.in_worker]
            for shadow in left:
                self._end_of(shadow, "shutdown")
            links, self._links = self._links, []
            self.translations.links = ()
            # Workers that still owe verdicts are asked to end in order: they have lines of the record to write.
            polite = bool(self._mine())
            await asyncio.gather(*(link.close(kill=bool(left) and not polite, flush=polite) for link in links))
            self._verdicts.close(self._mine())
