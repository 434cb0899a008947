"""`mirror.findings`, `mirror.accept` and `mirror.ignore`, as typed in mitmproxy's console."""

from __future__ import annotations

from pathlib import Path

import pytest
from mitmproxy import exceptions
from tests.commands.test_commands import Console
from tests.commands.test_commands import console as console
from tests.commands.test_commands import started as started

from mirror_addon.commands import findings as module
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult

TAX = Difference("$.items[*].tax", "missing", 1, None, "", "$.items[0].tax")
ID = "f69d1514f"


def pairs(console: Console, *differences: Difference, count: int = 1, url: str = "http://shop.test/orders/7") -> None:
    result = ShadowResult("f/0", "b/v2", "sent", status=200, total_ms=1)
    for _ in range(count):
        comparison = Comparison("different", differences)
        made = Pair("f/0", "f", "r", "b/v1", "b/v2", "GET", url, False, 200, 1.0, result, comparison)
        console.addon.session.statistics.pair(made)


@pytest.fixture
async def file(started: Console, tmp_path: Path) -> Path:
    path = tmp_path / "compare.yaml"
    path.write_text("# mine\nrules:\n- path: $.a\n  ignore: true  # why\n")
    started.context.configure(started.addon, mirror_compare=str(path))
    assert started.addon.session.writer
    started.addon.session.comparison.watch(
        started.addon.session.writer.settings, started.addon.session.writer.compare_by
    )
    return path


def test_findings_with_their_rules(started: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    assert started("findings") == "no findings: none of 0 compared pairs differ"
    for number in range(7):
        pairs(started, TAX, url=f"http://shop.test/{'abcdefg'[number]}")
    pairs(started, Difference("$.a", "value", 1, 2), count=2)
    lines = started("findings").splitlines()
    assert lines[0] == "2 findings in 9 differing pairs"
    assert lines[1].startswith(f"{ID} new: $.items[*].tax missing (7 pairs, 77.8 %): GET /a, GET /b, ")
    assert lines[1].endswith(" and 2 more")
    assert lines[2] == "  1 -> null in GET http://shop.test/a"
    assert lines[3] == f"  - {{path: '$.items[*].tax', accepted: {ID}}}"
    monkeypatch.setattr(module, "SHOWN", 1)
    assert started("findings").endswith("and 1 more")
    pairs(started)
    monkeypatch.setattr(module, "SHOWN", 3)
    assert "(differences not listed)" in started("findings")


@pytest.mark.parametrize("command", ["accept", "ignore"])
async def test_a_rule_is_written_and_taken_back(started: Console, file: Path, command: str) -> None:
    before = file.read_text()
    pairs(started, TAX)
    text = started(f"{command} {ID}")
    assert f"undo with mirror.{command} {ID} reset" in text and f"+  accepted: {ID}" in text
    assert file.read_text().startswith(before) and ("ignore: true\n  accepted" in file.read_text()) is (
        command == "ignore"
    )
    assert started.addon.session.comparison.accepted == {ID}
    assert f"{ID} accepted:" in started("findings") and "; 1 accepted" in started("findings")
    assert ID in (started.addon.session.writer.comparison_rules if started.addon.session.writer else "")
    started(f"{command} {ID} reset")
    assert file.read_text() == before
    assert f"{ID} new:" in started("findings")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("accept", "as in mirror.accept f0123abcd"),
        ("ignore", "as in mirror.ignore f0123abcd"),
        ("accept a b c", "Give a finding"),
        ("accept f69d1514e", f"did you mean {ID}?"),
        ("ignore nothing", "mirror.findings lists them"),
        (f"accept {ID} undo", "give a finding, and reset"),
        (f"accept {ID} reset", "no rule accepts"),
    ],
)
async def test_what_is_wrong(started: Console, file: Path, command: str, message: str) -> None:
    before = file.read_text()
    pairs(started, TAX)
    with pytest.raises(exceptions.CommandError) as caught:
        started(command)
    assert message in str(caught.value)
    assert file.read_text() == before


def test_before_the_start(console: Console) -> None:
    with pytest.raises(exceptions.CommandError, match="not started"):
        console("accept f69d1514f")
