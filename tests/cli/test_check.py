from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mirror_addon.cli.check import check

RULES = Path(__file__).resolve().parents[2] / "rules"


def test_the_worked_example_has_warnings_and_no_errors() -> None:
    result = CliRunner().invoke(check, [str(RULES)])
    assert result.exit_code == 0
    assert "0 errors" in result.stderr
    assert "virtual-service.yaml:15:12: warning IST0133 spec.http[0].rewrite.uri: " in result.stdout
    assert "error" not in result.stdout
    assert CliRunner().invoke(check, ["--strict", str(RULES)]).exit_code == 1


def test_json_lines() -> None:
    result = CliRunner().invoke(check, ["--json", str(RULES)])
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert found
    for each in found:
        assert set(each) == {"severity", "code", "path", "file", "line", "column", "message"}
        assert each["severity"] == "warning" and isinstance(each["line"], int)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "error IST0106"),
        ((RULES / "virtual-service.yaml").read_text().replace("rewrite:", "rewrit:"), "did you mean"),
    ],
)
def test_errors(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.exit_code == 1
    assert "a.yaml:" in result.stdout and said in result.stdout


def test_default_folder_and_missing_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(check, [])
    assert result.exit_code == 2 and "rules" in result.output
    assert CliRunner().invoke(check, ["nowhere"]).exit_code == 2
    monkeypatch.chdir(RULES.parent)
    assert CliRunner().invoke(check, []).exit_code == 0


def test_strict_warns_of_mirrors_that_never_end(tmp_path: Path) -> None:
    text = (RULES / "virtual-service.yaml").read_text()
    plain, strict = (CliRunner().invoke(check, [*options, str(RULES)]).stdout for options in ((), ("--strict",)))
    assert "never expires" not in plain
    assert "virtual-service.yaml:20:5: warning MIRROR0001 spec.http[0].mirror: this mirror never expires" in strict
    ends = text.replace("name: serviceB\n", "name: serviceB\n  annotations: {mirror-addon/expires: 72h}\n", 1)
    (tmp_path / "ends.yaml").write_text(ends)
    assert "never expires" not in CliRunner().invoke(check, ["--strict", str(tmp_path)]).stdout


def test_other_kinds_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.exit_code == 0
    assert result.stderr.startswith("no resources (1 of other kinds skipped): 0 errors")


def test_standard_input() -> None:
    text = b"---\n".join(file.read_bytes() for file in sorted(RULES.glob("*.yaml")))
    result = CliRunner().invoke(check, ["-"], input=text)
    assert result.exit_code == 0
    assert "1 DestinationRule, 1 ServiceEntry, 1 VirtualService: 0 errors" in result.stderr
    assert result.stdout.startswith("<stdin>:4:9: warning IST0133 metadata.name: ")
    wrong = (RULES / "virtual-service.yaml").read_bytes().replace(b"subset: v2", b"subset: v3")
    others = [str(RULES / "destination-rule.yaml"), str(RULES / "service-entry.yaml")]
    result = CliRunner().invoke(check, ["-", *others, "-"], input=wrong)
    assert result.exit_code == 1
    assert result.stdout.count("<stdin>:22:15: error IST0101 ") == 1
    assert CliRunner().invoke(check, ["-"], input=b"\xff: [").exit_code == 1


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(click.UsageError, match="Standard input is closed"):
        check.main(["-"], standalone_mode=False)


def test_formats_keep_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [")
    for form in ("text", "json", "github", "sarif"):
        result = CliRunner().invoke(check, ["--format", form, str(tmp_path)])
        assert result.exit_code == 1
        assert "IST0106" in result.stdout
        assert ("1 error" in result.stderr) == (form in ("text", "github"))
    assert CliRunner().invoke(check, ["--json", "--format", "json", str(RULES)]).exit_code == 0
    result = CliRunner().invoke(check, ["--json", "--format", "sarif", str(RULES)])
    assert result.exit_code == 2 and "leave out one" in result.output
    assert CliRunner().invoke(check, ["--format", "xml", str(RULES)]).exit_code == 2
