from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from assistanttools import SECRETS
from assistanttools import SEEDED
from assistanttools import difference
from assistanttools import kept
from assistanttools import line
from assistanttools import write_record

from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.record import RecordSource
from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.rules import Rules

REDACTION = Redaction(DEFAULT_REDACTED)


def source(path: str, rules: str = "") -> RecordSource:
    return RecordSource([path], Rules.parse(rules, "compare.yaml") if rules else None, REDACTION)


def test_status_and_findings_are_those_of_the_report(tmp_path: Path) -> None:
    found = source(write_record(tmp_path / "r.jsonl"))
    status = found.status()
    assert status["lines"] == 6 and status["targets"][0]["differing"] == 3 and status["targets"][0]["failed"] == 1
    assert [(each["path"], each["kind"], each["pairs"]) for each in found.findings()] == [
        ("$.price", "value", 2), ("$.tax", "missing", 1), ("header:set-cookie", "value", 1),
    ]  # fmt: skip


def test_pairs_with_their_bodies(tmp_path: Path) -> None:
    pairs = {each.id: each for each in source(write_record(tmp_path / "r.jsonl")).pairs()}
    assert [*pairs] == ["f/0", "f/1", "f/2", "f/3", "f/4", "f/5"]
    assert [name for name, _ in pairs["f/1"].messages] == ["request", "primary", "shadow"]
    assert pairs["f/2"].messages == () and pairs["f/5"].shadow["error"] == "timeout"
    text = json.dumps([each.document(REDACTION, 10_000) for each in pairs.values()])
    assert not [secret for secret in SECRETS if secret in text] and '\\"price\\": 2' in text


def test_a_record_that_grows_is_read_again(tmp_path: Path) -> None:
    found = source(path := write_record(tmp_path / "r.jsonl"))
    assert found.status()["lines"] == 6 and found.status()["lines"] == 6
    write_record(Path(path), *SEEDED, line("f/6"))
    assert found.status()["lines"] == 7


def test_rules_judge_it_anew(tmp_path: Path) -> None:
    path = write_record(tmp_path / "r.jsonl")
    found = source(path, "rules: [{path: $.price, ignore: true}]")
    assert {each["path"] for each in found.findings()} == {"$.card", "$.key", "$.tax"}
    assert {each.id: each.verdict for each in found.pairs()}["f/2"] == "noise"
    accepted = next(each for each in source(path).findings() if each["path"] == "$.tax")
    states = {each["path"]: each["state"] for each in source(path, f"rules: [{accepted['rule'][2:]}]").findings()}
    assert states["$.tax"] == "accepted"


def test_bodies_of_any_kind(tmp_path: Path) -> None:
    binary = {**kept(base64.b64encode(b"\xff\0").decode()), "encoding": "base64"}
    broken = {**kept("%%%"), "encoding": "base64"}
    path = write_record(tmp_path / "r.jsonl", line("f/0", primary=binary, shadow=broken))
    (pair,) = source(path).pairs()
    shown = pair.document(REDACTION, 100)
    assert shown["primary"]["why"] == "not text, 2 bytes" and shown["shadow"]["why"] == "not recorded"


@pytest.mark.parametrize("method", ["status", "findings", "pairs"])
def test_a_record_that_is_gone(tmp_path: Path, method: str) -> None:
    with pytest.raises(AssistantError, match="No such file"):
        list(getattr(source(str(tmp_path / "none")), method)())


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = Path(write_record(tmp_path / "r.jsonl", line("f/0", differences=[difference("$.a")])))
    path.write_text(path.read_text() + "{no\n" + '{"version": 1}\n')
    status = source(str(path)).status()
    assert status["lines"] == 1 and status["unreadable"] == 2 and len(status["warnings"]) == 2
