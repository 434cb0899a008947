from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from mirror_addon.cli.record_input import read_records
from mirror_addon.compare.report.lines import RecordLine

SOURCES = str(Path(__file__).resolve().parents[2] / "src")
LINE = json.dumps(
    {
        "version": 1, "id": "f/0", "target": "b/v2", "method": "GET", "url": "http://b/", "verdict": "same",
        "primary": {"status": 200}, "shadow": {"status": 200},
    }
)  # fmt: skip


def test_lines_are_given_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "record.jsonl"
    file.write_text(f"{LINE}\n\x1b[31m\n{LINE}\n")
    seen: list[RecordLine] = []
    reader = read_records([str(file)], RecordLine, seen.extend)
    assert [each.id for each in seen] == ["f/0", "f/0"]
    assert (reader.records, reader.skipped) == (2, 1)
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith(f"warning: {file}:2: ") and "\x1b" not in told.err


def nothing(lines: Iterable[RecordLine]) -> None:
    assert list(lines) == []


def test_no_record_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(click.UsageError, match="There is no line of a record in "):
        read_records([str(tmp_path / "empty")], RecordLine, nothing)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(click.UsageError, match="There is no line of a record in standard input;"):
        read_records(["-"], RecordLine, nothing)
    with pytest.raises(click.UsageError, match="No such file"):
        read_records([str(tmp_path / "none")], RecordLine, nothing)


def run(file: Path, stderr: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from mirror_addon.cli.main import main; main()", "report", "--json", str(file)]
    environment = {**os.environ, "PYTHONPATH": SOURCES, "TERM": "xterm", "COLUMNS": "100"}
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, env=environment, timeout=60, check=True)


def test_the_bar_is_for_terminals_only(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    file.write_text(f"{LINE}\n" * 5000)
    assert run(file, subprocess.PIPE).stderr == b""
    ours, theirs = pty.openpty()
    try:
        result = run(file, theirs)
        os.set_blocking(ours, False)
        assert b"reading" in os.read(ours, 1 << 16)
    finally:
        os.close(ours)
        os.close(theirs)
    assert json.loads(result.stdout)["lines"] == 5000
