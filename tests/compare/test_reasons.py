"""The reasons why a shadow got no complete response: each that the code can give is known to records and reports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.reasons import DROPPED
from mirror_addon.compare.reasons import FAILED
from mirror_addon.compare.record import About
from mirror_addon.compare.record import record_line
from mirror_addon.compare.report.documents import document
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.summary import NoiseRule
from mirror_addon.compare.report.summary import summarise
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.shadow.frames import OF_THIS_SIDE

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "mirror_addon"
GIVE_UP = {"refuse", "give_up", "drop", "abort", "_refuse", "_drop", "_end_of", "_give_up"}
"""Functions one of whose arguments is the reason of a dropped shadow."""


def given(tree: ast.AST) -> Iterator[str]:
    """The words that a module gives to these functions, directly or by a variable, or has as their defaults."""
    for each in ast.walk(tree):
        if isinstance(each, ast.Call) and getattr(each.func, "attr", getattr(each.func, "id", "")) in GIVE_UP:
            for argument in each.args:
                yield from words(argument)
        elif isinstance(each, ast.FunctionDef) and each.name in GIVE_UP:
            for default in each.args.defaults:
                yield from words(default)
        elif isinstance(each, ast.Assign) and "reason" in map(name_of, each.targets):
            yield from words(each.value)


def name_of(target: ast.expr) -> str:
    return str(getattr(target, "attr", getattr(target, "id", "")))


def words(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.IfExp):
        yield from words(value.body)
        yield from words(value.orelse)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value


def test_every_reason_that_is_given_is_a_known_one() -> None:
    rooms = ("dispatch", "worker", "processor", "flows", "mirroring/shadow_sender.py", "mirroring/shadow_writer.py",
             "mirroring/scripted.py", "mirroring/tee.py", "replay")  # fmt: skip
    files = [
        file for room in rooms for file in ([SOURCES / room] if room[-3:] == ".py" else (SOURCES / room).glob("*.py"))
    ]
    found = {word for file in files for word in given(ast.parse(file.read_text()))}
    assert {word for word in found if re.fullmatch(r"\w+", word)} - {"upgrade", "local_reply"} == set(DROPPED)


def test_every_failure_of_a_connection_is_a_known_one() -> None:
    tree = ast.parse((SOURCES / "worker" / "transport.py").read_text())
    (function,) = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "failure"]
    found = {
        word for each in ast.walk(function) if isinstance(each, ast.Return) and each.value for word in words(each.value)
    }
    assert found | {"timeout"} == set(FAILED) | {"unsendable"}
    assert set(DROPPED) >= OF_THIS_SIDE and not set(DROPPED) & set(FAILED)


@pytest.mark.parametrize(("fate", "reasons"), [("dropped", DROPPED), ("failed", FAILED)])
def test_from_a_record_to_the_report(fate: str, reasons: dict[str, str]) -> None:
    tally = RecordTally()
    parse = LineParser(RecordLine)
    for number, reason in enumerate(reasons):
        shadow = Answer(None, error=reason)
        about = About(f"f/{number}", "f", 1.0, "", None, "b/v2", False, "GET", "http://b.test/", 0, "")
        line = parse(record_line(about, Answer(200), shadow, compare(Answer(200), shadow)))
        assert (line.verdict, line.fate) == ("failed", fate)
        tally.add(line)
    (target,) = document(summarise(tally, NoiseRule()), [])["targets"]
    assert target["reasons"] == {"failed": {}, "dropped": {}} | {fate: dict.fromkeys(reasons, 1)}


def test_pages_name_all_of_them() -> None:
    counters = (ROOT / "docs/reference/counters.md").read_text()
    for fate, reasons in (("dropped", DROPPED), ("failed", FAILED)):
        (row,) = re.findall(rf"^\| (`{fate}\.\w+`.*?) \|", counters, re.MULTILINE)
        assert set(re.findall(r"\.(\w+)`", row)) == set(reasons)
    record = (ROOT / "docs/reference/recording.md").read_text()
    sentence = record.partition("of a dropped shadow is one of")[2].partition(";")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(DROPPED)
