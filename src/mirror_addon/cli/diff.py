"""`mirror-addon diff`: two captures of the same requests, compared and reported like a record."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mirror_addon.admission.when import When
from mirror_addon.captures.comparing import Manner
from mirror_addon.captures.comparing import lines_of
from mirror_addon.captures.pairing import Pairing
from mirror_addon.captures.stream import CaptureError
from mirror_addon.cli.console import echo
from mirror_addon.cli.console import fail
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.report import Output
from mirror_addon.cli.report import conclude
from mirror_addon.cli.report import refuse_own_inputs
from mirror_addon.cli.report import shared_options
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.value_type import value_type
from mirror_addon.compare.record_file import why_unwritable
from mirror_addon.compare.report.conditions import FailCondition
from mirror_addon.compare.report.lines import LineError
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.wording import count
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.mirroring.engine_settings import redaction_of
from mirror_addon.options.settings import OptionError
from mirror_addon.protos.files import read_protos
from mirror_addon.replay.summary import REASONS
from mirror_addon.rules.compare_file import comparison_rules

SHOWN = 5
"""Requests without a counterpart that a message names."""
NAMED = 20
"""The same of `--json`."""


@dataclass(frozen=True, slots=True)
class Comparing:
    """How the captures are paired and compared."""

    filters: tuple[When, ...]
    any_origin: bool
    compare: str | None
    redact: str | None
    protos: tuple[str, ...]
    record: Path | None


@click.command(params=shared_options())
@click.argument("first", metavar="A", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("second", metavar="B", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--any-origin", is_flag=True, help="Pair by path and query alone, whatever scheme, host and port.")
@click.option(
    "--filter",
    "filters",
    metavar="FILTER",
    multiple=True,
    type=value_type(When),
    help="Only exchanges that match this mitmproxy filter, as in '~u /orders'. May be repeated; all must match.",
)
@click.option("--compare", metavar="FILE", help="Comparison rules. [default: compare.yaml, if it exists]")
@click.option("--redact", metavar="NAMES", help="Header fields whose values are left out, as mirror_redact.")
@click.option(
    "--protos",
    metavar="PATH",
    multiple=True,
    help="Types of gRPC messages: .proto files, folders, descriptor sets, as mirror_protos. May be repeated.",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the pairs as a record with bodies, for mirror-addon report and tests.",
)
@gathered(noise=NoiseRule, output=Output, comparing=Comparing)
def diff(
    first: Path,
    second: Path,
    conditions: tuple[FailCondition, ...],
    noise: NoiseRule,
    output: Output,
    comparing: Comparing,
) -> None:
    """Compare the responses of two captures of the same requests, and report what differs in B from A.

    A and B are mitmproxy dumps, HAR files, records with bodies, or files of GoReplay, compressed or not. Requests are
    paired by method, URL and order. Exit code 1: a --fail-on condition holds, or no request has a counterpart.
    """
    files = str(first), str(second)
    refuse_own_inputs((output.output, output.junit_file, comparing.record), files, "captures")
    manner = _manner(comparing, files)
    pairing = Pairing(first, second, list(comparing.filters), any_origin=comparing.any_origin, warn=_warn)
    tally, problem = RecordTally(), ""
    try:
        tally.add_all(_records(pairing, manner, comparing.record))
    except CaptureError as error:
        if not pairing.pairs:
            raise click.UsageError(str(error)) from None
        problem = f"{error}; the requests before it were compared"
    summary, told = summarise(tally, noise), document(pairing)
    more = {"diff": told, "left_out": told["left_out"]}
    for remark in remarks(pairing, sum(each.total.uncompared for each in summary.targets)):
        echo(remark, err=True)
    if not pairing.pairs:
        if output.as_json:
            conclude(summary, (), output, files, more)
        fail([why_nothing(pairing)])
    conclude(summary, () if problem else conditions, output, files, more)
    if problem:
        raise click.UsageError(problem)


def _manner(comparing: Comparing, files: tuple[str, str]) -> Manner:
    given = [
        *([f"mirror_compare={comparing.compare}"] if comparing.compare is not None else ()),
        *([f"mirror_redact={comparing.redact}"] if comparing.redact is not None else ()),
        *(f"mirror_protos={each}" for each in comparing.protos),
    ]
    settings = read_settings((), given)
    try:
        text, descriptors = comparison_rules(settings), read_protos(settings.protos)
    except OptionError as error:
        raise click.UsageError(str(error)) from None
    rules = Rules.parse(text, settings.compare) if text else DEFAULT_RULES
    rules = replace(rules, descriptors=descriptors)
    return Manner(*files, rules, redaction_of(settings.redact), comparing.record is not None)


def _records(pairing: Pairing, manner: Manner, record: Path | None) -> Iterator[RecordLine]:
    """The lines of all pairs, which are written to `record` too. Raises CaptureError and click.UsageError."""
    parse = LineParser(RecordLine)
    if record is not None and (why := why_unwritable(record)):
        raise click.UsageError(f"{record} {why}")
    with open(record if record is not None else os.devnull, "wb") as file:
        for text in lines_of(pairing, manner):
            try:
                line = parse(text)
            except LineError:  # a status that no HTTP response has
                pairing.left_out["malformed"] += 1
                continue
            try:
                file.write(text)
            except OSError as error:
                raise click.UsageError(f"{record} cannot be written: {error.strerror or error}") from None
            yield line


def document(pairing: Pairing) -> dict[str, Any]:
    """The value of `diff` in the output of `--json`."""
    sides = zip(pairing.paths, pairing.entries, pairing.alone, (0, 1), strict=True)
    return {
        "captures": [
            {"file": str(path), "exchanges": entries, "alone": alone, "examples": pairing.examples(side, NAMED)}
            for path, entries, alone, side in sides
        ],
        "pairs": pairing.pairs,
        "filtered": pairing.filtered,
        "left_out": dict(pairing.left_out),
        "emptied": pairing.emptied,
    }


def remarks(pairing: Pairing, uncompared: int) -> Iterator[str]:
    """What the user should know beside the report. `uncompared`: pairs that have nothing to compare."""
    yield f"{counted(pairing.pairs - uncompared, 'pair')} compared"
    if uncompared:
        yield (
            f"{counted(uncompared, 'pair')} not compared: a capture has no header fields and bodies of them "
            "(a record needs mirror_record_bodies=true)"
        )
    for side, alone in enumerate(pairing.alone):
        if alone:
            named = ", ".join(pairing.examples(side, SHOWN))
            path, other = pairing.paths[side], pairing.paths[1 - side]
            yield f"{counted(alone, 'request')} of {path} without a counterpart in {other}: {named}" + (
                ", ..." if alone > SHOWN else ""
            )
    if pairing.left_out:
        yield f"left out of the captures: {words(pairing.left_out)}"
    if pairing.emptied:
        yield f"{counted(pairing.emptied, 'request')} compared without bodies: too many waited for a counterpart"


def why_nothing(pairing: Pairing) -> str:
    """Why there is no pair, and what to do."""
    if not all(pairing.entries):
        empty = pairing.paths[pairing.entries.index(0)]
        return f"there is no request in {empty}; record some with mitmdump -w FILE"
    if not any(pairing.alone):
        why = words(pairing.left_out) or "none matches the filter"
        return f"there is no request to compare: {why}"
    cure = "" if pairing.any_origin else "; --any-origin pairs them by path and query alone"
    return f"no request of {pairing.paths[0]} has a counterpart in {pairing.paths[1]}{cure}"


def words(reasons: Counter[str]) -> str:
    return ", ".join(f"{REASONS.get(word, word)} {count(number)}" for word, number in reasons.most_common())


def _warn(text: str) -> None:
    echo(f"warning: {text}", err=True)
