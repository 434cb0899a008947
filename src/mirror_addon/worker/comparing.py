"""The worker's second half: pairs what mirrors and primaries answered, compares them, and records what came of it.

Small answers are compared where they arrive. Big ones go to a thread, one at a time: a lane's clock must not stand
still for them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.record import differences_of
from mirror_addon.compare.record import to_json
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import VerdictReport
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.groups import Groups
from mirror_addon.worker.groups import Match
from mirror_addon.worker.groups import Party
from mirror_addon.worker.recorder import Recorder

IN_THREAD = 4 * 1024
"""Bodies of so many bytes together are compared in the thread."""
_LAST_WAIT = 0.25
"""Seconds that comparisons under way still have at the end."""
_TAKING_OVER = 5.0
_SILENT = frozenset({"client_gone", "killed", "unanswered"})
"""The primary has no answer, and not because of its upstream."""
UNANSWERED = Answer(None, error="unanswered")


class Comparing:
    """`tell(number, report, differences)` is called once for every party that joined."""

    def __init__(
        self, budget: Budget, tell: Callable[[int, VerdictReport, bytes], None], log: Callable[[str], None]
    ) -> None:
        self._budget = budget
        self._tell = tell
        self._log = log
        self._compares = False
        self._rules: Rules = DEFAULT_RULES
        self._rules_for: dict[str, Rules] = {}
        self._redacted: frozenset[str] = frozenset()
        self._recorder = Recorder(budget, log)
        self._groups = Groups(self._matched, budget, time.time)
        self._thread = ThreadPoolExecutor(1, "compare", _be_modest)
        self._under_way: dict[Party, tuple[Match, Future[Comparison]]] = {}
        self._before: dict[str, bytes] | None = None
        """Lines that the record had when this worker took over, for a while."""

    def configure(self, recording: Recording) -> None:
        """In force for what ends from now on."""
        self._compares = recording.compare
        try:
            self._rules = Rules.parse(recording.rules, recording.rules_source) if recording.rules else DEFAULT_RULES
        except RulesError as error:
            self._log(str(error))
            self._rules = DEFAULT_RULES
        self._rules_for = {}
        self._redacted = frozenset("header:" + name.decode("latin-1").lower() for name in recording.redact)
        self._recorder.configure(recording)

    # What comes in

    def join(self, number: int, label: str, id: str, subject: tuple[Any, ...]) -> Party:
        """A shadow is on its way."""
        party = Party(number, id, label, Subject(*subject))
        self._groups.join(party)
        return party

    def request_body(self, party: Party, part: bytes, *, last: bool) -> None:
        """Its request body has come so far."""
        party.whole = last
        self._recorder.body(party, part)

    def ended(self, party: Party, answer: Answer, charged: int) -> None:
        """It has its answer, of which so many bytes are kept."""
        self._groups.ended(party, answer, charged)

    def noted(self, number: int, note: EndNote) -> None:
        """A shadow ended that was not sent here."""
        if note.again and (line := self._lines_before().get(note.id)) is not None:
            self._tell(number, *_told_before(line))
            return
        party = self.join(number, note.label, note.id, note.subject)
        party.sent = False
        if note.again:
            party.again = True
            party.notes = ("the worker that had it was lost",)
        self._groups.ended(party, Answer(note.status, bytes=note.bytes, ms=note.ms, error=note.error))

    def answered(self, told: PrimaryAnswer, body: bytes) -> None:
        """A primary has its answer."""
        kept = body[: self._budget.take(len(body))] if told.kept else None
        headers = tuple((name, value) for name, value in told.headers)
        answer = Answer(told.status, headers, kept, told.bytes, told.ms, told.error)
        self._groups.answered(
            told.group, answer, told.note, len(kept or b""), uncontrolled=told.uncontrolled, at=told.at
        )

    def _lines_before(self) -> dict[str, bytes]:
        if self._before is None:
            self._before = self._recorder.last_lines()
            asyncio.get_running_loop().call_later(_TAKING_OVER, self._forget_lines)
        return self._before

    def _forget_lines(self) -> None:
        self._before = None

    # What comes of it

    def _matched(self, match: Match) -> None:
        comparison = self._without_comparing(match)
        if comparison is not None:
            self._finish(match, comparison)
            return
        assert match.primary is not None
        assert match.party.answer is not None
        size = sum(len(answer.body or b"") for answer in (match.primary, match.party.answer))
        if size < IN_THREAD:
            self._finish(match, self._compare(match))
            return
        future = self._thread.submit(self._compare, match)
        self._under_way[match.party] = match, future
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._compared, match.party))

    def _compared(self, party: Party) -> None:
        if (under_way := self._under_way.pop(party, None)) is not None:
            match, future = under_way
            self._finish(match, future.result())

    def _without_comparing(self, match: Match) -> Comparison | None:
        """What comes of a pair that cannot be compared, or None."""
        shadow, primary = match.party.answer, match.primary
        assert shadow is not None
        if shadow.error or shadow.status is None:
            return Comparison("failed", (), match.notes)
        if primary is None or (primary.status is None and primary.error in _SILENT):
            why = primary.error if primary is not None else UNANSWERED.error
            return Comparison(None, (), (*match.notes, f"not compared: the primary has no answer ({why})"))
        if not self._compares or match.party.again:
            return Comparison(None, (), match.notes)
        return None

    def _compare(self, match: Match) -> Comparison:
        """Compare a pair, in whatever thread."""
        subject, primary, shadow = match.party.subject, match.primary, match.party.answer
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
                now=match.party.ended_at,
                primary_now=match.primary_at,
            )
        except Exception as error:  # two answers that nobody thought of must not end a worker
            return Comparison(None, (), (*notes, f"not compared: {type(error).__name__}: {error}"))
        differences = tuple(map(self._redact, compared.differences))
        return Comparison(compared.verdict, differences, (*notes, *compared.notes), compared.more)

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

    def _redact(self, difference: Difference) -> Difference:
        if difference.path.lower() not in self._redacted:
            return difference
        blank = REDACTED.decode()
        return Difference(
            difference.path,
            difference.kind,
            None if difference.primary is None else blank,
            None if difference.shadow is None else blank,
            difference.noise,
            difference.where,
        )

    def _finish(self, match: Match, comparison: Comparison) -> None:
        party, primary = match.party, match.primary
        recorded = self._recorder.record(match, comparison)
        self._groups.settled(party)
        answered = None if primary is None else (primary.status, primary.ms, primary.bytes, primary.error)
        report = VerdictReport(comparison.verdict, comparison.notes, comparison.more, recorded, answered)
        self._tell(party.number, report, to_json(differences_of(comparison)) if comparison.differences else b"")

    def close(self) -> None:
        """The end: record what is not recorded yet, with what is known of it."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _LAST_WAIT
        for match, future in list(self._under_way.values()):
            try:
                comparison = future.result(max(0.0, deadline - time.monotonic()))
            except BaseException:  # a time-out, or cancelled: it is recorded without
                comparison = Comparison(None, (), (*match.notes, "not compared: the proxy ended"))
            self._finish(match, comparison)
        self._under_way.clear()
        for match in self._groups.leave():
            if match.party.answer is None:
                match.party.answer = Answer(None, error="shutdown")
            primary = match.primary or UNANSWERED
            match = match._replace(primary=primary)
            self._finish(match, self._without_comparing(match) or Comparison(None, (), match.notes))


def _be_modest() -> None:
    """Let the loop have the interpreter when it wants it: half a millisecond later at most, not five."""
    sys.setswitchinterval(0.0005)


def _told_before(line: bytes) -> tuple[VerdictReport, bytes]:
    """What a line of the record says of its pair."""
    try:
        said = json.loads(line)
        answer = said["primary"]
        primary = answer["status"], answer["ms"], answer["bytes"], answer["error"] or ""
        report = VerdictReport(said["verdict"], tuple(said["notes"]), said["more"], True, primary)
        return report, to_json(said["differences"]) if said["differences"] else b""
    except (ValueError, LookupError, TypeError):
        return VerdictReport(None, (), 0, True, None), b""
