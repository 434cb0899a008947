from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mirror_addon.cli import record_files as module
from mirror_addon.cli.record_files import record_files
from mirror_addon.cli.report import report

NAMES = (
    "day=2026-12-01/target=a/x.jsonl",
    "day=2026-12-01/target=b/x.jsonl",
    "day=2026-12-02/target=a/x.1.jsonl.gz",
    "day=2026-12-02/target=a/x.jsonl",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*NAMES, "day=2026-12-02/notes.txt"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["-", "gone.jsonl"], ["-", "gone.jsonl"]),
        (["day=2026-12-02/notes.txt"], ["day=2026-12-02/notes.txt"]),
        (["day=2026-12-01"], NAMES[:2]),
        (["day=*/target=a"], [NAMES[0], *NAMES[2:]]),
        (["day=2026-12-01/**"], NAMES[:2]),
        (["**/*.gz"], [NAMES[2]]),
        (["day=2026-12-0[13]", "day=*/target=b/*"], NAMES[:2]),
    ],
)
def test_files_folders_and_patterns(folder: Path, given: list[str], found: list[str]) -> None:
    assert record_files(given) == list(found)


def test_a_name_that_is_there_is_no_pattern(folder: Path) -> None:
    (folder / "[a].jsonl").touch()
    assert record_files(["[a].jsonl"]) == ["[a].jsonl"]


def test_all_of_a_folder(folder: Path) -> None:
    assert record_files([str(folder), str(folder)]) == [str(folder / name) for name in NAMES]


@pytest.mark.parametrize(("given", "message"), [("empty", "no record"), ("none*", "no file matches")])
def test_nothing_is_said(folder: Path, given: str, message: str) -> None:
    with pytest.raises(click.UsageError, match=f"{given.strip('*')}.*: .*{message}"):
        record_files([given])


def test_too_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    with pytest.raises(click.UsageError, match="more than 3 files"):
        record_files(["."])


def test_a_report_of_a_folder(folder: Path) -> None:
    line = (
        '{"version":1,"id":"%d","flow":"f","time":"2026-12-01T00:00:00Z","rule":"r","route":null,"target":"a",'
        '"control":false,"method":"GET","url":"http://x.test/","endpoint":"GET /","draw":1,'
        '"primary":{"status":200,"ms":1,"bytes":1},"shadow":{"status":200,"ms":1,"bytes":1,"error":null},'
        '"verdict":"same","differences":[],"more":0,"notes":[],"client":"","start":1}\n'
    )
    for number, name in enumerate((NAMES[0], NAMES[1], NAMES[3])):
        (folder / name).write_text(line % number)
    result = CliRunner().invoke(report, ["--json", ".", "--fail-on", "requests > 3"])
    assert result.exit_code == 0, result.output
    assert '"requests": 3' in result.stdout
    refused = CliRunner().invoke(report, ["--json", "day=*", "-o", NAMES[0]])
    assert refused.exit_code == 2
    assert "is one of the records to read" in refused.stderr
    none = CliRunner().invoke(report, ["empty"])
    assert none.exit_code == 2 and "there is no record" in none.stderr
