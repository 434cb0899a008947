"""The twins of a worker's mirrors: shadows that wait for a translation or for their turn, and what pairs teach.

Theory of operation. A shadow of a target with `mirror_twin` passes through here before it gets a lane. It waits

- for the pairs in which one of its values was named by the primary while the mirror has not responded yet: the
  translation is on its way; and
- for the shadows before it that share a learned value with it, if they are of the same client, and the client had their
  responses when it sent this one. So a DELETE does not overtake the GET before it. Requests that the client itself has
  sent at the same time are sent at the same time.

A shadow waits only for shadows that arrived before it, so there is no circle. It waits for its own timeout at most, and
no more than `MAX_WAITING` of a target wait; then it is sent with what is known (`adapted.twin_missing` if something is
not). It occupies no lane meanwhile, so a mirror that hangs holds up those shadows alone that need its responses. The
bytes of what waits here count in the proxy's queue, as do those of all shadows that were not sent.

A pair is learned from as soon as both responses are there, before it is compared. Each target has a `Twin` of its own;
all shadows with twins go to one worker (`dispatch.dispatcher`), so there is one for each target.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.new_ids import READING
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import TranslatedCall
from mirror_addon.twin.requests import Call
from mirror_addon.twin.twin import Reading
from mirror_addon.twin.twin import Twin
from mirror_addon.worker.job import Job
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.twin_job import TargetTwin
from mirror_addon.worker.twin_job import TwinJob

MAX_WAITING = 1000
"""Shadows of one target that may wait."""
MAX_TARGETS = 50
"""Targets whose values are remembered; of others, nothing is translated."""
_MAKING = frozenset({"POST", "PUT", "PATCH"})


class Twins:
    """`submit(job, target)` passes a shadow on to a lane of its target. `log(text)` gets what the user should know. For
    the event loop's thread."""

    def __init__(self, submit: Callable[[Job, bytes], None], log: Callable[[str], None]) -> None:
        self._submit = submit
        self._log = log
        self._targets: dict[str, TargetTwin] = {}
        """By label: the endpoints of a target share what they store."""
        self._jobs: dict[int, TwinJob] = {}
        """By number, until both responses are there."""
        self._count = 0
        self._faulty = False

    def _next(self) -> int:
        self._count += 1
        return self._count

    def take(self, job: Job, pair: PendingPair, target: bytes) -> None:
        """A shadow has arrived, with all or a part of its body."""
        found = self._targets.get(pair.label)
        if found is None:
            if len(self._targets) >= MAX_TARGETS:
                self._submit(job, target)
                return
            found = self._targets[pair.label] = TargetTwin()
        waiting = self._jobs[job.number] = TwinJob(job, pair, found, target, self._next())
        found.jobs[job.number] = waiting
        pair.translations = ()
        group = pair.group
        if group is not None and group.primary is not None:  # it had its response before it got this shadow
            self._primary_ended(waiting, group.primary)
        self._look(waiting)

    def more(self, job: Job) -> None:
        """More of a shadow's body has arrived."""
        waiting = self._jobs.get(job.number)
        if waiting is not None and waiting.arriving:
            self._look(waiting)

    def of(self, label: str) -> Twin | None:
        """What is known of a target; None if it never got a shadow with a twin."""
        found = self._targets.get(label)
        return None if found is None else found.twin

    def as_primary(self, asked: OwnCall, body: bytes) -> tuple[TranslatedCall, bytes] | None:
        """A call that a mirror makes itself with the primary's values, and its body if that has changed; None: nothing
        is known of that mirror."""
        twin = self.of(asked.label)
        if twin is None:
            return None
        call = Call(asked.method, asked.path, asked.headers, body if asked.has_body else None)
        try:
            found = twin.as_primary(call)
        except Exception as error:  # a fault of this program; the call goes its way as it is
            self._fault(error)
            return None
        sent = found.call
        changed = sent.body is not None and sent.body != call.body
        others = tuple((each.path, tuple(map(tuple, each.translations))) for each in found.others)
        told = TranslatedCall(sent.path, sent.headers, changed, tuple(map(tuple, found.translations)), others)
        return told, (sent.body or b"") if changed else b""

    # Waiting

    def _look(self, waiting: TwinJob, *, given_up: bool = False) -> None:
        """Send a shadow, unless it has to wait."""
        if waiting.job.aborted or waiting.released:
            return
        try:
            self._read(waiting, given_up)
        except Exception as error:  # a fault of this program, which must not keep the shadow from being sent
            self._fault(error)
            self._release(waiting)
            self._submit(waiting.job, waiting.target)

    def _read(self, waiting: TwinJob, given_up: bool) -> None:
        head = waiting.head
        waiting.arriving = waiting.is_arriving(head)
        if waiting.arriving:
            return
        twin, number = waiting.twin, waiting.job.number
        reading = twin.twin.read(waiting.call(head), waiting.pair.subject.client, number)
        self._share(waiting, reading)
        blockers = set() if given_up else (self._blockers(waiting) | reading.waits) & twin.jobs.keys()
        if blockers and (number in twin.waiting or len(twin.waiting) < MAX_WAITING):
            self._wait(waiting, head, blockers)
        else:
            self._send(waiting, head, reading)

    def _share(self, waiting: TwinJob, reading: Reading) -> None:
        self._unshare(waiting)
        waiting.client = reading.client
        waiting.keys = reading.keys
        for key in waiting.keys:
            waiting.twin.sharing.setdefault((waiting.client, key), set()).add(waiting.job.number)

    def _unshare(self, waiting: TwinJob) -> None:
        sharing = waiting.twin.sharing
        for key in waiting.keys:
            numbers = sharing.get((waiting.client, key))
            if numbers is not None:
                numbers.discard(waiting.job.number)
                if not numbers:
                    del sharing[waiting.client, key]

    def _blockers(self, waiting: TwinJob) -> set[int]:
        """The shadows whose turn is before this one's."""
        jobs, found = waiting.twin.jobs, set()
        for key in waiting.keys:
            for number in waiting.twin.sharing[waiting.client, key]:
                answered = jobs[number].answered
                if answered is not None and answered < waiting.arrived and number != waiting.job.number:
                    found.add(number)
        return found

    def _wait(self, waiting: TwinJob, head: Head, blockers: set[int]) -> None:
        twin, number = waiting.twin, waiting.job.number
        self._unblock(waiting)
        waiting.blocked_by = blockers
        for each in blockers:
            twin.blocks.setdefault(each, set()).add(number)
        if number not in twin.waiting:
            twin.waiting[number] = waiting
            loop = asyncio.get_running_loop()
            waiting.timer = loop.call_later(head.timeout, lambda: self._look(waiting, given_up=True))

    def _unblock(self, waiting: TwinJob) -> None:
        for each in waiting.blocked_by:
            blocked = waiting.twin.blocks.get(each)
            if blocked is not None:
                blocked.discard(waiting.job.number)
                if not blocked:
                    del waiting.twin.blocks[each]
        waiting.blocked_by = set()

    def _send(self, waiting: TwinJob, head: Head, reading: Reading) -> None:
        self._release(waiting)
        waiting.ask(head, reading, given_up=bool(reading.waits))
        self._submit(waiting.job, waiting.target)

    def _release(self, waiting: TwinJob) -> None:
        """It does not wait any more."""
        waiting.released = True
        self._unblock(waiting)
        waiting.twin.waiting.pop(waiting.job.number, None)
        if waiting.timer is not None:
            waiting.timer.cancel()
            waiting.timer = None

    def flush(self, target: bytes) -> list[Job]:
        """Give up the shadows to a target that wait, and return their jobs."""
        found = [
            waiting
            for twin in self._targets.values()
            for waiting in twin.waiting.values()
            if waiting.target == target and not waiting.job.aborted
        ]
        for waiting in found:
            self._release(waiting)
        return [waiting.job for waiting in found]

    # Responses

    def primary_ended(self, pairs: Iterable[PendingPair], primary: Answer) -> None:
        """The primary of these pairs has its response, or has failed."""
        for pair in pairs:
            if (waiting := self._jobs.get(pair.number)) is not None:
                self._primary_ended(waiting, primary)

    def _primary_ended(self, waiting: TwinJob, primary: Answer) -> None:
        waiting.answered = self._next()
        if primary.status is not None and not primary.error:
            waiting.primary = primary
        if waiting.ended:
            self._learn(waiting)
        elif waiting.primary is not None:
            request = waiting.asked or waiting.pair_request(waiting.call(waiting.head))
            request.makes = _makes(waiting.pair, primary.status)
            try:
                waiting.twin.twin.primary_named(request, primary)
            except Exception as error:
                self._fault(error)

    def told(self, job: Job, report: Report) -> Report:
        """The report of a shadow with what was translated in it."""
        waiting = self._jobs.get(job.number)
        if waiting is None or not waiting.adapted:
            return report
        return report._replace(adapted=waiting.adapted, request=waiting.request if job.tell_body else None)

    def ended(self, pair: PendingPair, response: Answer) -> None:
        """A shadow has ended, with a response or without."""
        waiting = self._jobs.get(pair.number)
        if waiting is None:
            return
        self._release(waiting)
        waiting.ended = True
        if response.status is not None and not response.error:
            waiting.response = response
        if waiting.answered is not None:
            self._learn(waiting)
        twin, number = waiting.twin, pair.number
        del twin.jobs[number]
        self._unshare(waiting)
        for each in sorted(twin.blocks.pop(number, ())):
            blocked = twin.waiting[each]
            blocked.blocked_by.discard(number)
            if not blocked.blocked_by:
                self._look(blocked)

    def _learn(self, waiting: TwinJob) -> None:
        """Both have ended."""
        number = waiting.job.number
        del self._jobs[number]
        primary, response, request, twin = waiting.primary, waiting.response, waiting.asked, waiting.twin.twin
        if primary is None or response is None or request is None:
            twin.failed(number)
            return
        created = primary.status == response.status == HTTPStatus.CREATED
        request.makes = created or _makes(waiting.pair, primary.status)
        try:
            waiting.pair.twin = twin.learn(request, primary, response)
        except Exception as error:
            self._fault(error)
            twin.failed(number)

    def _fault(self, error: Exception) -> None:
        if not self._faulty:
            self._faulty = True
            self._log(f"mirror_twin: {type(error).__name__}: {error}; please report this")


def _makes(pair: PendingPair, status: int | None) -> bool:
    """Whether a request makes something, as far as it can be seen from it and the status of its response."""
    subject, operation = pair.subject, pair.operation
    if subject.method not in _MAKING:
        return False
    if operation.name:
        return operation.changes
    return status == HTTPStatus.CREATED or not _reads(subject.url)


@lru_cache(maxsize=1024)  # asked twice for each pair
def _reads(url: str) -> bool:
    return READING.fullmatch(endpoint_of("", url)) is not None
