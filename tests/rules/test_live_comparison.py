"""`compare.yaml` while it is edited: what is taken, what is kept, and what the log says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.rules.live_comparison import LiveComparison

RULES = "rules:\n  - {path: $.id, ignore: true}\n"
OTHERS = "noise: {shapes: false}\n"


def settings(**options: Any) -> Settings:
    return parse_settings(
        {each.name: each.default for each in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    )


class Taker:
    """Holds the text in force, as Shadowing does."""

    def __init__(self) -> None:
        self.text = ""

    def take(self, text: str) -> bool:
        before, self.text = self.text, text
        return text != before


@pytest.fixture
async def live() -> AsyncIterator[LiveComparison]:
    live = LiveComparison()
    yield live
    live.stop()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "compare.yaml"


async def until(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def test_the_file_comes_changes_breaks_is_mended_and_goes(
    live: LiveComparison, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    taker = Taker()
    live.watch(settings(), taker.take)
    file.write_text(RULES)
    await until(lambda: taker.text == RULES)
    file.write_text(OTHERS)
    await until(lambda: taker.text == OTHERS)
    file.write_text("rules: [")
    await until(lambda: bool(live.problem))
    assert taker.text == OTHERS
    assert live.problem.startswith("mirror_compare=compare.yaml: compare.yaml:1:")
    assert live.problem.endswith("; the rules of comparison read before stay in force")
    file.write_text(OTHERS)
    await until(lambda: not live.problem)
    file.unlink()
    await until(lambda: taker.text == "")
    said = [record.getMessage() for record in caplog.records]
    assert said[-1] == "mirror: comparing without compare.yaml"
    assert [line for line in said if "as it is now" in line] == ["mirror: comparing by compare.yaml as it is now"] * 3
    assert [record.levelname for record in caplog.records].count("ERROR") >= 1


async def test_a_file_that_was_named_is_missed_and_its_rules_are_kept(live: LiveComparison, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(RULES)
    chosen = settings(compare=str(file))
    taker = Taker()
    taker.take(comparison_rules(chosen))
    live.watch(chosen, taker.take)
    file.unlink()
    await until(lambda: bool(live.problem))
    assert "no such file" in live.problem
    assert taker.text == RULES


async def test_what_says_what_it_said_is_not_told(
    live: LiveComparison, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file.write_text(RULES)
    taker = Taker()
    taker.take(RULES)
    live.watch(settings(), taker.take)
    await live.reload()
    assert caplog.records == []


async def test_other_options_name_another_file_and_the_first_is_watched_no_more(
    live: LiveComparison, file: Path, tmp_path: Path
) -> None:
    taker = Taker()
    live.watch(settings(), taker.take)
    other = tmp_path / "other.yaml"
    other.write_text(OTHERS)
    live.watch(settings(compare="other.yaml"), taker.take)
    file.write_text("rules: [")
    await until(lambda: taker.text == OTHERS)
    other.write_text(RULES)
    await until(lambda: taker.text == RULES)
    assert live.problem == ""


async def test_without_options_there_is_nothing_to_read(live: LiveComparison) -> None:
    await live.reload()
    assert live.problem == ""
