from __future__ import annotations

import json
from pathlib import Path

import pytest

from mirror_addon.cli.findings_input import Basis
from mirror_addon.cli.findings_input import read_findings
from mirror_addon.compare.report.summary import NoiseRule


def test_what_cannot_be_judged_anew_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    difference = {"path": "$.a", "kind": "value", "primary": 1, "shadow": 2}
    record, rules = tmp_path / "record.jsonl", tmp_path / "compare.yaml"
    line = {
        "version": 1, "id": "f", "method": "GET", "url": "http://x.test/", "target": "v2", "primary": {"status": 200},
        "shadow": {"status": 200}, "verdict": "different", "differences": [difference],
    }  # fmt: skip
    record.write_text(json.dumps(line) + "\n")
    rules.write_text("rules: [{path: $.a, ignore: true}]")
    summary = read_findings([str(record)], NoiseRule(), Basis((), rules))
    assert summary.differing == 0 and summary.findings == ()
    assert "1 differing pair of 1 lines have no bodies" in capsys.readouterr().err
