from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.main import main
from mirror_addon.cli.report import report

Line = Callable[..., dict[str, Any]]
CALLS_A_LINE = 150
SOURCES = str(Path(__file__).resolve().parents[2] / "src")


def pair(**changes: Any) -> dict[str, Any]:
    """`ms` is the shadow's; the primary takes 10."""
    side = {"status": 200, "bytes": 2, "error": None}
    return {
        "version": 1, "id": "f/0", "time": "2026-11-22T12:00:00Z", "route": "b/v1", "target": "b/v2", "method": "GET",
        "url": "http://b.test/users/7", "verdict": "same", "differences": [], "primary": side | {"ms": 10.0},
        "shadow": side | {"ms": changes.pop("ms", 10.0)},
    } | changes  # fmt: skip


def different(**changes: Any) -> dict[str, Any]:
    return pair(
        verdict="different", differences=[{"path": "$.a", "kind": "value", "primary": 1, "shadow": 2}], **changes
    )


def lost(error: str = "timeout") -> dict[str, Any]:
    return pair(verdict="failed", shadow={"status": None, "ms": None, "bytes": 0, "error": error})


def run(tmp_path: Path, records: list[Any], *options: str, name: str = "record.jsonl") -> Result:
    file = tmp_path / name
    file.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in records))
    return CliRunner().invoke(report, [str(file), *options])


def test_the_terminal(tmp_path: Path) -> None:
    result = run(tmp_path, [pair()] * 9 + [different()])
    assert result.exit_code == 0
    assert result.stdout.startswith("b/v2 responds differently to 10.0 % of 10 requests.\n")
    assert "$.a" in result.stdout and result.stderr == ""


def test_json_page_and_junit_at_once(tmp_path: Path) -> None:
    page, xml = tmp_path / "report.html", tmp_path / "report.xml"
    result = run(tmp_path, [pair(), different()], "--json", "-o", str(page), "--junit", str(xml))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["targets"][0]["differing"] == 1
    assert page.read_text().startswith("<!DOCTYPE html>") and "$.a" in page.read_text()
    assert [each.get("name") for each in ElementTree.parse(xml).iter("testcase")] == ["GET /users/{id}"]
    assert run(tmp_path, [pair()], "-o", str(page)).stdout == "b/v2 responds to 1 request as the primary does.\n"


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("differing > 0.1%", 1),
        ("differing > 10%", 0),
        ("p95 > 1.2x", 1),
        ("p95 > 1.6x", 0),
        ("failed > 1%", 0),
        ("dropped > 0", 1),
    ],
)
def test_fail_on(tmp_path: Path, condition: str, code: int) -> None:
    records = [pair(ms=15.0)] * 97 + [different(ms=15.0)] * 2 + [lost("queue_full")]
    result = run(tmp_path, records, "--fail-on", condition)
    assert result.exit_code == code
    assert ("failed: " in result.stderr) is bool(code)
    assert repr(condition) in result.stderr or not code


def test_one_of_several_conditions_is_enough(tmp_path: Path) -> None:
    result = run(tmp_path, [pair(), different()], "--fail-on", "p95 > 9x", "--fail-on", "each differing > 40%")
    assert result.exit_code == 1
    assert result.stderr.count("failed: ") == 1 and "GET /users/{id}" in result.stderr


@pytest.mark.parametrize("records", [[lost()], [lost("queue_full")], [pair(control=True)]])
def test_nothing_to_judge_is_no_pass(tmp_path: Path, records: list[Any]) -> None:
    for condition in ("differing > 50%", "dropped > 1000", "p95 > 99x", "each failed > 100%"):
        result = run(tmp_path, records, "--fail-on", condition)
        assert result.exit_code == 1
        assert "cannot be judged" in result.stderr or "nothing to judge" in result.stderr
    assert run(tmp_path, records).exit_code == 0


def test_the_noise_rule_and_its_options(tmp_path: Path) -> None:
    records = [different()] * 30 + [pair()] * 70 + [different(control=True)] * 100 + [pair(control=True)] * 400
    assert run(tmp_path, records, "--fail-on", "differing > 0").exit_code == 0
    assert run(tmp_path, records, "--fail-on", "differing > 0", "--relative", "10").exit_code == 1
    assert run(tmp_path, records, "--fail-on", "differing > 0", "--relative", "10", "--absolute", "9").exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fail-on", "differing = 1"], "is not a condition"),
        (["--relative", "200"], "--relative"),
        (["-o", "no/such/folder/report.html"], "cannot be written"),
    ],
)
def test_wrong_usage(tmp_path: Path, options: list[str], said: str) -> None:
    result = run(tmp_path, [pair()], *options)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("records", [[], [""], ["no", "{}"]])
def test_a_file_without_any_record(tmp_path: Path, records: list[str]) -> None:
    result = run(tmp_path, records)
    assert result.exit_code == 2
    assert "There is no line of a record in" in result.output and "mirror_record=FILE" in result.output


def test_files_that_are_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(report, [str(tmp_path / "none.jsonl")])
    assert result.exit_code == 2 and "No such file" in result.output
    assert CliRunner().invoke(report, [str(tmp_path)]).exit_code == 2
    assert CliRunner().invoke(report, []).exit_code == 2


def test_a_record_is_not_overwritten(tmp_path: Path) -> None:
    for option in ("-o", "--junit"):
        result = run(tmp_path, [pair()], option, str(tmp_path / "." / "record.jsonl"))
        assert result.exit_code == 2 and "one of the records" in result.output
        assert json.loads((tmp_path / "record.jsonl").read_text())


def test_warnings_go_to_stderr_and_say_where(tmp_path: Path) -> None:
    result = run(tmp_path, [pair(), "{bad", *["x"] * 30, pair(version=2)], "--json")
    assert result.exit_code == 0
    assert f"warning: {tmp_path / 'record.jsonl'}:2: left out: not JSON" in result.stderr
    assert "warning: 12 more lines left out" in result.stderr
    assert json.loads(result.stdout)["skipped"] == 32


def test_standard_input_gzip_and_rotated_files(tmp_path: Path) -> None:
    text = json.dumps(pair()) + "\n"
    (tmp_path / "record.jsonl.1").write_bytes(gzip.compress(text.encode() * 3))
    (tmp_path / "record.jsonl").write_text(text * 2)
    arguments = ["--json", str(tmp_path / "record.jsonl.1"), str(tmp_path / "record.jsonl"), "-"]
    result = CliRunner().invoke(report, arguments, input=text)
    assert json.loads(result.stdout)["lines"] == 6


def test_as_a_program_with_a_pipe(tmp_path: Path) -> None:
    """In a locale that has no arrows, and with a reader of its output that has seen enough."""
    command = [sys.executable, "-c", "from mirror_addon.cli.main import main; main()", "report", "-"]
    environment = {"PYTHONPATH": SOURCES, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    told = subprocess.run(
        command,
        input=json.dumps(pair()) + "\n",
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=60,
    )
    assert "b/v1 → b/v2" in told.stdout and "\x1b" not in told.stdout


def test_it_is_a_command() -> None:
    assert CliRunner().invoke(main, ["report", "--help"]).exit_code == 0


def million(number: int, endpoints: int = 300) -> dict[str, Any]:
    """A line of a record with many URLs, times and a few differences."""
    record = different if number % 50 == 0 else pair
    return record(url=f"http://b.test/{number % endpoints}x/{number}", ms=5 + number % 977)


def calls(tmp_path: Path, lines: int) -> int:
    """Calls of functions, those of C among them, for a report of so many lines. The same on any machine."""
    file = tmp_path / "counted.jsonl"
    file.write_text("".join(json.dumps(million(number, 30)) + "\n" for number in range(lines)))
    count = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        result = CliRunner().invoke(report, [str(file), "-o", str(tmp_path / "report.html")])
    finally:
        sys.setprofile(before)
    assert result.exit_code == 0
    return count


def test_work_for_a_line(tmp_path: Path) -> None:
    """A line costs so many calls, however many there are. A million of them must take less than a minute."""
    few, some, many = (calls(tmp_path, lines) for lines in (1000, 1500, 2500))
    assert (some - few) / 500 < CALLS_A_LINE, (few, some, many)
    assert (many - some) / 1000 < CALLS_A_LINE, (few, some, many)


@pytest.mark.long
def test_a_million_lines_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    with file.open("w") as out:
        for number in range(1_000_000):
            out.write(json.dumps(million(number)) + "\n")
    script = (
        "import resource, sys; from mirror_addon.cli.main import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, "report", str(file), "-o", str(tmp_path / "report.html")],
        env={**os.environ, "PYTHONPATH": SOURCES}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "of 1,000,000 requests" in told.stdout
    assert int(told.stderr.split()[-1]) < 300 * 1024
