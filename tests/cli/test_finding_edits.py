"""`mirror-addon report` with --against, --compare, --accept, --ignore and --undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.main import main

TAX, TOTAL = "f69d1514f", "$.total"


def line(*differences: tuple[str, str], noise: str = "") -> dict[str, Any]:
    listed = [
        {"path": path, "kind": kind, "primary": 1, "shadow": None, "noise": noise, "where": path}
        for path, kind in differences
    ]
    return {
        "version": 1, "id": "f/0", "method": "GET", "url": "http://shop.test/orders/7", "target": "b/v2",
        "primary": {"status": 200}, "shadow": {"status": 200}, "differences": listed,
        "verdict": "same" if not listed else "noise" if noise else "different",
    }  # fmt: skip


OLD = [line(), line(("$.items[*].tax", "missing")), line(("$.gone", "missing"))]
NEW = [line(), line(("$.items[*].tax", "missing")), line(("$.total", "value"))]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    for name, lines in (("old.jsonl", OLD), ("new.jsonl", NEW)):
        (tmp_path / name).write_text("".join(json.dumps(each) + "\n" for each in lines))

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["report", "new.jsonl", *arguments])

    return call


def states(result: Result) -> dict[str, str]:
    return {each["path"]: each["state"] for each in json.loads(result.stdout)["findings"]}


def test_new_known_and_fixed(run: Any) -> None:
    result = run("--json", "--against", "old.jsonl")
    assert states(result) == {"$.items[*].tax": "known", "$.total": "new", "$.gone": "fixed"}
    for finding in json.loads(result.stdout)["findings"]:
        assert {"id", "kind", "path", "endpoints", "pairs", "share", "example", "state"} <= set(finding)
    assert states(run("--json")) == {"$.items[*].tax": "new", "$.total": "new"}
    assert run("--against", "none.jsonl").exit_code == 2


@pytest.mark.parametrize(
    ("condition", "code"),
    [("new > 0", 1), ("new > 1", 0), ("known > 0", 1), ("fixed < 1", 0), ("findings > 1", 1), ("each new > 0", 1)],
)
def test_fail_on_findings(run: Any, condition: str, code: int) -> None:
    result = run("--against", "old.jsonl", "--fail-on", condition)
    assert result.exit_code == code, result.output
    if condition == "new > 0":
        assert "new 1; f" in result.stderr and "$.total value" in result.stderr


def test_accept_ignore_and_undo(run: Any, tmp_path: Path) -> None:
    total = next(each["id"] for each in json.loads(run("--json").stdout)["findings"] if each["path"] == TOTAL)
    result = run("--json", "--accept", TAX, "--ignore", total, "--fail-on", "new > 0")
    assert result.exit_code == 0
    assert f"+    accepted: {TAX}" in result.stderr  # shown before it is written
    assert states(result) == {"$.items[*].tax": "accepted"}
    text = (tmp_path / "compare.yaml").read_text()
    assert "# accepted by " in text and "# ignored by " in text
    assert states(run("--json", "--compare", "compare.yaml"))["$.items[*].tax"] == "accepted"
    assert states(run("--json", "--undo", TAX)) == {"$.items[*].tax": "new"}
    assert states(run("--json", "--undo", total)) == {"$.items[*].tax": "new", "$.total": "new"}
    assert (tmp_path / "compare.yaml").read_text() == "rules:\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--accept", "f69d1514e"), f"did you mean {TAX}?"),
        (("--accept", TAX, "--ignore", "x"), "no finding of this record"),
        (("--undo", TAX), "no rule accepts"),
        (("--compare", "none.yaml"), "cannot be read"),
        (("--compare", "new.jsonl"), "new.jsonl:"),
        (("--against", "old.jsonl", "-o", "old.jsonl"), "one of the records"),
    ],
)
def test_wrong_usage_changes_nothing(run: Any, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and message in result.output
    assert not (tmp_path / "compare.yaml").exists()


def test_junit_and_the_tables(run: Any, tmp_path: Path) -> None:
    result = run("--against", "old.jsonl", "--junit", "report.xml", "--fail-on", "new > 0", "--fail-on", "each new > 5")
    text = (tmp_path / "report.xml").read_text()
    assert 'testsuite name="findings"' in text and 'name="new &gt; 0"' in text
    assert "2 findings in 2 differing pairs (1 new, 1 known); 1 fixed." in result.stdout
    assert f"- {{path: '$.items[*].tax', accepted: {TAX}}}" in result.stdout
