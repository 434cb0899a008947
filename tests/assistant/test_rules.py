from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.rules import MAX_FILE
from mirror_addon.assistant.rules import RulesSource
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings

RULES = str(Path(__file__).resolve().parents[2] / "rules")


def source(*paths: str, **options: Any) -> RulesSource:
    values = {each.name: each.default for each in OPTIONS} | {"mirror_rules": list(paths)} | options
    return RulesSource(parse_settings(values))


def test_explain_is_the_commands() -> None:
    found = source(RULES).explain({"url": "http://serviceB.com/serviceB/x", "headers": [["Host", "serviceB.com"]]})
    assert found["action"] in ("route", "passthrough") and found["trace"]


@pytest.mark.parametrize(
    "asked", [{}, {"url": "x"}, {"url": "http://a/", "method": ""}, {"url": "http://a/", "port": "y"}]
)
def test_requests_that_cannot_be_read(asked: dict[str, Any]) -> None:
    with pytest.raises(AssistantError):
        source(RULES).explain(asked)


def test_rules_that_are_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(AssistantError, match="no file or folder"):
        source(str(tmp_path / "none")).explain({"url": "http://a/"})
    with pytest.raises(AssistantError, match="no file or folder"):
        source(str(tmp_path / "none")).check()
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(AssistantError, match=r"broken\.yaml"):
        source(str(tmp_path)).explain({"url": "http://a/"})
    assert source(str(tmp_path)).check()[0]["severity"] == "error"
    assert source(str(tmp_path / "none")).files() == {}


def test_check_has_the_keys_of_the_command() -> None:
    assert {"severity", "code", "path", "file", "line", "column", "message"} == source(RULES).check()[0].keys()


def test_files_and_their_texts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: List\nitems: []\n")
    (tmp_path / "notes.txt").write_text("secret")
    compare = tmp_path / "compare.yml"
    compare.write_text("rules: []\n")
    found = source(str(tmp_path / "a.yaml"), mirror_compare=str(compare))
    assert found.files() == {"rules/0": str(tmp_path / "a.yaml"), "compare": str(compare)}
    assert found.text("rules/0") == "kind: List\nitems: []\n" and found.text("compare") == "rules: []\n"
    compare.write_text("# " + "x" * 2 * MAX_FILE)
    assert found.text("compare").endswith(f"# cut after {MAX_FILE} bytes\n")
    compare.chmod(0)
    compare.unlink()
    compare.mkdir()
    with pytest.raises(AssistantError):
        found.text("compare")


@pytest.mark.parametrize("name", ["rules/1", "../../etc/passwd", "rules/../notes.txt", "", "/etc/passwd"])
def test_no_other_file_is_read(name: str) -> None:
    with pytest.raises(AssistantError, match="no resource"):
        source(RULES + "/virtual-service.yaml").text(name)
