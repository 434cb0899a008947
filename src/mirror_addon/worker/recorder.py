"""The worker's part of the record: one line for each pair, and a log line if the file cannot be written.

Every worker appends to the same file, or to that of its day and target (`RecordPath`). `RecordFile` writes a line with
one call under a lock, and cuts off an incomplete last line before the next one, so that the file holds whole lines even
if a worker is killed or the disk is full in between.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable
from pathlib import Path

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.record import MAX_BODY
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.compare.record_file import RecordFile
from mirror_addon.compare.record_file import last_lines
from mirror_addon.compare.record_path import RecordPath
from mirror_addon.compare.redaction import NOTHING
from mirror_addon.compare.redaction import Redaction
from mirror_addon.shadow.frames import Recording
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.pair_book import Match
from mirror_addon.worker.pair_book import PendingPair

_OPEN = 16
"""The most files that are kept open."""


class Recorder:
    """Writes lines as a Recording says. `log(text)` is called when that begins to fail and when it works again."""

    def __init__(self, budget: Budget, log: Callable[[str], None]) -> None:
        self._budget = budget
        self._log = log
        self._path: RecordPath | None = None
        self._text = ""
        self._files: dict[str, RecordFile] = {}
        self._rotate = 0
        self._bodies = False
        self._redacted = NOTHING
        self._failing = False

    def configure(self, recording: Recording) -> None:
        """Use these settings from the next line on."""
        if recording.path != self._text:
            self._close(0)
            self._text = recording.path
            self._path = RecordPath(recording.path) if recording.path else None
            self._failing = False
        self._rotate = recording.rotate
        self._bodies = self._path is not None and recording.bodies
        self._redacted = redaction_of(recording)

    def body(self, pair: PendingPair, part: bytes, least: int = 0) -> None:
        """The next part of a shadow's request body has arrived. `least`: bytes to keep where none are recorded."""
        limit = MAX_BODY if self._bodies else least
        if part and limit:
            pair.request.add(part, limit, self._budget)

    def record(self, match: Match, comparison: Comparison) -> bool | None:
        """Write the line of a pair. Return whether that worked; None if there is no record, or it is no part of it."""
        pair = match.pair
        if self._path is None or pair.subject.rerun:
            return None
        assert pair.response is not None
        request = None
        if self._bodies:
            kept = pair.request
            headers = pair.subject.headers or ()
            body = b"".join(kept.parts) if pair.sent else None
            request = RecordedRequest(headers, body, kept.cut or not pair.sent or not pair.whole)
        line = record_line(
            _about(pair),
            match.primary,
            pair.response,
            comparison,
            request=request,
            redacted=self._redacted,
            calls=pair.calls,
        )
        name = self._path.at(pair.label, pair.subject.start)
        try:
            self._file(name).append(line)
        except OSError as error:
            if not self._failing:
                self._failing = True
                why = error.strerror or os.strerror(error.errno or 0)
                self._log(f"cannot write the record {name}: {why}; mirroring goes on without it")
            return False
        if self._failing:
            self._failing = False
            self._log(f"the record {name} can be written again")
        return True

    def last_lines(self) -> dict[str, bytes]:
        """The last lines of the record, by id, of the newest of its files; see `compare.record_file`."""
        if self._path is None:
            return {}
        found: dict[str, bytes] = {}
        for name in reversed(heapq.nlargest(_OPEN, self._path.files(), key=_changed)):
            found |= last_lines(Path(name))
        return found

    def _file(self, name: str) -> RecordFile:
        """Return an open file. Of many, those that were used last stay open. Raises OSError."""
        file = self._files.pop(name, None)
        if file is None:
            assert self._path is not None
            if not self._path.is_fixed:
                os.makedirs(os.path.dirname(name) or ".", mode=0o700, exist_ok=True)
            self._close(_OPEN - 1)
            file = RecordFile(Path(name))
        file.rotate = self._rotate
        self._files[name] = file
        return file

    def _close(self, left: int) -> None:
        """Close the files that were used longest ago, until so many are open."""
        while len(self._files) > left:
            self._files.pop(next(iter(self._files))).close()


def _changed(name: str) -> float:
    try:
        return os.stat(name).st_mtime
    except OSError:
        return 0.0


def redaction_of(recording: Recording) -> Redaction:
    """What is left out of what a worker writes and reports."""
    return Redaction((entry.decode() for entry in recording.redact), recording.redact_key)


def _about(pair: PendingPair) -> About:
    subject = pair.subject
    return About(
        pair.id,
        subject.group,
        subject.start,
        subject.rule,
        subject.route,
        pair.label,
        subject.control,
        subject.method,
        subject.url,
        subject.draw,
        subject.client,
        pair.operation.name,
    )
