"""Files of lines for explain and test."""

from __future__ import annotations

import io
import os
import resource
from pathlib import Path

import pytest
from click.testing import CliRunner

from mirror_addon.captures.urls import RequestError
from mirror_addon.cli.line_file import MAX_LINE
from mirror_addon.cli.line_file import LineFile
from mirror_addon.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def test_lines() -> None:
    assert list(LineFile("f", io.BytesIO("a\né\n".encode() + b"\xff"))) == ["a\n", "é\n", "\udcff"]


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    lines = iter(LineFile("f", io.BytesIO(b"a\n" + b"x" * (3 * MAX_LINE))))
    assert next(lines) == "a\n"
    with pytest.raises(RequestError, match="f:2: longer than"):
        next(lines)


@pytest.mark.parametrize("command", [["explain", "--requests"], ["test"]])
def test_special_files(tmp_path: Path, command: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file, why in (
        (str(tmp_path / "pipe"), "is a named pipe"),
        (str(tmp_path), "Is a directory"),
        ("/dev/zero", "is no regular file"),
        (str(tmp_path / "missing"), "No such file"),
        ("a\0b", "null"),
    ):
        result = CliRunner().invoke(main, [command[0], "--rules", str(ROOT / "rules"), *command[1:], file])
        assert (result.exit_code, why in result.output) == (2, True), result.output


def test_a_line_of_many_bytes_takes_little_memory(tmp_path: Path) -> None:
    huge = tmp_path / "huge.jsonl"
    with huge.open("wb") as out:
        out.truncate(3 << 30)  # sparse: it takes no room
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = CliRunner().invoke(main, ["explain", "--rules", str(ROOT / "rules"), "--requests", str(huge)])
    assert result.exit_code == 2
    assert "huge.jsonl:1: longer than" in result.output
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
