"""`mirror-addon tests`: recorded pairs as a pytest suite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.private_files import write_private
from mirror_addon.cli.record_input import read_records
from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.wording import counted
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.suite.cases import VERDICTS
from mirror_addon.compare.suite.cases import Filters
from mirror_addon.compare.suite.cases import Selection
from mirror_addon.compare.suite.files import suite
from mirror_addon.inputs.opening import read_input

NOISE_OF_THE_SERVICE = ("control", "ignored")
"""Reasons for noise that a comparison outside the proxy cannot find by itself."""

MAX_RULES = 4 * 1024 * 1024
"""Bytes of the file of --rules."""


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the suite."
)
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="GLOB",
    help="Only these endpoints, such as 'GET /users/*'. May be repeated.",
)
@click.option("--method", "methods", multiple=True, metavar="METHOD", help="Only this method. May be repeated.")
@click.option(
    "--verdict", "verdicts", multiple=True, type=click.Choice(VERDICTS), help="Only this verdict. May be repeated."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=3, show_default=True, help="Tests per endpoint.")
@click.option(
    "--compare",
    "rules_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Comparison rules, copied into the suite as compare.yaml.",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def tests(
    files: tuple[str, ...],
    output: Path,
    endpoints: tuple[str, ...],
    methods: tuple[str, ...],
    verdicts: tuple[str, ...],
    limit: int,
    rules_file: Path | None,
    force: bool,
) -> None:
    """Write recorded pairs as tests that send the recorded request to a service and expect the primary's response.

    FILEs are records with bodies (mirror_record_bodies=true). Pairs that differ are preferred. The suite needs pytest,
    httpx and mirror_addon: pytest OUTPUT --upstream-url http://...
    """
    written = {} if rules_file is None else {"compare.yaml": _rules(rules_file)}
    selection = Selection(Filters(endpoints, tuple(each.upper() for each in methods), verdicts, limit))
    tally = RecordTally()

    def consume(lines: Iterable[KeptLine]) -> None:
        for line in lines:
            tally.add(line)
            selection.add(line)

    read_records(files, KeptLine, consume)
    for reason, number in selection.left_out.most_common():
        echo(f"left out: {counted(number, 'pair')} {reason}", err=True)
    if not selection.cases:
        echo("there is no pair of which a test could be made", err=True)
        raise SystemExit(1)
    written |= suite(selection.cases, noisy_fields(summarise(tally, NoiseRule())))
    _write(output, written, force)
    number = sum(map(len, selection.cases.values()))
    echo(f"{counted(number, 'test')} of {counted(len(selection.cases), 'endpoint')} written to {output}")
    echo(f"pytest {output} --upstream-url http://HOST:PORT")


def noisy_fields(summary: Summary) -> dict[str, list[str]]:
    """The paths to ignore, by endpoint: what differs between responses of the primary, and what a rule ignored."""
    found: dict[str, list[str]] = {}
    for target in summary.targets:
        for part in target.endpoints:
            paths = found.setdefault(part.name, [])
            for field in part.noisy:
                if field.reason in NOISE_OF_THE_SERVICE and field.path not in paths and _is_path(field.path):
                    paths.append(field.path)
    return found


def _is_path(text: str) -> bool:
    try:
        DEFAULT_RULES.ignoring(text)
    except RulesError:
        return False
    return True


def _rules(file: Path) -> bytes:
    try:
        content = read_input(file, MAX_RULES)
        Rules.parse(content.decode(), str(file))
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror or error}") from None
    except (RulesError, UnicodeDecodeError) as error:
        raise click.UsageError(str(error)) from None
    return content


def _write(folder: Path, files: dict[str, bytes], force: bool) -> None:
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        listed = ", ".join(there[:5]) + (", ..." if len(there) > 5 else "")
        raise click.UsageError(f"{folder} already has {listed}; name another folder, or overwrite with --force")
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, content)
    except OSError as error:
        raise click.UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
