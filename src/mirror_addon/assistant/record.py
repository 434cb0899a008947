"""Records as a source: read as `mirror-addon report` reads them, again when they have grown."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.pairs import Message
from mirror_addon.assistant.pairs import PairView
from mirror_addon.assistant.pairs import finding_without_secrets
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.report.documents import finding_document
from mirror_addon.compare.report.judging import Judge
from mirror_addon.compare.report.judging import JudgedLine
from mirror_addon.compare.report.lines import KeptRequest
from mirror_addon.compare.report.lines import KeptSide
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.reading import RecordReader
from mirror_addon.compare.report.reading import SourceError
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.tally import endpoint_of_line
from mirror_addon.compare.report.wording import verdict
from mirror_addon.compare.rules import Rules


class RecordSource:
    """The pairs of `files`, judged by `rules`; None: as they were when they were recorded."""

    def __init__(self, files: Sequence[str], rules: Rules | None, redaction: Redaction) -> None:
        self.name = ", ".join(files)
        self._files = files
        self._rules = rules
        self._redaction = redaction
        self._read: tuple[object, Summary, list[str]] | None = None

    def status(self) -> dict[str, Any]:
        summary, warnings = self._summary()
        return {
            "source": self.name,
            "verdict": verdict(summary),
            "lines": summary.lines,
            "unreadable": summary.skipped,
            "warnings": warnings,
            "first": summary.first or None,
            "last": summary.last or None,
            "control_pairs": summary.controls,
            "targets": [
                {
                    "primary": each.primary or None,
                    "target": each.target,
                    **{name: getattr(each.total, name) for name in ("requests", "compared", "same", "noise")},
                    **{name: getattr(each.total, name) for name in ("differing", "failed", "dropped")},
                    "endpoints": len(each.endpoints),
                }
                for each in summary.targets
            ],
        }

    def findings(self) -> Sequence[dict[str, Any]]:
        return [
            finding_without_secrets(finding_document(each), self._redaction) for each in self._summary()[0].findings
        ]

    def pairs(self) -> Iterator[PairView]:
        reader = RecordReader(self._files, JudgedLine)
        try:
            for line in self._judged(reader):
                yield _view(line)
        except SourceError as error:
            raise AssistantError(str(error)) from None

    def _judged(self, lines: Iterable[JudgedLine]) -> Iterable[JudgedLine]:
        return lines if self._rules is None else Judge(self._rules).lines(lines)

    def _summary(self) -> tuple[Summary, list[str]]:
        state = _state(self._files)
        if self._read is None or self._read[0] != state:
            self._read = (state, *self._summarised())
        return self._read[1:]

    def _summarised(self) -> tuple[Summary, list[str]]:
        tally = RecordTally()
        accepted = () if self._rules is None else self._rules.accepted
        reader: RecordReader[Any]
        try:
            if self._rules is None:
                reader = RecordReader(self._files, RecordLine)
                tally.add_all(reader)
            else:
                reader = RecordReader(self._files, JudgedLine)
                tally.add_all(self._judged(reader))
        except SourceError as error:
            raise AssistantError(str(error)) from None
        return summarise(tally, NoiseRule(), reader.skipped, accepted), reader.warnings


def _state(files: Sequence[str]) -> object:
    """Differs when a file was changed."""
    try:
        found = [os.stat(file) for file in files]
    except OSError as error:
        raise AssistantError(f"{error.filename}: {error.strerror}; name a record of mirror_record") from None
    return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


def _view(line: JudgedLine) -> PairView:
    messages: list[tuple[str, KeptSide | KeptRequest]] = [("primary", line.primary), ("shadow", line.shadow)]
    if line.request is not None:
        messages.insert(0, ("request", line.request))
    return PairView(
        line.id,
        line.time,
        endpoint_of_line(line),
        line.method,
        line.url,
        line.target,
        line.control,
        line.verdict,
        _side(line.primary),
        _side(line.shadow),
        tuple(
            Difference(each.path, each.kind, each.primary, each.shadow, each.noise, each.where)
            for each in line.differences
        ),
        line.more,
        (),
        tuple((name, _message(each)) for name, each in messages if each.body is not None or each.headers),
    )


def _side(side: KeptSide) -> dict[str, Any]:
    return {"status": side.status, "ms": side.ms, "bytes": side.bytes, "error": side.error}


def _message(kept: KeptSide | KeptRequest) -> Message:
    headers = tuple((_raw(name), _raw(value)) for name, value in kept.headers)
    if kept.body is None:
        return Message(headers, None, kept.cut)
    try:
        base = kept.encoding == "base64"
        body = base64.b64decode(kept.body, validate=True) if base else kept.body.encode("utf-8", "surrogatepass")
    except ValueError:
        body = None
    return Message(headers, body, kept.cut)


def _raw(text: str) -> bytes:
    return text.encode("latin-1", "replace")
