"""Tables of rich on standard output, in a terminal or not."""

from __future__ import annotations

from rich.console import Console

WIDTH_OF_FILES = 140
"""Columns where the output is not a terminal: rich would take 80, too few for a report."""


def output_console(width: int = WIDTH_OF_FILES) -> Console:
    """A console on standard output, `width` columns wide where that is not a terminal."""
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console.width = width
    return console
