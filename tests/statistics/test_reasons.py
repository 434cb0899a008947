"""What the reasons in the counters mean."""

from __future__ import annotations

import re
from pathlib import Path

from mirror_addon.statistics.reasons import REASONS
from mirror_addon.statistics.reasons import parts

OTHERS = {"replaced", "rule_gone", "twin", "twin_missing"}
"""Of `rerun.skipped` and `adapted`, which have rows of their own."""
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "counters.md"


def test_parts_are_ordered_and_without_zeros() -> None:
    counters = {"failed": 3, "failed.reset": 1, "failed.connect": 2, "failed.timeout": 0, "dropped.x": 5}
    assert parts(counters, "failed") == [("connect", 2), ("reset", 1)]
    assert parts(counters, "skipped") == []
    assert parts({"skipped.b": 1, "skipped.a": 1}, "skipped") == [("a", 1), ("b", 1)]


def test_every_reason_in_the_table_has_a_meaning() -> None:
    rows = re.findall(r"^\| `(?:failed|dropped|skipped)\.\w+`.*", PAGE.read_text(), re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`(?:\w+)?\.(\w+)`", row.split("|")[1])}
    assert named == set(REASONS) - OTHERS
