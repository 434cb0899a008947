"""`mirror-addon report`: a record summarised in the terminal, as a page, as JSON, as JUnit XML, and as an exit code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.console import fail
from mirror_addon.cli.console import output_console
from mirror_addon.cli.finding_edits import Edits
from mirror_addon.cli.findings_input import Basis
from mirror_addon.cli.findings_input import read_findings
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.private_files import write_private
from mirror_addon.cli.record_files import record_files
from mirror_addon.cli.value_type import value_type
from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.conditions import Outcome
from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.documents import document
from mirror_addon.compare.report.junit import junit
from mirror_addon.compare.report.page import page
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.terminal import terminal_report
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.report.wording import verdict


@dataclass(frozen=True, slots=True)
class Output:
    """What is written and printed."""

    output: Path | None
    as_json: bool
    junit_file: Path | None


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write a self-contained HTML page."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the tables.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML.")
@click.option(
    "--fail-on",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    type=value_type(parse_condition),
    help="Exit 1 if it holds, or if there is nothing to judge: 'differing > 0.1%', 'p95 > 1.2x', 'failed > 1%', "
    "'dropped > 0', 'compared < 1000', 'p99 > 250ms', 'p50 > +5ms', 'new > 0'; 'each ...' judges every endpoint. May "
    "be repeated.",
)
@click.option(
    "--relative",
    type=click.FloatRange(0, 100),
    default=20.0,
    show_default=True,
    metavar="PERCENT",
    help="With control pairs: a field counts if (raw - noise) / (raw + noise) is above this.",
)
@click.option(
    "--absolute",
    type=click.FloatRange(0, 100),
    default=0.03,
    show_default=True,
    metavar="PERCENT",
    help="With control pairs: a field counts if raw - noise, a share of the pairs, is above this.",
)
@click.option(
    "--against",
    metavar="FILE",
    multiple=True,
    help="A record of before: findings that are in it too are known, those that are only in it fixed, others new. "
    "May be repeated.",
)
@click.option(
    "--compare",
    "rules_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Judge the record anew by this compare.yaml; responses are compared again where the record has their bodies.",
)
@click.option("--accept", metavar="FINDING", multiple=True, help="Add a rule that accepts this finding to --compare.")
@click.option(
    "--ignore", metavar="FINDING", multiple=True, help="Add a rule that ignores its path whatever differs there."
)
@click.option("--undo", metavar="FINDING", multiple=True, help="Remove the rule for this finding.")
@gathered(noise=NoiseRule, output=Output, basis=Basis, edits=Edits)
def report(
    files: tuple[str, ...],
    conditions: tuple[FailCondition, ...],
    noise: NoiseRule,
    output: Output,
    basis: Basis,
    edits: Edits,
) -> None:
    """Summarise records (mirror_record): the causes of differences, at which endpoints, and which side is slower.

    FILEs are JSON Lines, gzipped or not; - is standard input, a folder stands for all records in it and below, and a
    pattern ('records/day=2026-12-*/**') for what it matches. Without --fail-on the exit code is 0, whatever differs.
    --accept, --ignore and --undo change the file of --compare (compare.yaml by default), show the change before it is
    written, and ask at a terminal.
    """
    refuse_own_inputs((output.output, output.junit_file), record_files((*files, *basis.against)))
    summary = read_findings(files, noise, basis)
    if edits:
        basis = edits.make(summary.findings, basis)
        if "-" not in (*files, *basis.against):
            summary = read_findings(files, noise, basis)
    conclude(summary, conditions, output, files)


SHARED_OPTIONS = ("output", "as_json", "junit_file", "conditions", "relative", "absolute")
"""The options that other commands which report have too, by the names of their parameters."""


def shared_options() -> list[click.Parameter]:
    return [each for each in report.params if each.name in SHARED_OPTIONS]


def refuse_own_inputs(written: Iterable[Path | None], files: Sequence[str], kind: str = "records") -> None:
    """Raises click.UsageError where a file to write is one of the files to read. `kind`: what these are."""
    for path in written:
        if path is not None and any(_same_file(path, each) for each in files):
            raise click.UsageError(f"{path} is one of the {kind} to read; name another file to write")


def conclude(
    summary: Summary,
    conditions: tuple[FailCondition, ...],
    output: Output,
    files: Sequence[str],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write and print the report, and exit with 1 where a condition holds. `more`: further keys of `--json`."""
    outcomes = list(judge(list(conditions), summary))
    if output.output is not None:
        _write(output.output, page(summary, outcomes, list(files)).encode("utf-8", "backslashreplace"))
    if output.junit_file is not None:
        _write(output.junit_file, junit(summary, list(conditions), outcomes))
    if output.as_json:
        echo(json.dumps({**document(summary, outcomes), **(more or {})}))
    elif output.output is not None:
        echo(verdict(summary))
    else:
        _print(summary)
    if conditions:
        _decide(summary, outcomes)


def _print(summary: Summary) -> None:
    console = output_console()
    for each in terminal_report(summary):
        console.print(each)


def _decide(summary: Summary, outcomes: list[Outcome]) -> None:
    """Print the conditions that fail on stderr, and exit with 1 where there is one."""
    if not outcomes:
        echo("nothing to judge: there is no shadow in the record", err=True)
        raise SystemExit(1)
    fail([each for each in outcomes if each.failed])
    echo(f"passed: {counted(len(outcomes), 'condition')} judged, none holds", err=True)


def _same_file(one: Path, other: str) -> bool:
    return one.exists() and other != "-" and Path(other).exists() and one.samefile(other)


def _write(path: Path, content: bytes) -> None:
    try:
        write_private(path, content)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror or error}") from None
