from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.cli.check_formats import STDIN
from mirror_addon.cli.check_formats import as_github
from mirror_addon.cli.check_formats import as_json
from mirror_addon.cli.check_formats import as_sarif
from mirror_addon.cli.check_formats import as_text
from mirror_addon.cli.check_formats import repository_path
from mirror_addon.cli.console import Styled
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(
    file: str = "rules/a.yaml", severity: Severity = Severity.ERROR, code: str = "IST0101", path: str = "spec.hosts[0]"
) -> Diagnostic:
    return Diagnostic(file, 7, 3, code, severity, "100 % wrong\nreally", path)


def test_text_and_json() -> None:
    line = "".join(part.text if isinstance(part, Styled) else part for part in next(as_text([found()])))
    assert line == "rules/a.yaml:7:3: error IST0101 spec.hosts[0]: 100 % wrong\nreally"
    assert json.loads(str(next(as_json([found()]))[0]))["line"] == 7


def test_paths_are_relative_to_the_checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repository_path("rules/../rules/a.yaml") == "rules/a.yaml"
    assert repository_path(str(folder / "a.yaml")) == "a.yaml"
    assert repository_path("/etc/a.yaml") == "/etc/a.yaml"
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder))
    assert repository_path("a.yaml") == "deep/a.yaml"
    assert repository_path("../a.yaml") == "a.yaml"


@pytest.mark.parametrize(
    ("severity", "command"), [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "notice")]
)
def test_annotations_of_github(severity: Severity, command: str) -> None:
    (line,) = next(as_github([found(severity=severity)]))
    place = "file=rules/a.yaml,line=7,col=3,title=IST0101"
    assert line == f"::{command} {place}::spec.hosts[0]: 100 %25 wrong%0Areally"


def test_annotations_escape_what_separates_properties() -> None:
    assert str(next(as_github([found("a,b:c%.yaml", path="")]))[0]).startswith("::error file=a%2Cb%3Ac%25.yaml,line=7,")
    assert str(next(as_github([found(STDIN)]))[0]).startswith("::error line=7,")


def sarif(*findings: Diagnostic) -> dict[str, Any]:
    document: dict[str, Any] = json.loads("".join(str(line) for (line,) in as_sarif(findings)))
    return document


def test_sarif_has_what_the_specification_and_code_scanning_require() -> None:
    """SARIF 2.1.0: 3.13 (sarifLog), 3.14 (run), 3.18 and 3.19 (tool), 3.27 (result), 3.49 (reportingDescriptor)."""
    document = sarif(
        found(),
        found("b c/ä.yaml", Severity.WARNING, "IST0133", path=""),
        found(severity=Severity.INFO),
        found(code="BackendNotFound"),
    )
    assert (document["version"], len(document["runs"])) == ("2.1.0", 1)
    assert document["$schema"].startswith("https://")
    run = document["runs"][0]
    driver = run["tool"]["driver"]
    assert driver["name"] == "mirror-addon" and driver["version"]
    assert [rule["id"] for rule in driver["rules"]] == ["IST0101", "IST0133", "BackendNotFound"]
    assert [rule["defaultConfiguration"]["level"] for rule in driver["rules"]] == ["error", "warning", "error"]
    assert "helpUri" in driver["rules"][0] and "helpUri" not in driver["rules"][2]
    for rule in driver["rules"]:
        assert all(rule[name]["text"] for name in ("shortDescription", "fullDescription", "help"))
    assert [each["level"] for each in run["results"]] == ["error", "warning", "note", "error"]
    for each in run["results"]:
        assert each["message"]["text"]
        assert driver["rules"][each["ruleIndex"]]["id"] == each["ruleId"]
        (location,) = each["locations"]
        assert location["physicalLocation"]["region"] == {"startLine": 7, "startColumn": 3}
    first, second = (each["locations"][0] for each in run["results"][:2])
    assert first["physicalLocation"]["artifactLocation"] == {"uri": "rules/a.yaml", "uriBaseId": "%SRCROOT%"}
    assert first["logicalLocations"] == [{"fullyQualifiedName": "spec.hosts[0]"}]
    assert second["physicalLocation"]["artifactLocation"]["uri"] == "b%20c/%C3%A4.yaml"
    assert "logicalLocations" not in second


def test_sarif_of_nothing_of_stdin_and_of_files_elsewhere() -> None:
    assert sarif()["runs"][0]["results"] == []
    uris = [
        each["locations"][0]["physicalLocation"]["artifactLocation"]
        for each in sarif(found(STDIN), found("/etc/a b.yaml"))["runs"][0]["results"]
    ]
    assert uris == [{"uri": "stdin"}, {"uri": "file:///etc/a%20b.yaml"}]
