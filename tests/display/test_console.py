"""rich's console, with hostile text in every renderable."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from mirror_addon.display.console import SafeConsole

HOSTILE = "\x1b[2J\x9b5m\x85\u202e\udcffé"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_nothing_acts(encoding: str) -> None:
    raw = io.BytesIO()
    console = SafeConsole(file=io.TextIOWrapper(raw, encoding), width=200, color_system=None, markup=False)
    table = Table(HOSTILE)
    table.add_row(Text(HOSTILE, "red"))
    for each in (HOSTILE, Text(HOSTILE), table):
        console.print(each)
    console.file.flush()
    printed = raw.getvalue().decode(encoding)
    assert printed.count("\\x1b[") == 4
    assert all(line.isprintable() for line in printed.splitlines())


def test_colours_are_kept() -> None:
    out = io.StringIO()
    console = SafeConsole(file=out, force_terminal=True, color_system="standard", width=80)
    console.print(Text("a\x1b[1m", "red"))
    assert out.getvalue() == "\x1b[31ma\\x1b[1m\x1b[0m\n"
