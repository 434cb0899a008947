"""`mirror-addon replay`: recorded requests, sent to the mirrors of the rules, compared with what was recorded."""

from __future__ import annotations

import asyncio
import json
import math
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mirror_addon.admission.when import When
from mirror_addon.captures.stream import CaptureError
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.cli.value_type import value_type
from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.documents import document
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.terminal import terminal_report
from mirror_addon.compare.report.wording import printable
from mirror_addon.mirroring.engine_settings import check_record
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.replay.arguments import Faults
from mirror_addon.replay.arguments import parse_faults
from mirror_addon.replay.arguments import parse_header
from mirror_addon.replay.arguments import parse_loop
from mirror_addon.replay.arguments import parse_rate
from mirror_addon.replay.arguments import parse_speed
from mirror_addon.replay.dry_run import DryRun
from mirror_addon.replay.dry_run import lines as dry_lines
from mirror_addon.replay.order import turns
from mirror_addon.replay.planner import Choices
from mirror_addon.replay.player import Pace
from mirror_addon.replay.run import Repeats
from mirror_addon.replay.run import Replay
from mirror_addon.replay.run import replay as run
from mirror_addon.replay.source import Source
from mirror_addon.replay.source import open_sources
from mirror_addon.replay.summary import document as replay_document
from mirror_addon.replay.summary import lines
from mirror_addon.replay.summary import warnings
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.shadow.local_address import own_address

WIDTH_OF_FILES = 140
"""Columns where the output is no terminal."""


class ReplayCommand(click.Command):
    """Lets `--loop` stand alone: what follows it is its number only if it is one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = []
        for index, argument in enumerate(args):
            number = args[index + 1] if index + 1 < len(args) else ""
            alone = argument == "--loop" and not number.isdigit()
            given.append("--loop=forever" if alone else argument)
        return super().parse_args(ctx, given)


@click.command(cls=ReplayCommand)
@rules_options
@click.option("--endpoint", "endpoints", metavar="HOST[/SUBSET]=ADDRESS:PORT", multiple=True, help="mirror_endpoints.")
@click.option("--to", "urls", metavar="URL", multiple=True, help="mirror_to: requests that no rule claims go there.")
@click.option(
    "--speed",
    metavar="TIMES",
    type=value_type(parse_speed),
    help="Times as fast as recorded: 2, 0.5; max: as fast as mirrors answer. [default: 1]",
)
@click.option(
    "--rate", metavar="NUMBER/TIME", type=value_type(parse_rate), help="200/s whatever comes back; 6000/min, 0.5/s."
)
@click.option("--amplify", type=click.IntRange(1, 1000), default=1, show_default=True, help="Send each so many times.")
@click.option(
    "--loop", "loops", metavar="[TIMES]", type=value_type(parse_loop), default="1", help="Again and again, or so often."
)
@click.option("--filter", "filters", metavar="FILTER", multiple=True, help="Only what this filter of mitmproxy takes.")
@click.option("--draw", type=click.IntRange(0, 2**64 - 1), help="One random number for all requests.")
@click.option("--all", "all_mirrors", is_flag=True, help="All mirrors, whatever their percentages.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all that is left to chance.")
@click.option(
    "--set-header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    type=value_type(parse_header),
    help="On shadows, in the place of what was recorded: 'Authorization: Bearer x'. May be repeated.",
)
@click.option(
    "--fault",
    "faults",
    metavar="FAULTS",
    type=value_type(parse_faults),
    default="",
    help="Break what is sent: delay=2s:10%,abort=5% holds 10 % back for 2 s and cuts 5 % midway.",
)
@click.option("--compare", metavar="FILE", help="Rules of comparison. [default: compare.yaml, if it exists]")
@click.option("-o", "--output", metavar="[+]FILE", help="Write a record; + appends. mirror-addon report reads it.")
@click.option(
    "--fail-on",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    type=value_type(parse_condition),
    help="Exit 1 where it holds, as in mirror-addon report: 'differing > 0.1%', 'p95 > 1.2x'. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent when and where; send nothing.")
@click.argument("arguments", metavar="CAPTURE... [FILTER]", nargs=-1, required=True)
def replay(
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    endpoints: tuple[str, ...],
    urls: tuple[str, ...],
    speed: float | None,
    rate: float | None,
    amplify: int,
    loops: float,
    filters: tuple[str, ...],
    draw: int | None,
    all_mirrors: bool,
    seed: int,
    headers: tuple[tuple[bytes, bytes], ...],
    faults: Faults,
    compare: str | None,
    output: str | None,
    conditions: tuple[FailCondition, ...],
    as_json: bool,
    dry_run: bool,
    arguments: tuple[str, ...],
) -> None:
    """Send recorded requests to the mirrors that the rules give, and compare what they answer with the recording.

    A CAPTURE is mitmproxy's dump (mitmdump -w), HAR, or a record with bodies (mirror_record_bodies), compressed or not.
    A FILTER is mitmproxy's: '~u /orders & ~m GET'. A request goes out when it did, and after the answers that its
    client had waited for. Exit 1: a --fail-on holds, or no mirror answered at all.
    """
    if speed is not None and rate is not None:
        raise click.UsageError("--speed and --rate are two paces; give one")
    paths, expressions = _split(arguments)
    record = output or ""
    _refuse_own_captures(record.removeprefix("+"), paths)
    local_address = own_address().encode()
    settings = _settings(rules, assignments, endpoints, urls, compare, record.removeprefix("+"), dry_run=dry_run)
    table = read_rule_set(settings, local_address).table
    pace = Pace(1.0 if speed is None else speed, rate)
    choices = Choices(seed, draw, all_mirrors, headers, faults, rate is not None)
    try:
        sources = open_sources(paths, [_filter(each) for each in (*filters, *expressions)], local_address, _warn)
        if dry_run:
            _dry_run(DryRun(settings, table, local_address, choices, pace), sources, amplify, loops, as_json)
            return
    except CaptureError as error:
        raise click.UsageError(str(error)) from None
    if record and not record.startswith("+"):
        Path(settings.record).expanduser().write_bytes(b"")
    found = asyncio.run(run(settings, table, local_address, sources, pace, Repeats(amplify, loops), choices))
    _conclude(found, sources, conditions, as_json=as_json)


def _split(arguments: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """Captures, and a filter in words as mitmdump takes it."""
    paths, words = [], []
    for each in arguments:
        path = Path(os.path.expanduser(each))  # unlike Path's own, it takes any text
        if path.is_file():
            paths.append(path)
        elif each.startswith(("~", "!", "(")):
            words.append(each)
        else:
            raise click.UsageError(f"There is no file {each!r}; filters begin with ~, ! or (, or stand after --filter")
    if not paths:
        raise click.UsageError("Nothing to replay: name a capture; mitmdump -w FILE writes one")
    return paths, [" ".join(words)] if words else []


def _filter(text: str) -> When:
    try:
        return When(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _refuse_own_captures(record: str, paths: list[Path]) -> None:
    written = Path(record).expanduser()
    if record and written.exists() and any(written.samefile(each) for each in paths):
        raise click.UsageError(f"{record} is one of the captures; name another file to write")


def _settings(
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    endpoints: tuple[str, ...],
    urls: tuple[str, ...],
    compare: str | None,
    record: str,
    *,
    dry_run: bool,
) -> Settings:
    given = [*assignments, *(f"mirror_endpoints={each}" for each in endpoints), *(f"mirror_to={each}" for each in urls)]
    if compare is not None:
        given.append(f"mirror_compare={compare}")
    if record:
        given.append(f"mirror_record={record}")
    settings = read_settings(rules, given)
    if settings.control:
        raise click.UsageError("mirror_control asks the primary again, and a replay has none; mirror to it by a rule")
    if not dry_run:
        try:
            check_record(settings)
            comparison_rules(settings)
        except OptionError as error:
            raise click.UsageError(str(error)) from None
    return settings


def _warn(text: str) -> None:
    click.echo(f"warning: {printable(text)}", err=True)


def _dry_run(dry_run: DryRun, sources: list[Source], amplify: int, loops: float, as_json: bool) -> None:
    for turn in turns(
        sources, [source.size for source in sources], amplify=amplify, loops=1 if math.isinf(loops) else loops
    ):
        found = dry_run.document(turn)
        if as_json:
            click.echo(json.dumps(found))
        else:
            for line in dry_lines(found):
                click.echo(line)


def _conclude(found: Replay, sources: list[Source], conditions: tuple[FailCondition, ...], *, as_json: bool) -> None:
    """Say what came of it, and exit with 1 or 2 where that is due."""
    summary = summarise(found.tally, NoiseRule())
    outcomes = list(judge(list(conditions), summary))
    if as_json:
        told: dict[str, Any] = {"replay": replay_document(found, sources), **document(summary, outcomes)}
        click.echo(json.dumps(told))
    else:
        _print(found, sources, summary)
    for warning in warnings(found, sources):
        _warn(warning)
    if found.problem:
        raise click.UsageError(f"{found.problem}; what came before it was replayed")
    failed = [str(outcome) for outcome in outcomes if outcome.failed]
    if conditions and not outcomes:
        failed.append("nothing to judge: no mirror got a shadow")
    if not conditions and found.shadows.offered and not found.shadows.sent:
        failed.append("no mirror answered anything")
    for text in failed:
        click.secho(f"failed: {printable(text)}", fg="red", err=True)
    if failed:
        raise SystemExit(1)


def _print(found: Replay, sources: list[Source], summary: Summary) -> None:
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_FILES
    if summary.targets:
        for each in terminal_report(summary):
            console.print(each)
        console.print()
    for line in lines(found, sources):
        console.print(line, markup=False)
