"""The second half of the worker: it pairs responses, compares them, and records and reports the result.

`PairBook` knows when all that a shadow is compared with has arrived; `compare.comparison` compares it, and `Recorder`
writes its line. Small bodies are compared at once. Bigger ones are compared in a thread, one pair at a time: the event
loop must stay free for the lanes, which measure the mirrors' response times on it. The thread only compares; record
and report are made in the loop's thread, so that no lock is needed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from mirror_addon.compare.answer import NO_FAULT
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.echoes import asked_by
from mirror_addon.compare.graphql import MAX_REQUEST
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.new_ids import PairIds
from mirror_addon.compare.record import differences_of
from mirror_addon.compare.record import to_json
from mirror_addon.compare.redaction import redact_difference
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Head
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.pair_book import Match
from mirror_addon.worker.pair_book import PairBook
from mirror_addon.worker.pair_book import PendingPair
from mirror_addon.worker.recorder import Recorder

THREAD_BYTES = 4 * 1024
"""Size of a pair's two bodies together from which they are compared in the thread. Below, the hand-over costs more."""
_CLOSE_SECONDS = 0.25
"""Time that comparisons in progress still have at the end of the worker."""
_LINES_BEFORE_SECONDS = 5.0
_SWITCH_INTERVAL_SECONDS = 0.0005
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
        self._redacted: frozenset[bytes] = frozenset()
        self._suffix = b""
        self._descriptors = b""
        self._new_ids: dict[str, NewIds] = {}
        """By the label of the target."""
        self._recorder = Recorder(budget, log)
        self._book = PairBook(self._matched, budget, time.time)
        self._thread = ThreadPoolExecutor(1, "compare", _yield_to_the_loop)
        self._in_thread: dict[PendingPair, tuple[Match, Future[Comparison]]] = {}
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
        self._rules_for = {}
        self._redacted = frozenset(recording.redact)
        self._suffix = recording.suffix
        self._descriptors = recording.descriptors
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
        self._book.primary_ended(
            primary.group,
            response,
            primary.note,
            len(kept or b""),
            uncontrolled=primary.uncontrolled,
            at=primary.at,
        )

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
        size = sum(len(response.body or b"") for response in (match.primary, match.pair.response))
        if size < THREAD_BYTES:
            self._finish(match, self._compare(match))
            return
        future = self._thread.submit(self._compare, match)
        self._in_thread[match.pair] = match, future
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._compared, match.pair))

    def _compared(self, pair: PendingPair) -> None:
        if (compared := self._in_thread.pop(pair, None)) is not None:  # `close` may have been quicker
            match, future = compared
            self._finish(match, future.result())

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

    def _compare(self, match: Match) -> Comparison:
        """Compare a pair. Called in either thread, so it changes nothing but the cache of `_rules_of`."""
        subject, primary, shadow = match.pair.subject, match.primary, match.pair.response
        assert primary is not None
        assert shadow is not None
        notes = match.notes
        try:
            compared = compare(
                primary,
                shadow,
                self._rules_of(subject.ignore),
                control=match.control,
                method=subject.method,
                url=subject.url,
                operation=match.pair.operation.name,
                ids=self._ids_of(match.pair, primary, shadow),
                now=match.pair.ended_at,
                primary_now=match.primary_at,
                descriptors=self._descriptors,
            )
        except Exception as error:  # an error of ours in comparing one pair must not end the worker
            return Comparison(None, (), (*notes, f"not compared: {type(error).__name__}: {error}"))
        differences = tuple(redact_difference(each, self._redacted) for each in compared.differences)
        return Comparison(compared.verdict, differences, (*notes, *compared.notes), compared.more)

    def _ids_of(self, pair: PendingPair, primary: Answer, shadow: Answer) -> PairIds | None:
        """What is known of the mirror's ids, for one pair. None for a control, which makes nothing."""
        if pair.subject.control:
            return None
        learned = self._new_ids.get(pair.label)
        if learned is None:
            if len(self._new_ids) >= _MAX_TARGETS:
                return None
            learned = self._new_ids.setdefault(pair.label, NewIds())
        url, operation = pair.subject.url, pair.operation
        body = None if pair.request.cut or not pair.whole else b"".join(pair.request.parts).decode("latin-1")
        return PairIds(
            learned,
            pair.subject.method,
            url,
            None if body is None else f"{url} {body}",
            created=primary.status == shadow.status == HTTPStatus.CREATED,
            operation=(operation.name if operation.changes else "") if operation.name else None,
        )

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
        recorded = self._recorder.record(match, comparison)
        self._book.settled(pair)
        answered = None if primary is None else (primary.status, primary.ms, primary.bytes, primary.error)
        report = VerdictReport(comparison.verdict, comparison.notes, comparison.more, recorded, answered)
        self._report(pair.number, report, to_json(differences_of(comparison)) if comparison.differences else b"")

    def close(self) -> None:
        """At the end of the worker: record every pair that is not settled, with what is known of it.

        Blocks the loop for up to `_CLOSE_SECONDS`.
        """
        self._thread.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _CLOSE_SECONDS
        for match, future in list(self._in_thread.values()):
            try:
                comparison = future.result(max(0.0, deadline - time.monotonic()))
            except (TimeoutError, CancelledError):
                comparison = Comparison(None, (), (*match.notes, "not compared: the proxy ended"))
            self._finish(match, comparison)
        self._in_thread.clear()
        for match in self._book.leave():
            if match.pair.response is None:
                match.pair.response = Answer(None, error="shutdown")
            primary = match.primary or UNANSWERED
            match = match._replace(primary=primary)
            self._finish(match, self._without_comparing(match) or Comparison(None, (), match.notes))


def _yield_to_the_loop() -> None:
    """Have the comparing thread release the interpreter within half a millisecond when the event loop waits for it.

    Python's default is 5 ms (`sys.getswitchinterval`), which would show in the response times that lanes measure.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)


def _report_of(line: bytes) -> tuple[VerdictReport, bytes]:
    """The report and the differences (JSON, or empty) of a pair, from its line in the record."""
    try:
        fields = json.loads(line)
        response = fields["primary"]
        primary = response["status"], response["ms"], response["bytes"], response["error"] or ""
        report = VerdictReport(fields["verdict"], tuple(fields["notes"]), fields["more"], True, primary)
        return report, to_json(fields["differences"]) if fields["differences"] else b""
    except (ValueError, LookupError, TypeError):
        return VerdictReport(None, (), 0, True, None), b""
