"""Tables on standard output, in a terminal or not; and how a command fails."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click
from rich.console import Console

from mirror_addon.compare.report.wording import printable

WIDTH_OF_FILES = 140
"""Columns where the output is not a terminal: rich would take 80, too few for a report."""


def fail(reasons: Sequence[object]) -> None:
    """Print why a command fails on stderr, and exit with 1, if there are reasons."""
    for reason in reasons:
        click.secho(f"failed: {printable(str(reason))}", fg="red", err=True)
    if reasons:
        raise SystemExit(1)


def output_console(width: int = WIDTH_OF_FILES) -> Console:
    """A console on standard output, `width` columns wide where that is no terminal and COLUMNS is not set."""
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = width
    return console
