"""Hostile text in every field that a command prints or writes to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.main import main

HOSTILE = ["\x1b[2J\x1b]0;owned\x07", "a\r\nok: forged", "\x9b31m\x85\x90", "\u202egpj.exe\u2066", "\u2028x\u2029\x7f"]
LONE = "\ud800x\udcff"
ACTS = tuple("\x1b\x07\x9b\x85\x90\u202e\u2066\u2028\u2029\x7f\r")


def run(*arguments: str, input: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(main, list(arguments), input=input)
    assert not isinstance(result.exception, Exception), result.exception
    assert_safe(result.output)
    return result


def assert_safe(text: str) -> None:
    """Nothing acts, and no line is forged."""
    assert not [each for each in ACTS if each in text], repr(text)
    assert not any(0xD800 <= ord(each) < 0xE000 for each in text)
    assert not any(line.startswith("ok: forged") for line in text.split("\n")), text


@pytest.fixture(params=[*HOSTILE, LONE], ids=["esc", "lines", "c1", "bidi", "separators", "surrogate"])
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rules(text: str) -> str:
    quoted = json.dumps(text)
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: a, annotations: {{mirror-addon/nothing: {quoted}}}}}
spec:
  hosts: [a.test]
  http:
  - name: {quoted}
    match: [{{uri: {{prefix: /direct}}, headers: {{x-a: {{exact: {quoted}}}}}}}]
    directResponse: {{status: 200, body: {{string: {quoted}}}}}
  - match: [{{uri: {{regex: {json.dumps("(" + text)}}}}}]
    route: [{{destination: {{host: {quoted}}}}}]
  - name: {quoted}
    headers: {{request: {{set: {{x-b: {quoted}}}}}}}
    route: [{{destination: {{host: b, subset: {quoted}}}}}]
    mirror: {{host: b, subset: {quoted}}}
---
apiVersion: networking.istio.io/v1
kind: {quoted}
metadata: {{name: {quoted}}}
"""


@pytest.fixture
def rules_file(tmp_path: Path, text: str) -> str:
    # A name of a file is bytes: it can hold anything but a surrogate that stands for no byte.
    name = tmp_path / f"{text.replace('/', '').replace(chr(0xD800), '')}.yaml"
    name.write_text(rules(text))
    return str(name)


def test_check(rules_file: str, text: str) -> None:
    assert run("check", rules_file).exit_code == 1
    for line in run("check", "--json", rules_file).stdout.splitlines():
        json.loads(line)
    run("check", str(Path(rules_file).with_name(f"missing {Path(rules_file).name}")))


def test_explain(rules_file: str, text: str) -> None:
    requests = [
        {"method": "GET", "url": f"http://a.test/direct{text}", "headers": [["x-a", text]]},
        {"method": f"G{text}", "url": f"http://a.test/{text}", "headers": [[f"x-{text}", text], ["Host", "a.test"]]},
        {"method": "GET", "url": f"http://{text}/"},
    ]
    for each in requests:
        for options in ((), ("--json",)):
            run("explain", "--rules", rules_file, *options, "--requests", "-", input=json.dumps(each))
    run("explain", "--rules", rules_file, "GET", f"http://a.test/{text}".replace("\ud800", ""))
    run("explain", "--rules", rules_file, "--requests", "-", input=json.dumps({text: 1}))
    run("explain", "--rules", rules_file, "--requests", "-", input=text.encode("utf-8", "surrogatepass"))


def test_test(rules_file: str, tmp_path: Path, text: str) -> None:
    line = {"request": {"url": "http://a.test/direct"}, "expect": {"action": text, "rule": text}}
    file = tmp_path / "tests.jsonl"
    file.write_text(json.dumps(line))
    assert run("test", "--rules", rules_file, str(file)).exit_code == (2 if text == LONE else 1)
    file.write_text(json.dumps({text: 1}))
    assert run("test", "--rules", rules_file, str(file)).exit_code == 2


def test_export(rules_file: str) -> None:
    run("export", "envoy", "--rules", rules_file)


def line(text: str) -> dict[str, Any]:
    side = {"status": 200, "bytes": 2, "error": None, "ms": 1.0, "body": text, "encoding": "utf-8"}
    difference = {"path": f"$.{text}", "kind": text, "primary": text, "shadow": {text: text}, "where": text}
    return {
        "version": 1, "id": text, "time": text, "route": text, "target": text, "method": text, "url": f"http://b/{text}",
        "verdict": "different", "differences": [difference, difference | {"noise": text, "path": "$.x"}],
        "primary": side | {"headers": [["x-a", text]]}, "shadow": side | {"error": None},
        "request": {"headers": [["x-a", text]], "body": text, "encoding": "utf-8", "cut": False},
    }  # fmt: skip


@pytest.fixture
def record(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "record.jsonl"
    lost = line(text) | {"verdict": "failed", "shadow": {"status": None, "ms": None, "error": text}}
    file.write_text("".join(json.dumps(each) + "\n" for each in (line(text), lost)))
    return file


def test_report(record: Path, tmp_path: Path) -> None:
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    run("report", str(record))
    json.loads(run("report", str(record), "--json").stdout)
    run("report", str(record), "-o", str(page), "--junit", str(junit), "--fail-on", "each differing > 0%")
    assert_safe(page.read_text())
    assert_safe(junit.read_text())
    ElementTree.parse(junit)


def test_tests(record: Path, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "suite"
    result = run("tests", str(record), "-o", str(folder))
    assert result.exit_code in (0, 1)
    for file in folder.rglob("test_*.py"):
        assert_safe(file.read_text())
        compile(file.read_text(), str(file), "exec")
    if text == LONE:
        assert "left out: 2 pairs with an invalid body or header" in result.output


def test_file_names(tmp_path: Path, text: str) -> None:
    name = os.fsdecode(os.fsencode(str(tmp_path / text.replace("\ud800", "").replace("/", ""))))
    for arguments in (
        ["report", name],
        ["tests", name, "-o", str(tmp_path)],
        ["replay", name],
        ["test", "--rules", str(tmp_path), name],
        ["explain", "--rules", name, "GET", "http://a/"],
        ["check", name],
        [name],
        ["report", f"--{text}".replace("\ud800", "")],
    ):
        assert run(*arguments).exit_code == 2


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if not isinstance(value, (dict, list)):
        yield path
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(item, (*path, key))


def test_a_lone_surrogate_in_any_place_of_a_record(tmp_path: Path) -> None:
    """Such a line is used or left out, which is counted; the others are read."""
    good = line("x") | {"control": False, "more": 0, "start": 1.0, "draw": 1, "client": "c", "notes": ["n"]}
    lines = [json.dumps(good).encode()]
    for path in leaves(good):
        bad = json.loads(json.dumps(good))
        place = bad
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = LONE
        lines += [json.dumps(bad).encode(), json.dumps(bad, ensure_ascii=False).encode("utf-8", "surrogatepass")]
    record = tmp_path / "record.jsonl"
    record.write_bytes(b"\n".join([*lines, json.dumps(good).encode(), b""]))
    result = run("report", str(record))
    assert "left out" in result.stderr
    told = json.loads(run("report", str(record), "--json").stdout)
    assert told["skipped"] > 10
    assert sum(target["requests"] for target in told["targets"]) == len(lines) + 1 - told["skipped"]
    result = run("tests", str(record), "-o", str(tmp_path / "suite"))
    assert result.exit_code == 0
    assert "left out" in result.stderr
    run("replay", str(record), "--dry-run", "--rules", str(tmp_path))
