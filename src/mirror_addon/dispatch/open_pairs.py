"""The proxy's account of the shadows that are compared or recorded: from hand-over to the worker's verdict.

All shadows of a primary go to one worker, and so does its answer. What the worker was told of them is kept here in
short until it has given its verdict, so that a worker that is lost takes no line of the record with it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from mirror_addon.dispatch.counters import Counters
from mirror_addon.dispatch.queue import QueuedBytes
from mirror_addon.dispatch.worker_link import WorkerLink
from mirror_addon.shadow.frames import CHUNK_OVERHEAD
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.gauges import Gauge
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.result import ShadowVerdict

if TYPE_CHECKING:
    from mirror_addon.compare.answer import Answer
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.shadow.subject import Subject

logger = logging.getLogger(__name__)

_NOTES_SHARE = 16
_NOTES_LEAST = 1024 * 1024
"""Notes of dropped shadows may occupy a sixteenth of the queue beside it, and so many bytes at least."""
_OVERHEAD = 1024
_ANSWERS = "answers"


class _OpenPair:
    __slots__ = ("bytes", "error", "group", "id", "label", "ms", "number", "status", "subject")

    def __init__(self, number: int, shadow: ShadowRequest, subject: Subject, group: _OpenGroup) -> None:
        self.number = number
        self.id = shadow.id
        self.label = shadow.target.label
        self.subject = subject
        self.group = group
        self.error = ""
        self.status: int | None = None
        self.bytes = 0
        self.ms: float | None = None


class _OpenGroup:
    __slots__ = ("answer", "id", "link", "pairs", "told", "uncontrolled")

    def __init__(self, id: str, link: WorkerLink) -> None:
        self.id = id
        self.link = link
        self.pairs: dict[int, _OpenPair] = {}
        self.answer: PrimaryAnswer | None = None
        """The primary's, in short, once it was told."""
        self.told = False
        """All of its shadows began before that."""
        self.uncontrolled = False


class OpenPairs:
    """`on_verdict` is told of each pair once; `number` gives numbers that nobody else has."""

    def __init__(
        self,
        waiting: QueuedBytes,
        limit: int,
        counters: Counters,
        number: Callable[[], int],
        on_verdict: Callable[[ShadowVerdict], None] | None,
    ) -> None:
        self.recording = False
        """Whether a record is written."""
        self._waiting = waiting
        self._notes = Gauge(max(limit // _NOTES_SHARE, _NOTES_LEAST))
        self._counters = counters
        self._number = number
        self._on_verdict = on_verdict
        self._groups: dict[str, _OpenGroup] = {}
        self._pairs: dict[int, _OpenPair] = {}
        self._credits: dict[int, tuple[WorkerLink, int, bool]] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def status(self) -> dict[str, Any]:
        return {
            "unpaired": len(self._pairs),
            "recorded": self._counters.recorded,
            "unrecorded": self._counters.unrecorded,
        }

    def link_of(self, group: str) -> WorkerLink | None:
        """The worker that has this group's shadows."""
        found = self._groups.get(group)
        return found.link if found is not None else None

    def begin(self, number: int, shadow: ShadowRequest, subject: Subject, link: WorkerLink) -> None:
        """A shadow went to a worker."""
        self._open(number, shadow, subject, link)

    def _open(self, number: int, shadow: ShadowRequest, subject: Subject, link: WorkerLink) -> _OpenPair:
        group = self._groups.get(subject.group)
        if group is None:
            group = self._groups[subject.group] = _OpenGroup(subject.group, link)
        pair = _OpenPair(number, shadow, subject, group)
        group.pairs[number] = self._pairs[number] = pair
        group.told = False
        return pair

    def refused(self, shadow: ShadowRequest, subject: Subject, reason: str, link: WorkerLink | None) -> None:
        """A shadow was dropped at the door."""
        group = self._groups.get(subject.group)
        if subject.control and group is not None:
            group.uncontrolled = True
        if link is None:
            self._give_up(shadow.id, shadow.target.label, subject)
            return
        pair = self._open(self._number(), shadow, subject, link)
        pair.error = reason
        if not self._note(pair):
            pair.group.uncontrolled |= subject.control
            self._forget(pair)
            self._give_up(pair.id, pair.label, subject)

    def _note(self, pair: _OpenPair, *, again: bool = False) -> bool:
        """Tell a worker of a shadow that it has not sent."""
        note = EndNote(pair.id, pair.label, tuple(pair.subject), pair.error, pair.status, pair.bytes, pair.ms, again)
        frame = encode((Kind.NOTE, pair.number, *note))
        cost = len(frame) + _OVERHEAD
        if again:  # it takes the place of what the lost worker was told, which was more
            self._waiting.add(_ANSWERS, cost)
        else:
            if self._notes.value + cost > (self._notes.limit or 0):
                return False
            self._notes.add(cost)
        self._credits[pair.number] = pair.group.link, cost, again
        pair.group.link.send(frame)
        return True

    def ended(self, number: int, error: str, report: Report | None = None) -> None:
        """A shadow has its result."""
        pair = self._pairs.get(number)
        if pair is not None:
            pair.error = error
            if report is not None:
                pair.status, pair.bytes, pair.ms = report.status, report.bytes, report.total_ms

    def answer(self, id: str, answer: Answer, note: str = "", at: float | None = None) -> None:
        """The primary's answer to a group. If the queue is full, it goes without its body.

        Told again only after a replay has given the group more shadows: the worker may have settled the ones before and
        forgotten it. One that still has it passes over the second.
        """
        group = self._groups.get(id)
        if group is None or group.told:
            return
        group.told = True
        body = answer.body
        fields = answer.headers, body is not None, answer.bytes, answer.ms, answer.error, note, group.uncontrolled, at
        told = PrimaryAnswer(id, answer.status, *fields)
        if body and not self._waiting.fits(_ANSWERS, len(body) + _OVERHEAD):
            body = None
            left_out = "the primary's body was left out, for mirror_queue is full"
            told = told._replace(kept=False, note=f"{note}; {left_out}" if note else left_out)
        group.answer = told._replace(kept=False, headers=())
        self._tell_answer(group.link, told, body or b"")

    def _tell_answer(self, link: WorkerLink, told: PrimaryAnswer, body: bytes) -> None:
        number = self._number()
        head = encode((Kind.ANSWER, number, *told), len(body))
        cost = len(head) + len(body) + CHUNK_OVERHEAD
        self._waiting.add(_ANSWERS, cost)
        self._credits[number] = link, cost, True
        link.send(head, body) if body else link.send(head)

    def credit(self, number: int) -> None:
        """A worker has taken an answer or a note over."""
        credit = self._credits.pop(number, None)
        if credit is None:
            return
        _, cost, in_queue = credit
        if in_queue:
            self._waiting.add(_ANSWERS, -cost)
        else:
            self._notes.add(-cost)

    def verdict(self, number: int, report: VerdictReport, differences: bytes) -> None:
        """A worker's verdict."""
        pair = self._pairs.get(number)
        if pair is None:
            return
        self._forget(pair)
        if report.recorded:
            self._counters.recorded += 1
        elif report.recorded is not None:
            self._counters.unrecorded += 1
        if self._on_verdict is not None:
            comparison = _comparison(report, differences)
            self._tell(ShadowVerdict(pair.id, pair.label, pair.subject.control, comparison, report.primary))

    def _forget(self, pair: _OpenPair) -> None:
        del self._pairs[pair.number]
        del pair.group.pairs[pair.number]
        if not pair.group.pairs:
            self._groups.pop(pair.group.id, None)

    def _give_up(self, id: str, label: str, subject: Subject) -> None:
        self._counters.unrecorded += self.recording
        self._tell(ShadowVerdict(id, label, subject.control, None, None))

    def _tell(self, verdict: ShadowVerdict) -> None:
        if self._on_verdict is None:
            return
        try:
            self._on_verdict(verdict)
        except Exception as error:  # somebody else's code, which must not keep verdicts from being counted
            logger.warning("mirror: a verdict was not taken: %s: %s", type(error).__name__, error)

    def lost(self, link: WorkerLink) -> None:
        """A worker died. Its successor is told what it needs to record."""
        for number in [number for number, credit in self._credits.items() if credit[0] is link]:
            self.credit(number)
        for group in [group for group in self._groups.values() if group.link is link]:
            for pair in list(group.pairs.values()):
                self._note(pair, again=True)
            if group.answer is not None:
                self._tell_answer(link, group.answer, b"")

    def close(self) -> None:
        """The workers have ended; nobody will give the verdicts that are missing."""
        for pair in list(self._pairs.values()):
            self._forget(pair)
            self._give_up(pair.id, pair.label, pair.subject)
        for number in list(self._credits):
            self.credit(number)


def _comparison(report: VerdictReport, differences: bytes) -> Comparison:
    from mirror_addon.compare.comparison import Comparison  # much to import, for proxies that compare
    from mirror_addon.compare.difference import Difference

    found = tuple(Difference(**each) for each in json.loads(differences)) if differences else ()
    return Comparison(report.verdict, found, report.notes, report.more)
