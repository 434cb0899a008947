"""Reading records for a command: with a progress bar, warnings on stderr, and errors as wrong usage."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

import click
from rich.progress import BarColumn
from rich.progress import DownloadColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from mirror_addon.cli.console import echo
from mirror_addon.cli.record_files import record_files
from mirror_addon.compare.report.lines import AnyLine
from mirror_addon.compare.report.reading import RecordReader
from mirror_addon.compare.report.reading import SourceError
from mirror_addon.compare.report.wording import counted
from mirror_addon.display.console import SafeConsole


def read_records(
    files: Sequence[str], kind: type[AnyLine], consume: Callable[[Iterable[AnyLine]], None]
) -> RecordReader[AnyLine]:
    """Call `consume` with the lines of all files, folders and patterns of them.

    Raises click.UsageError where a file or any record is missing.
    """
    console = SafeConsole(stderr=True)
    columns = TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        reader = RecordReader(record_files(files), kind, lambda done: bar.update(task, completed=done))
        bar.update(task, total=reader.size)
        try:
            consume(reader)
        except SourceError as error:
            raise click.UsageError(str(error)) from None
    for warning in reader.warnings:
        echo(f"warning: {warning}", err=True)
    if reader.more_warnings:
        echo(f"warning: {counted(reader.more_warnings, 'more line')} left out", err=True)
    if not reader.records:
        names = ", ".join("standard input" if name == "-" else name for name in files)
        raise click.UsageError(
            f"There is no line of a record in {names}; write one with mitmdump -s mirror_addon --set mirror_record=FILE"
        )
    return reader
