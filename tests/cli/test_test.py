from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.test import mismatches
from mirror_addon.cli.test import test as command

RULES = str(Path(__file__).resolve().parents[2] / "rules")
REQUEST = {"method": "GET", "url": "http://istio.gateway.xxxx.tech/serviceB/x"}


def run(tmp_path: Path, *lines: Any, options: tuple[str, ...] = ()) -> Result:
    file = tmp_path / "tests.jsonl"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return CliRunner().invoke(command, ["--rules", RULES, *options, str(file)])


@pytest.mark.parametrize(
    ("expected", "found", "wrong"),
    [
        ({}, {"a": 1}, 0),
        ({"a": 1}, {"a": 1, "b": 2}, 0),
        ({"a": 2}, {"a": 1}, 1),
        ({"c": 1}, {"a": 1}, 1),
        ({"a": {"b": 1}}, {"a": None}, 1),
        ({"a": None}, {"a": None}, 0),
        ({"a": 100}, {"a": 100.0}, 0),
        ({"a": True}, {"a": 1}, 1),
        ([1, {"a": 1}], [1, {"a": 1, "b": 2}], 0),
        ([1], [1, 2], 1),
        ([2, 3], [1, 2], 2),
    ],
)
def test_mismatches(expected: Any, found: Any, wrong: int) -> None:
    assert len(list(mismatches(expected, found))) == wrong


def test_passes_and_fails(tmp_path: Path) -> None:
    good = {"request": REQUEST, "expect": {"destination": {"subset": "v1"}, "mirrors": [{"subset": "v2"}]}}
    assert run(tmp_path, good, "").exit_code == 0
    bad = {"request": REQUEST, "expect": {"request": {"path": "/x"}}}
    result = run(tmp_path, good, bad)
    assert result.exit_code == 1
    assert 'tests.jsonl:2: request.path: expected "/x", found "//x"' in result.stdout
    assert "path begins with '/serviceB'" in result.stdout
    assert "1 passed, 1 failed" in result.stderr


def test_json(tmp_path: Path) -> None:
    result = run(tmp_path, {"request": REQUEST, "expect": {"action": "redirect"}}, options=("--json",))
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert (found["line"], found["passed"]) == (1, False)
    assert found["mismatches"] == ['action: expected "redirect", found "route"']


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "There is no test in "),
        ("no", ":1: not JSON"),
        ({"request": REQUEST}, ":1: write"),
        ({"request": {"url": "x"}, "expect": {}}, ":1: request: url:"),
    ],
)
def test_wrong_usage(tmp_path: Path, line: Any, said: str) -> None:
    result = run(tmp_path, line)
    assert result.exit_code == 2
    assert said in result.output
