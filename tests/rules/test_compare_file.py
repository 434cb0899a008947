from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules.compare_file import MAX_BYTES
from mirror_addon.rules.compare_file import comparison_rules

RULES = "rules:\n  - {path: $.id, ignore: true}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def settings(compare: str = "compare.yaml") -> Settings:
    return parse_settings({each.name: each.default for each in OPTIONS} | {"mirror_compare": compare})


def test_the_text_is_returned_as_it_is(folder: Path) -> None:
    (folder / "compare.yaml").write_text(RULES)
    assert comparison_rules(settings()) == RULES
    assert comparison_rules(settings("~/compare.yaml")) == RULES


def test_the_default_file_may_be_missing_or_empty(folder: Path) -> None:
    assert comparison_rules(settings()) == ""
    (folder / "compare.yaml").write_text("")
    assert comparison_rules(settings()) == ""


def test_a_file_that_was_named_must_exist() -> None:
    with pytest.raises(OptionError, match=r"^mirror_compare=other\.yaml: no such file; name one that exists$"):
        comparison_rules(settings("other.yaml"))


def test_a_folder_is_no_file(folder: Path) -> None:
    (folder / "other").mkdir()
    with pytest.raises(OptionError, match=r"Is a directory.*; name a file of rules of comparison") as caught:
        comparison_rules(settings("other"))
    assert isinstance(caught.value.__cause__, IsADirectoryError)


def test_text_that_is_no_utf_8(folder: Path) -> None:
    (folder / "compare.yaml").write_bytes(b"\xff")
    with pytest.raises(OptionError, match="utf-8"):
        comparison_rules(settings())


def test_rules_that_cannot_be_parsed(folder: Path) -> None:
    (folder / "compare.yaml").write_text("rules: [")
    with pytest.raises(OptionError, match=r"^mirror_compare=compare\.yaml: compare\.yaml:1:"):
        comparison_rules(settings())


def test_a_file_without_end_is_refused_at_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "long").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, why in (("pipe", "named pipe"), ("/dev/zero", "no regular file"), ("long", "has more than")):
        with pytest.raises(OptionError, match=rf"^mirror_compare={name}: .*{why}.*; name a file"):
            comparison_rules(settings(name))
    assert comparison_rules(settings("/dev/null")) == ""
