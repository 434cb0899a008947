"""What workers are told so that they can compare and record, and the verdicts they send back.

All shadows of a primary that are compared or recorded go to one worker (`Primary.link`). It needs the primary's
response (ANSWER), and of each shadow that never reached it a NOTE, so that the record has a line for that too. When a
worker is lost, its successor gets both again in short: no line of the record is lost with a worker, only a comparison.

Bytes: an ANSWER counts in the queue until the worker has taken it over (CREDIT). Notes of dropped shadows have a small
limit of their own, because shadows are dropped just when the queue is full.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.queue import QueuedBytes
from mirror_addon.dispatch.worker_link import WorkerLink
from mirror_addon.shadow.frames import CHUNK_OVERHEAD
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.gauges import Gauge

if TYPE_CHECKING:
    from mirror_addon.compare.answer import Answer
    from mirror_addon.compare.comparison import Comparison

_NOTES_SHARE = 16
_NOTES_LEAST_BYTES = 1024 * 1024
"""Notes of dropped shadows may take a sixteenth of the queue's limit beside the queue, and at least so many bytes."""
_OVERHEAD_BYTES = 1024
_ANSWERS = "answers"
"""Stands among the targets of the queue for the responses of primaries."""


TWINS_LOST = "mirror: mirror_twin: the mirror's ids are lost %s; values from before are sent as they are"
logger = logging.getLogger(__name__)


class Verdicts:
    """The frames about pairs of one dispatcher, in both directions."""

    def __init__(self, book: InFlight, queue: QueuedBytes, limit: int) -> None:
        self.recording = False
        """A record is written."""
        self._twins: WorkerLink | None = None
        """The worker that learned ids of mirrors, or may have."""
        self._book = book
        self._queue = queue
        self._notes = Gauge(max(limit // _NOTES_SHARE, _NOTES_LEAST_BYTES))
        self._credits: dict[int, tuple[WorkerLink, int, bool]] = {}
        """By number: the link of an ANSWER, NOTE or CALLS, its bytes, and whether they count in the queue."""

    def refused(self, shadow: Shadow, link: WorkerLink | None) -> None:
        """A shadow with a subject was DROPPED before it was sent. Where no worker can be told, it is judged here."""
        primary = shadow.primary
        if link is None:
            primary.uncontrolled |= shadow.control
            self._give_up(shadow)
            return
        primary.link = shadow.link = link
        primary.answer_is_sent = False
        if len(primary.shadows) > 1:
            primary.uncontrolled |= shadow.control
        if not self._note(shadow, link):
            primary.uncontrolled |= shadow.control
            self._give_up(shadow)

    def _note(self, shadow: Shadow, link: WorkerLink, *, again: bool = False) -> bool:
        """Tell a worker of a shadow that it does not have; False if there is no room for that. `again`: its
        predecessor had it."""
        result, subject = shadow.result, shadow.subject
        assert subject is not None
        note = EndNote(shadow.id, shadow.label, tuple(subject), result.reason if result else "", again=again)
        if result is not None and result.outcome != "dropped":
            note = note._replace(status=result.status, bytes=result.bytes, ms=result.response_ms)
        frame = encode((Kind.NOTE, shadow.number, *note))
        cost = len(frame) + _OVERHEAD_BYTES
        if again:  # it takes the place of what the lost worker was sent, which was more
            self._queue.add(_ANSWERS, cost)
        else:
            if self._notes.value + cost > (self._notes.limit or 0):
                return False
            self._notes.add(cost)
        self._credits[shadow.number] = link, cost, again
        link.send(frame)
        return True

    def answer(self, primary: Primary, answer: Answer, note: str = "", at: float | None = None) -> None:
        """Send the primary's response to the worker that has its shadows, without the body if the queue is full.

        Does nothing if the worker has it already. It is sent again after the primary got more shadows (a replay): the
        worker may have settled the ones before and forgotten it.
        """
        link = primary.link
        if link is None or primary.answer_is_sent or not primary.shadows:
            return
        primary.answer_is_sent = True
        if primary.subject is not None and primary.subject.twin:
            self._twins = link
        body = answer.body
        fields = answer.headers, body is not None, answer.bytes, answer.ms, answer.error, note, primary.uncontrolled
        told = PrimaryAnswer(
            primary.id, answer.status, *fields, answer.connect_ms, answer.first_ms, answer.clock, answer.late_ms, at
        )
        if body and not self._queue.fits(_ANSWERS, len(body) + _OVERHEAD_BYTES):
            body = None
            left_out = "the primary's body was left out, because mirror_queue is full"
            told = told._replace(kept=False, note=f"{note}; {left_out}" if note else left_out)
        primary.answer = told._replace(kept=False, headers=())
        self._send_answer(link, told, body or b"")

    def _send_answer(self, link: WorkerLink, told: PrimaryAnswer, body: bytes) -> None:
        number = self._book.next_number()
        head = encode((Kind.ANSWER, number, *told), len(body))
        cost = len(head) + len(body) + CHUNK_OVERHEAD
        self._queue.add(_ANSWERS, cost)
        self._credits[number] = link, cost, True
        link.send(head, body) if body else link.send(head)

    def calls(self, shadow: Shadow, calls: bytes) -> None:
        """Tell the worker of a shadow that has ended which calls (JSON) its mirror has made."""
        link = shadow.link
        assert link is not None
        number = self._book.next_number()
        head = encode((Kind.CALLS, number, shadow.primary.id, shadow.number), len(calls))
        cost = len(head) + len(calls) + CHUNK_OVERHEAD
        self._queue.add(_ANSWERS, cost)
        self._credits[number] = link, cost, True
        link.send(head + calls)

    def credit(self, number: int) -> None:
        """A worker has taken an ANSWER, a NOTE or CALLS over."""
        credit = self._credits.pop(number, None)
        if credit is None:
            return
        _, cost, in_queue = credit
        if in_queue:
            self._queue.add(_ANSWERS, -cost)
        else:
            self._notes.add(-cost)

    def verdict(self, shadow: Shadow, report: VerdictReport, differences: bytes) -> None:
        """A worker's verdict."""
        counters = self._book.counters
        if report.recorded:
            counters.recorded += 1
        elif report.recorded is not None:
            counters.unrecorded += 1
        self._book.judge(shadow, _comparison(report, differences))

    def _give_up(self, shadow: Shadow) -> None:
        """There will be no verdict."""
        self._book.counters.unrecorded += self.recording and not (shadow.subject and shadow.subject.rerun)
        self._book.judge(shadow, None)

    def lost(self, link: WorkerLink) -> None:
        """A worker died; what it had is DROPPED by now. Tell its successor what it needs to record."""
        if link is self._twins:
            self._twins = None
            logger.warning(TWINS_LOST, "with the worker process that learned them")
        for number in [number for number, credit in self._credits.items() if credit[0] is link]:
            self.credit(number)
        primaries = []
        for shadow in [shadow for shadow in self._book.unjudged() if shadow.link is link]:
            self._note(shadow, link, again=True)
            if shadow.primary not in primaries:
                primaries.append(shadow.primary)
        for primary in primaries:
            if primary.answer is not None:
                self._send_answer(link, primary.answer, b"")

    def close(self, mine: list[Shadow]) -> None:
        """The workers have ended: nobody will send the verdicts of `mine`."""
        for shadow in mine:
            self._give_up(shadow)
        for number in list(self._credits):
            self.credit(number)


def _comparison(report: VerdictReport, differences: bytes) -> Comparison:
    from mirror_addon.compare.comparison import Comparison  # much to import, needed only where responses are compared
    from mirror_addon.compare.difference import Difference
    from mirror_addon.compare.twin_values import Translation

    found = tuple(Difference(**each) for each in json.loads(differences)) if differences else ()
    twin = None if report.twin is None else tuple(Translation._make(each) for each in report.twin)
    return Comparison(report.verdict, found, report.notes, report.more, twin, report.endpoint)
