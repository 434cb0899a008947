"""What `mirror-addon report` judges a record by: other rules than those of the recording, and an older record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.record_input import read_records
from mirror_addon.compare.findings import against
from mirror_addon.compare.report.judging import Judge
from mirror_addon.compare.report.judging import JudgedLine
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError


@dataclass(frozen=True, slots=True)
class Basis:
    """`against`: records of before. `rules_file`: a `compare.yaml`; None for the rules of the recording."""

    against: tuple[str, ...] = ()
    rules_file: Path | None = None


def read_findings(files: Sequence[str], noise: NoiseRule, basis: Basis) -> Summary:
    """The summary of the records. Raises click.UsageError."""
    rules = None if basis.rules_file is None else _rules(basis.rules_file)
    summary = _read(files, noise, rules)
    if basis.against:
        before = _read(basis.against, noise, rules)
        there = [each for each in before.findings if each.state != "accepted"]
        summary = replace(summary, findings=tuple(against(summary.findings, there)))
    return summary


def _read(files: Sequence[str], noise: NoiseRule, rules: Rules | None) -> Summary:
    tally = RecordTally()
    if rules is None:
        return summarise(tally, noise, read_records(files, RecordLine, tally.add_all).skipped)
    judge = Judge(rules)
    reader = read_records(files, JudgedLine, lambda lines: tally.add_all(judge.lines(lines)))
    if judge.listed:
        echo(
            f"note: {counted(judge.listed, 'differing pair')} of {reader.records:,} lines have no bodies to compare "
            "again (mirror_record_bodies); of the rules only accepted, ignore and unordered apply to them",
            err=True,
        )
    return summarise(tally, noise, reader.skipped, rules.accepted)


def _rules(path: Path) -> Rules:
    try:
        return Rules.parse(path.read_text(encoding="utf-8"), str(path))
    except RulesError as error:
        raise click.UsageError(str(error)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise click.UsageError(f"{path}: cannot be read: {reason}; name a file of comparison rules") from None
