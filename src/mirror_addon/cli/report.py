"""`mirror-addon report`: what a record says, in the terminal, as a page, as data, and as an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from mirror_addon.captures.record_input import read_records
from mirror_addon.compare.report.conditions import ConditionError
from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.conditions import Outcome
from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.documents import document
from mirror_addon.compare.report.junit import junit
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.page import page
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.terminal import terminal_report
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.report.wording import verdict

WIDTH_OF_FILES = 140
"""Columns where the output is no terminal."""


def _conditions(_: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> list[FailCondition]:
    try:
        return [parse_condition(text) for text in texts]
    except ConditionError as error:
        raise click.BadParameter(str(error), param=parameter) from None


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write a self-contained page.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the tables.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML.")
@click.option(
    "--fail-on",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    callback=_conditions,
    help="Exit 1 where it holds, or where there is nothing to judge: 'differing > 0.1%', 'p95 > 1.2x', 'failed > 1%', "
    "'dropped > 0', 'compared < 1000', 'p99 > 250ms', 'p50 > +5ms'; 'each ...' asks every endpoint. May be repeated.",
)
@click.option(
    "--relative",
    type=click.FloatRange(0, 100),
    default=20.0,
    show_default=True,
    metavar="PERCENT",
    help="With control pairs: a field counts above this (raw - noise) / (raw + noise).",
)
@click.option(
    "--absolute",
    type=click.FloatRange(0, 100),
    default=0.03,
    show_default=True,
    metavar="PERCENT",
    help="With control pairs: a field counts above this raw - noise, a share of the pairs.",
)
def report(
    files: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    junit_file: Path | None,
    conditions: list[FailCondition],
    relative: float,
    absolute: float,
) -> None:
    """What one or several records (mirror_record) say: which endpoints and fields differ, how often, and who is slower.

    FILEs are JSON Lines, gzipped or not; - is standard input. Without --fail-on the exit code is 0 whatever differs:
    a report is a reader.
    """
    for written in (output, junit_file):
        if written is not None and any(_same_file(written, each) for each in files):
            raise click.UsageError(f"{written} is one of the records to read; name another file to write")
    summary = read_summary(files, NoiseRule(relative, absolute))
    outcomes = list(judge(conditions, summary))
    if output is not None:
        _write(output, page(summary, outcomes, list(files)).encode("utf-8", "backslashreplace"))
    if junit_file is not None:
        _write(junit_file, junit(summary, conditions, outcomes))
    if as_json:
        click.echo(json.dumps(document(summary, outcomes)))
    elif output is not None:
        click.echo(verdict(summary))
    else:
        _print(summary)
    if conditions:
        _decide(summary, outcomes)


def read_summary(files: tuple[str, ...], rule: NoiseRule) -> Summary:
    tally = RecordTally()
    reader = read_records(files, RecordLine, tally.add_all)
    return summarise(tally, rule, reader.skipped)


def _print(summary: Summary) -> None:
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_FILES
    for each in terminal_report(summary):
        console.print(each)


def _decide(summary: Summary, outcomes: list[Outcome]) -> None:
    """Says what each condition came to on stderr, and exits with 1 where one fails."""
    if not outcomes:
        click.echo("nothing to judge: the record has no shadows of any target", err=True)
        raise SystemExit(1)
    failed = [each for each in outcomes if each.failed]
    for outcome in failed:
        click.secho(f"failed: {outcome}", fg="red", err=True)
    if failed:
        raise SystemExit(1)
    click.echo(f"passed: {counted(len(outcomes), 'condition')} asked, none holds", err=True)


def _same_file(one: Path, other: str) -> bool:
    return one.exists() and other != "-" and Path(other).exists() and one.samefile(other)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror or error}") from None
