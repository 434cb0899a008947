"""Where commands write to the terminal: lines, tables, and how a command fails.

What is printed goes through `echo`, `write` or a SafeConsole, which make it safe to show; nothing else in `cli/` prints
(a test looks). Errors that click prints are made safe in `main`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from mirror_addon.display.console import SafeConsole
from mirror_addon.display.text import encodable
from mirror_addon.display.text import printable

WIDTH_OF_FILES = 140
"""Columns where the output is not a terminal: rich would take 80, too few for a report."""


class Styled(NamedTuple):
    """A part of a line in colour, which click removes where the output is not a terminal."""

    text: str
    colour: str | None = None
    bold: bool = False


Part = str | Styled


def echo(*parts: Part, err: bool = False) -> None:
    """Print one line on standard output, or on standard error. Nothing where that is closed (`>&-`)."""
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    encoding = stream.encoding
    shown = []
    for part in parts:
        text = encodable(printable(part.text if isinstance(part, Styled) else part), encoding)
        shown.append(click.style(text, fg=part.colour, bold=part.bold or None) if isinstance(part, Styled) else text)
    click.echo("".join(shown), err=err)


def write(document: str) -> None:
    """Print a text of several lines on standard output. Their line ends are this program's."""
    for line in document.removesuffix("\n").split("\n"):
        echo(line)


def fail(reasons: Sequence[object]) -> None:
    """Print why a command fails on stderr, and exit with 1, if there are reasons."""
    for reason in reasons:
        echo(Styled(f"failed: {reason}", "red"), err=True)
    if reasons:
        raise SystemExit(1)


def output_console(width: int = WIDTH_OF_FILES) -> SafeConsole:
    """A console on standard output, `width` columns wide where that is no terminal and COLUMNS is not set."""
    console = SafeConsole(soft_wrap=False, highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = width
    return console
