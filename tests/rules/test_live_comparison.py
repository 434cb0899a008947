"""`compare.yaml` while it is edited: what is taken, what is kept, and what the log says."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import AsyncIterator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules import live_comparison
from mirror_addon.rules import watcher
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
    file.write_text(RULES)
    await until(lambda: not live.problem)


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
    live.watch(settings(compare="other.yaml", methods="safe"), taker.take)
    file.write_text("rules: [")
    await until(lambda: taker.text == OTHERS)
    other.write_text(RULES)
    await until(lambda: taker.text == RULES)
    assert live.problem == ""


async def test_without_options_there_is_nothing_to_read(live: LiveComparison) -> None:
    await live.reload()
    assert live.problem == ""


async def test_options_that_change_meanwhile_win(live: LiveComparison, file: Path, tmp_path: Path) -> None:
    file.write_text(RULES)
    (tmp_path / "other.yaml").write_text(OTHERS)
    taker = Taker()
    live.watch(settings(), taker.take)
    live.stop()
    reload = asyncio.ensure_future(live.reload())
    await asyncio.sleep(0)
    live.watch(settings(compare="other.yaml"), taker.take)
    await reload
    assert taker.text in ("", OTHERS)
    await until(lambda: taker.text == OTHERS)


async def test_an_unexpected_error_leaves_the_rules_in_force_and_the_watch_goes_on(
    live: LiveComparison, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watcher, "RETRY", 0.01)
    file.write_text(RULES)
    taker = Taker()
    with monkeypatch.context() as patched:

        def fails(_: Settings) -> str:
            raise LookupError("a bug")

        patched.setattr(live_comparison, "comparison_rules", fails)
        live.watch(settings(), taker.take)
        await until(lambda: bool(caplog.records))
        assert live.problem == "a bug; the rules of comparison read before stay in force"
        with pytest.raises(LookupError):
            await live.reload()
    await until(lambda: taker.text == RULES)
    assert live.problem == ""
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "mirror: cannot reload compare.yaml: LookupError: a bug; it is tried again"
    ]


async def test_used_up_descriptors_say_nothing_about_the_file(live: LiveComparison, file: Path) -> None:
    """It is read again when there are some, although it has not changed."""
    file.write_text(RULES)
    taker = Taker()
    live.watch(settings(), taker.take)
    await until(lambda: taker.text == RULES)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises((OptionError, OSError), match="Too many open files"):
            await live.reload()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in live.problem
    await live.reload()
    assert live.problem == "" and taker.text == RULES
