"""`mirror-addon replay`: the command line of `mirror_addon.replay`."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mirror_addon.captures.stream import CaptureError
from mirror_addon.cli.console import echo
from mirror_addon.cli.console import fail
from mirror_addon.cli.console import output_console
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.cli.value_type import value_type
from mirror_addon.compare.record_path import RecordPath
from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.documents import document
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.terminal import terminal_report
from mirror_addon.mirroring.engine_settings import check_record
from mirror_addon.mirroring.engine_settings import record_path
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.protos.files import read_protos
from mirror_addon.replay.arguments import parse_faults
from mirror_addon.replay.arguments import parse_header
from mirror_addon.replay.arguments import parse_loop
from mirror_addon.replay.arguments import parse_rate
from mirror_addon.replay.arguments import parse_selection
from mirror_addon.replay.arguments import parse_speed
from mirror_addon.replay.dry_run import dry_run
from mirror_addon.replay.dry_run import lines as dry_lines
from mirror_addon.replay.order import Repeats
from mirror_addon.replay.planner import Choices
from mirror_addon.replay.player import Pace
from mirror_addon.replay.run import Replay
from mirror_addon.replay.run import replay as run
from mirror_addon.replay.setup import NO_PRIMARY
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.source import Source
from mirror_addon.replay.source import open_sources
from mirror_addon.replay.summary import document as replay_document
from mirror_addon.replay.summary import failures
from mirror_addon.replay.summary import lines
from mirror_addon.replay.summary import warnings
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.shadow.local_address import own_address


@dataclass(frozen=True, slots=True)
class Mirroring:
    """Where the rules are, and what they do."""

    rules: tuple[str, ...]
    assignments: tuple[str, ...]
    endpoints: tuple[str, ...]
    urls: tuple[str, ...]
    compare: str | None


@dataclass(frozen=True, slots=True)
class Output:
    """What is written and printed, and what makes the command fail."""

    record: str | None
    conditions: tuple[FailCondition, ...]
    as_json: bool
    only_dry_run: bool

    @property
    def record_file(self) -> str:
        """The path of the record, or empty."""
        return (self.record or "").removeprefix("+")

    @property
    def appends(self) -> bool:
        return (self.record or "").startswith("+")


class ReplayCommand(click.Command):
    """Accepts `--loop` without a value: the next argument is its value only if it is a number."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = []
        for index, argument in enumerate(args):
            number = args[index + 1] if index + 1 < len(args) else ""
            alone = argument == "--loop" and not number.isdigit()
            given.append("--loop=forever" if alone else argument)
        return super().parse_args(ctx, given)


@click.command(cls=ReplayCommand)
@rules_options
@click.option(
    "--endpoint",
    "endpoints",
    metavar="HOST[/SUBSET]=ADDRESS:PORT",
    multiple=True,
    help="Where a destination listens, as mirror_endpoints. May be repeated.",
)
@click.option(
    "--to",
    "urls",
    metavar="URL",
    multiple=True,
    help="Mirror requests that no rule matches to this URL, or |FILTER|URL, as mirror_to. May be repeated.",
)
@click.option(
    "--speed",
    metavar="TIMES",
    type=value_type(parse_speed),
    help="Times as fast as recorded: 2, 0.5; max: as fast as the mirrors respond. [default: 1]",
)
@click.option(
    "--rate",
    metavar="NUMBER/TIME",
    type=value_type(parse_rate),
    help="Send at a fixed rate, whether or not the mirrors respond: 200/s, 6000/min, 0.5/s.",
)
@click.option(
    "--amplify",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Copies of each request, sent at once.",
)
@click.option(
    "--loop",
    "loops",
    metavar="[TIMES]",
    type=value_type(parse_loop),
    default="1",
    help="Repeat the captures so many times; without a number, until Ctrl-C.",
)
@click.option(
    "--filter",
    "filters",
    metavar="FILTER",
    multiple=True,
    help="Only exchanges that match this mitmproxy filter. May be repeated; all must match.",
)
@click.option("--draw", type=click.IntRange(0, 2**64 - 1), help="Envoy's random number for all requests.")
@click.option("--all", "all_mirrors", is_flag=True, help="Mirror to all mirrors, whatever their percentages.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random choices.")
@click.option(
    "--set-header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    type=value_type(parse_header),
    help="Set on shadows, in place of the recorded value: 'Authorization: Bearer x'. May be repeated.",
)
@click.option(
    "--fault",
    "faults",
    metavar="FAULTS",
    type=value_type(parse_faults),
    default="",
    help="Inject faults: delay=2s:10%,abort=5% delays 10 % of the shadows by 2 s and aborts 5 % of them midway.",
)
@click.option("--compare", metavar="FILE", help="Comparison rules. [default: compare.yaml, if it exists]")
@click.option("-o", "--output", "record", metavar="[+]FILE", help="Write a record for mirror-addon report; + appends.")
@click.option(
    "--fail-on",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    type=value_type(parse_condition),
    help="Exit 1 if it holds, as in mirror-addon report: 'differing > 0.1%', 'p95 > 1.2x'. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("--dry-run", "only_dry_run", is_flag=True, help="Print what would be sent when and where; send nothing.")
@click.argument("arguments", metavar="CAPTURE... [FILTER]", nargs=-1, required=True)
@gathered(mirroring=Mirroring, pace=Pace, repeats=Repeats, choices=Choices, output=Output)
def replay(
    arguments: tuple[str, ...],
    filters: tuple[str, ...],
    mirroring: Mirroring,
    pace: Pace,
    repeats: Repeats,
    choices: Choices,
    output: Output,
) -> None:
    """Send recorded requests to the mirrors of the rules, and compare their responses with the recorded ones.

    A CAPTURE is a mitmproxy dump (mitmdump -w), a HAR, or a record with bodies (mirror_record_bodies), compressed or
    not. A FILTER is mitmproxy's: '~u /orders & ~m GET'. A request is sent when it was recorded, and after the responses
    that its client had waited for. Exit code 1: a --fail-on condition holds, nothing was mirrored, or no mirror sent a
    response.
    """
    try:
        selection = parse_selection(arguments, filters)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _refuse_own_captures(output.record_file, selection.paths)
    settings = _settings(mirroring, output)
    local_address = own_address().encode()
    table = read_rule_set(settings, local_address, primary_endpoints=False).table
    setup = Setup(settings, table, local_address, pace, repeats, choices)
    try:
        sources = open_sources(selection, local_address, _warn)
        if output.only_dry_run:
            _print_dry_run(setup, sources, output)
            return
    except CaptureError as error:
        raise click.UsageError(str(error)) from None
    record = record_path(settings)
    if record is not None and not output.appends and (path := RecordPath(str(record))).is_fixed:
        Path(path.begin()).write_bytes(b"")
    _conclude(asyncio.run(run(setup, sources)), sources, output)


def _refuse_own_captures(record: str, paths: list[Path]) -> None:
    written = os.path.expanduser(record)  # Path.expanduser raises for some texts, such as ~nobody
    if record and os.path.exists(written) and any(os.path.samefile(written, each) for each in paths):
        raise click.UsageError(f"{record} is one of the captures; name another file to write")


def _settings(mirroring: Mirroring, output: Output) -> Settings:
    given = [
        *mirroring.assignments,
        *(f"mirror_endpoints={each}" for each in mirroring.endpoints),
        *(f"mirror_to={each}" for each in mirroring.urls),
    ]
    if mirroring.compare is not None:
        given.append(f"mirror_compare={mirroring.compare}")
    if output.record_file:
        given.append(f"mirror_record={output.record_file}")
    settings = read_settings(mirroring.rules, given)
    if settings.control:
        raise click.UsageError(NO_PRIMARY)
    if not output.only_dry_run:
        try:
            check_record(settings)
            comparison_rules(settings)
            read_protos(settings.protos)
        except OptionError as error:
            raise click.UsageError(str(error)) from None
    return settings


def _warn(text: str) -> None:
    echo(f"warning: {text}", err=True)


def _print_dry_run(setup: Setup, sources: list[Source], output: Output) -> None:
    for found in dry_run(setup, sources):
        for line in [json.dumps(found)] if output.as_json else dry_lines(found):
            echo(line)


def _conclude(found: Replay, sources: list[Source], output: Output) -> None:
    """Print the result, and exit with 1 or 2 where that is due."""
    summary = summarise(found.tally, NoiseRule())
    outcomes = list(judge(list(output.conditions), summary))
    if output.as_json:
        told = replay_document(found, sources)
        printed: dict[str, Any] = {"replay": told, "left_out": told["left_out"], **document(summary, outcomes)}
        echo(json.dumps(printed))
    else:
        _print(found, sources, summary)
    for warning in warnings(found, sources):
        _warn(warning)
    if found.problem:
        raise click.UsageError(f"{found.problem}; the requests before it were replayed")
    fail(failures(found, output.conditions, outcomes, sources))


def _print(found: Replay, sources: list[Source], summary: Summary) -> None:
    console = output_console()
    if summary.targets:
        for each in terminal_report(summary):
            console.print(each)
        console.print()
    for line in lines(found, sources):
        console.print(line, markup=False)
