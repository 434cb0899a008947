from __future__ import annotations

import pytest

from mirror_addon.cli.console import WIDTH_OF_FILES
from mirror_addon.cli.console import fail
from mirror_addon.cli.console import output_console


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
