from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules.compare_file import comparison_rules


def settings(**options: Any) -> Settings:
    return parse_settings(
        {each.name: each.default for each in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    )


def test_rules_are_read_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert comparison_rules(settings()) == ""
    with pytest.raises(OptionError, match=r"^mirror_compare=other\.yaml: no such file"):
        comparison_rules(settings(compare="other.yaml"))
    with pytest.raises(OptionError, match="mirror_compare="):
        comparison_rules(settings(compare="a\0b"))
    (tmp_path / "compare.yaml").write_text("- nonsense: [")
    with pytest.raises(OptionError, match=r"^mirror_compare=compare\.yaml: compare\.yaml:"):
        comparison_rules(settings())
    (tmp_path / "compare.yaml").write_bytes(b"\xff")
    with pytest.raises(OptionError, match="mirror_compare="):
        comparison_rules(settings())
    (tmp_path / "compare.yaml").write_text("")
    comparison_rules(settings())
