from __future__ import annotations

import io
import sys

import click
import pytest
from click.testing import CliRunner

from mirror_addon.cli.console import WIDTH_OF_FILES
from mirror_addon.cli.console import Styled
from mirror_addon.cli.console import echo
from mirror_addon.cli.console import fail
from mirror_addon.cli.console import output_console
from mirror_addon.cli.console import write


def test_files_have_a_width_of_their_own(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for console, width in ((output_console(), WIDTH_OF_FILES), (output_console(60), 60)):
        console.print("x" * (width + 1))
        assert [len(line) for line in capsys.readouterr().out.splitlines()] == [width, 1]
    monkeypatch.setenv("COLUMNS", "50")
    assert output_console().width == 50


def test_a_terminal_has_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "77")
    assert output_console().width == 77


def test_a_command_fails_where_there_are_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    fail([])
    with pytest.raises(SystemExit) as ended:
        fail(["a\x1b", 1])
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("failed: ") == 2 and "failed: 1" in err and "a\x1b" not in err


def test_what_is_printed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    echo("a\x1b[2J", Styled("b\nc\u202e", "red", bold=True), "\udcff")
    echo("e\r", err=True)
    assert capsys.readouterr() == ("a\\x1b[2Jb\\nc\\u202e\\udcff\n", "e\\r\n")


def test_colours_are_not_those_of_the_text() -> None:
    @click.command()
    def command() -> None:
        echo(Styled("a\x1b[0m", "red"))

    assert CliRunner().invoke(command, color=True).output == "\x1b[31ma\\x1b[0m\x1b[0m\n"


def test_what_the_terminal_has_no_character_for(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii", write_through=True))
    echo("é")
    assert out.getvalue() == b"\\xe9\n"


def test_a_document_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    write("a\nb\x1b\n")
    assert capsys.readouterr().out == "a\nb\\x1b\n"
