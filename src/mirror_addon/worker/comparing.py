"""The second half of the worker: it pairs responses, compares them, and records and reports the result.

`PairBook` knows when all that a shadow is compared with has arrived; `compare.comparison` compares it, and `Recorder`
writes its line. The event loop must stay free for the lanes, which measure the mirrors' response times on it. A pair is
compared in the loop only if it is small, encoded and decoded, and for at most `AT_ONCE_SECONDS`. All others are
compared in a process of their own, each with a deadline (`compare_process`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from typing import Any

from mirror_addon.compare.answer import NO_FAULT
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import calls_of
from mirror_addon.compare.calls import with_calls
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.echoes import asked_by
from mirror_addon.compare.endpoint import endpoint_of_pair
from mirror_addon.compare.graphql import MAX_REQUEST
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.record import differences_of
from mirror_addon.compare.record import to_json
from mirror_addon.compare.redaction import NOTHING
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.at_once import within
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.compare_process import CompareProcess
from mirror_addon.worker.comparison_task import IdArguments
from mirror_addon.worker.comparison_task import Task
from mirror_addon.worker.pair_book import Match
from mirror_addon.worker.pair_book import PairBook
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.recorder import Recorder
from mirror_addon.worker.recorder import redaction_of

if TYPE_CHECKING:
    from mirror_addon.worker.twins import Twins

AT_ONCE_BYTES = 4 * 1024
"""Header fields and bodies of a pair from which it is compared in the process. Below, the hand-over costs more."""
AT_ONCE_DECODED = 16 * 1024
"""The same for each body without its content coding."""
AT_ONCE_SECONDS = 0.01
"""Processor time. Ordinary pairs of that size take less than a millisecond."""
_SLOW_SECONDS = 10.0
"""After a pair that took longer, so long all pairs of that mirror are compared in the process."""
_CLOSE_SECONDS = 0.25
"""Time that comparisons in progress still have at the end of the worker."""
_LINES_BEFORE_SECONDS = 5.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_TARGETS = 50
"""Targets whose ids are remembered."""
UNANSWERED = Answer(None, error="unanswered")


class Comparing:
    """`report(number, report, differences)` is called once for every shadow that joined or was noted; `differences` is
    JSON, or empty. `log(text)` gets what the user should know. All methods belong to the event loop's thread."""

    def __init__(
        self, budget: Budget, report: Callable[[int, VerdictReport, bytes], None], log: Callable[[str], None]
    ) -> None:
        self._budget = budget
        self._report = report
        self._log = log
        self._compares = False
        self._rules: Rules = DEFAULT_RULES
        self._rules_for: dict[str, Rules] = {}
        self._redacted = NOTHING
        self._suffix = b""
        self._new_ids: dict[str, NewIds] = {}
        """By the label of the target."""
        self._recorder = Recorder(budget, log)
        self._book = PairBook(self._matched, budget, time.time)
        self._process = CompareProcess(log)
        self._slow_until: dict[str, float] = {}
        """Loop time, by the label of a target."""
        self.twins: Twins | None = None
        """They learn from responses before these are compared."""
        self._before: dict[str, bytes] | None = None
        """The record's last lines, by id, while the proxy sends NOTEs of a lost worker's shadows."""

    def configure(self, recording: Recording) -> None:
        """Use these settings for the pairs that are matched from now on."""
        self._compares = recording.compare
        try:
            self._rules = Rules.parse(recording.rules, recording.rules_source) if recording.rules else DEFAULT_RULES
        except RulesError as error:
            self._log(str(error))
            self._rules = DEFAULT_RULES
        self._rules = replace(self._rules, descriptors=recording.descriptors)
        self._rules_for = {}
        self._redacted = redaction_of(recording)
        self._suffix = recording.suffix
        self._recorder.configure(recording)

    # What arrives

    def join(self, number: int, label: str, id: str, subject: tuple[Any, ...]) -> PendingPair:
        """A shadow has arrived. `subject` holds the fields of a Subject."""
        pair = PendingPair(number, id, label, Subject(*subject))
        self._book.join(pair)
        return pair

    def request_body(self, pair: PendingPair, part: bytes, *, last: bool) -> None:
        """The next part of its request body has arrived; `last` says whether it is complete."""
        pair.whole = last
        self._recorder.body(pair, part, 0 if pair.subject.method in _SAFE else MAX_REQUEST)

    def asked(self, pair: PendingPair, head: Head) -> Asked | None:
        """How a mirror was asked by the request `head`; None for a control, which is asked as the primary was."""
        if pair.label.startswith("control:"):
            return None
        return asked_by(head.authority, head.headers, self._suffix)

    def ended(self, pair: PendingPair, response: Answer, charged: int) -> None:
        """It has ended. `charged` bytes of the response are kept, and taken from the budget."""
        self._book.ended(pair, response, charged)

    def noted(self, number: int, note: EndNote) -> None:
        """A shadow has ended that was not sent here: it was dropped in the proxy, or its worker is gone.

        In the second case (`again`) the lost worker may have written its line. Then that line is reported, so that no
        shadow has two lines.
        """
        if note.again and (line := self._lines_before().get(note.id)) is not None:
            self._report(number, *_report_of(line))
            return
        pair = self.join(number, note.label, note.id, note.subject)
        pair.sent = False
        if note.again:
            pair.again = True
            pair.notes = ("the worker that had it was lost",)
        self._book.ended(pair, Answer(note.status, bytes=note.bytes, ms=note.ms, error=note.error))

    def primary_ended(self, primary: PrimaryAnswer, body: bytes) -> None:
        """A primary has its response, or has failed."""
        kept = body[: self._budget.take(len(body))] if primary.kept else None
        headers = tuple((name, value) for name, value in primary.headers)
        times = primary.ms, primary.error, primary.connect_ms, primary.first_ms, primary.clock, primary.late_ms
        response = Answer(primary.status, headers, kept, primary.bytes, *times)
        if self.twins is not None:
            self.twins.primary_ended(self._book.pairs_of(primary.group), response)
        self._book.primary_ended(
            primary.group,
            response,
            primary.note,
            len(kept or b""),
            uncontrolled=primary.uncontrolled,
            at=primary.at,
        )

    def called(self, group: str, number: int, calls: bytes) -> None:
        """The mirror has made these calls (JSON) for the shadow with that number, which has ended."""
        self._book.called(group, number, calls_of(json.loads(calls)))

    def _lines_before(self) -> dict[str, bytes]:
        if self._before is None:
            self._before = self._recorder.last_lines()
            asyncio.get_running_loop().call_later(_LINES_BEFORE_SECONDS, self._forget_lines)
        return self._before

    def _forget_lines(self) -> None:
        self._before = None

    # What becomes of it

    def _matched(self, match: Match) -> None:
        comparison = self._without_comparing(match)
        if comparison is not None:
            self._finish(match, comparison)
            return
        assert match.primary is not None
        assert match.pair.response is not None
        label = match.pair.label
        task, rules, learned = self._task(match), self._rules_of(match.pair.subject.ignore), self._learned(match.pair)
        now = asyncio.get_running_loop().time()
        quick = now >= self._slow_until.get(label, 0.0)
        small = task.decoded_within(AT_ONCE_DECODED) if quick and task.size < AT_ONCE_BYTES else None
        if small is not None:
            comparison = within(AT_ONCE_SECONDS, partial(small.run, rules, learned))
            if comparison is not None:
                self._compared(match, comparison)
                return
            self._slow_until[label] = now + _SLOW_SECONDS
        self._process.submit(label, task, rules, learned, lambda comparison: self._compared(match, comparison))

    def _compared(self, match: Match, compared: Comparison) -> None:
        differences = tuple(map(self._redacted.difference, compared.differences))
        notes = (*match.notes, *compared.notes)
        self._finish(match, Comparison(compared.verdict, differences, notes, compared.more))

    @property
    def numbers(self) -> tuple[int, int]:
        """Pairs that wait for their comparison, and those that were given up so far."""
        return self._process.backlog, self._process.given_up

    def _without_comparing(self, match: Match) -> Comparison | None:
        """The result for a pair that is not to be compared; None for one that is."""
        shadow, primary = match.pair.response, match.primary
        assert shadow is not None
        if shadow.error or shadow.status is None:
            return Comparison("failed", (), match.notes)
        if primary is None or (primary.status is None and primary.error in NO_FAULT):
            why = primary.error if primary is not None else UNANSWERED.error
            return Comparison(None, (), (*match.notes, f"not compared: the primary has no response ({why})"))
        if not self._compares or match.pair.again:
            return Comparison(None, (), match.notes)
        return None

    def _task(self, match: Match) -> Task:
        pair, primary, shadow = match.pair, match.primary, match.pair.response
        assert primary is not None
        assert shadow is not None
        subject, operation, ids = pair.subject, pair.operation, None
        if not subject.control:
            whole = pair.whole and not pair.request.cut
            ids = IdArguments(
                subject.method,
                subject.url,
                f"{subject.url} {b''.join(pair.request.parts).decode('latin-1')}" if whole else None,
                primary.status == shadow.status == HTTPStatus.CREATED,
                (operation.name if operation.changes else "") if operation.name else None,
            )
        times = pair.ended_at, match.primary_at
        request = subject.method, subject.url, operation.name
        return Task(primary, shadow, match.control, *request, *times, ids, pair.twin)

    def _learned(self, pair: PendingPair) -> NewIds | None:
        """What is known of the mirror's ids. None for a control, which makes nothing."""
        if pair.subject.control:
            return None
        learned = self._new_ids.get(pair.label)
        if learned is None and len(self._new_ids) < _MAX_TARGETS:
            learned = self._new_ids[pair.label] = NewIds()
        return learned

    def _rules_of(self, ignore: str) -> Rules:
        if not ignore:
            return self._rules
        rules = self._rules_for.get(ignore)
        if rules is None:
            try:
                rules = self._rules.ignoring(ignore)
            except RulesError as error:
                self._log(f"mirror-addon/ignore: {error}")
                rules = self._rules
            self._rules_for[ignore] = rules
        return rules

    def _finish(self, match: Match, comparison: Comparison) -> None:
        pair, primary = match.pair, match.primary
        if pair.calls:
            if pair.twin is not None:
                from mirror_addon.twin.calls import with_own_names  # only where there is a twin and a sandbox

                pair.calls = with_own_names(pair.calls, pair.twin, pair.translations or ())
            rules, subject = self._rules_of(pair.subject.ignore), pair.subject
            asked = {"method": subject.method, "url": subject.url, "operation": pair.operation.name}
            comparison = with_calls(comparison, pair.calls, rules, **asked, endpoint=_endpoint(match))
        if pair.translations is not None:
            comparison = replace(comparison, twin=tuple(map(self._redacted.translation, pair.translations)))
        recorded = self._recorder.record(match, comparison)
        self._book.settled(pair)
        answered = None if primary is None else (primary.status, primary.ms, primary.bytes, primary.error)
        twin = None if comparison.twin is None else tuple((*each,) for each in comparison.twin)
        endpoint = _endpoint(match) if comparison.verdict == "different" else ""
        report = VerdictReport(
            comparison.verdict, comparison.notes, comparison.more, recorded, answered, twin, endpoint
        )
        self._report(pair.number, report, to_json(differences_of(comparison)) if comparison.differences else b"")

    async def close(self) -> None:
        """At the end of the worker: record every pair that is not settled, with what is known of it.

        Comparisons have up to `_CLOSE_SECONDS`.
        """
        await self._process.close(_CLOSE_SECONDS)
        for match in self._book.leave():
            if match.pair.response is None:
                match.pair.response = Answer(None, error="shutdown")
            primary = match.primary or UNANSWERED
            match = match._replace(primary=primary)
            self._finish(match, self._without_comparing(match) or Comparison(None, (), match.notes))


def _endpoint(match: Match) -> str:
    subject = match.pair.subject
    responses = [each.headers for each in (match.primary, match.pair.response) if each is not None]
    return endpoint_of_pair(subject.method, subject.url, match.pair.operation.name, *responses)


def _report_of(line: bytes) -> tuple[VerdictReport, bytes]:
    """The report and the differences (JSON, or empty) of a pair, from its line in the record."""
    try:
        fields = json.loads(line)
        response = fields["primary"]
        primary = response["status"], response["ms"], response["bytes"], response["error"] or ""
        report = VerdictReport(
            fields["verdict"], tuple(fields["notes"]), fields["more"], True, primary, None, fields["endpoint"]
        )
        return report, to_json(fields["differences"]) if fields["differences"] else b""
    except (ValueError, LookupError, TypeError):
        return VerdictReport(None, (), 0, True, None), b""
