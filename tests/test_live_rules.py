from __future__ import annotations

import asyncio
import logging
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.live_rules import KEPT
from mirror_addon.live_rules import LARGE
from mirror_addon.live_rules import SHOWN
from mirror_addon.live_rules import LiveRules
from mirror_addon.live_rules import RulesRefused
from mirror_addon.options import OPTIONS
from mirror_addon.options import Settings
from mirror_addon.options import parse_settings
from mirror_addon.passage import Passage
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.rules_files import state_of

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.test]
  http: [{directResponse: {status: %d}}]
"""


def settings(*rules: Path, **options: Any) -> Settings:
    values = {option.name: option.default for option in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    return parse_settings(values | {"mirror_rules": [str(path) for path in rules]})


def status(rules: LiveRules) -> int | None:
    assert rules.table
    response = rules.table.route(Request(b"GET", b"http", b"a.test", b"/", (), 80), 0).response
    return response.status if response else None


@pytest.fixture
def live() -> LiveRules:
    return LiveRules(b"192.0.2.1")


async def test_a_broken_set_leaves_the_old_one_and_says_why(
    live: LiveRules, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(RULE % 201)
    live.load(settings(tmp_path))
    assert status(live) == 201
    file.write_text(RULE % 202 + "---\nkind: [")
    assert "stay in force" in await live.reload()
    assert status(live) == 201
    assert "a.yaml:10:" in live.problem and "a.yaml:10:" in caplog.text
    file.write_text(RULE % 203)
    assert await live.reload() == "reloaded 1 resources"
    assert (status(live), live.problem) == (203, "")


async def test_emptied_is_empty_but_vanished_keeps_the_old(live: LiveRules, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text(RULE % 201)
    live.load(settings(folder))
    (folder / "a.yaml").unlink()
    await live.reload()
    assert live.table and live.table.route(Request(b"GET", b"http", b"a.test", b"/", (), 80), 0).action is (
        Action.PASSTHROUGH
    )
    (folder / "a.yaml").write_text(RULE % 204)
    await live.reload()
    (folder / "a.yaml").unlink()
    folder.rmdir()
    assert "is gone" in await live.reload()
    assert status(live) == 204


async def test_refused_at_start_raises_and_takes_nothing(live: LiveRules, tmp_path: Path) -> None:
    with pytest.raises(RulesRefused, match="nowhere"):
        live.load(settings(tmp_path / "nowhere"))
    assert live.table is None


async def test_a_default_folder_may_miss_where_a_url_is_mirrored_to(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    live.load(parse_settings({option.name: option.default for option in OPTIONS} | {"mirror_to": ["http://b.test"]}))
    assert live.table
    (mirror,) = live.table.route(Request(b"GET", b"http", b"a.test", b"/", (), 80), 0).mirrors
    assert mirror.endpoint and mirror.endpoint.address == "b.test"


async def test_references_are_warnings_in_the_log_and_many_are_counted(
    live: LiveRules, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    route = "  - {match: [{uri: {exact: /%d}}], route: [{destination: {host: nobody%d}}]}\n"
    text = RULE % 201
    text = text[: text.index("  http:")] + "  http:\n" + "".join(route % (n, n) for n in range(SHOWN + 5))
    (tmp_path / "a.yaml").write_text(text)
    live.load(settings(tmp_path))
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert " error " not in caplog.text
    assert sum("IST0101" in record.message for record in caplog.records) == SHOWN
    assert "and 5 more" in caplog.text


async def test_the_watch_reloads(tmp_path: Path) -> None:
    live = LiveRules(b"192.0.2.1")
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    live.watch()
    (tmp_path / "a.yaml").write_text(RULE % 202)  # the watch is not yet on
    async with asyncio.timeout(20):
        while status(live) == 201:
            await asyncio.sleep(0.01)
    assert status(live) == 202
    (tmp_path / "a.yaml").write_text(RULE % 203)
    async with asyncio.timeout(20):
        while status(live) == 202:
            await asyncio.sleep(0.01)
    assert status(live) == 203
    live.stop()


async def test_what_was_read_is_not_read_again_when_the_watch_begins(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("mirror_addon.live_rules.WATCH_IS_ON", 0.0)
    looked = asyncio.Event()

    def look(paths: list[Path]) -> dict[str, tuple[int, int, int]]:
        loop.call_soon_threadsafe(looked.set)
        return state_of(paths)

    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    loop = asyncio.get_running_loop()
    monkeypatch.setattr("mirror_addon.live_rules.state_of", look)
    live.watch()
    await asyncio.wait_for(looked.wait(), 20)
    await asyncio.sleep(0.05)
    assert "reloaded" not in caplog.text
    live.stop()


async def test_old_tables_do_not_pile_up(live: LiveRules, tmp_path: Path) -> None:
    """Whatever still remembers a request that met one, as a view does of every flow."""
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    passages = []
    for _ in range(10):
        assert live.table
        request = Request(b"GET", b"http", b"a.test", b"/", (), 80)
        passages.append(Passage(live.table, request, 0, live.table.route(request, 0)))
        await live.reload()
    assert [passage.table is not None for passage in passages] == [False] * 7 + [True] * 3


async def test_a_table_that_is_not_kept_ends_off_the_loop(live: LiveRules, tmp_path: Path) -> None:
    """In steps: a large one would hold up all requests."""
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    assert live.table
    ended_in: list[threading.Thread] = []
    weakref.finalize(live.table.pieces()[0].route.http, lambda: ended_in.append(threading.current_thread()))
    for _ in range(KEPT - 1):
        await live.reload()
    assert ended_in == []
    await live.reload()
    assert len(ended_in) == 1 and ended_in[0] is not threading.main_thread()


def large(status: int) -> str:
    """Rules that are worth a process."""
    text = RULE % status
    return text + "# what makes a file large\n" * (LARGE // 20)


async def test_large_rules_are_read_by_another_process(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    monkeypatch.setattr("mirror_addon.live_rules.load_rule_set", None)  # nobody here is to read them
    (tmp_path / "a.yaml").write_text(large(202))
    assert await live.reload() == "reloaded 1 resources"
    assert status(live) == 202
    (tmp_path / "a.yaml").write_text(large(203) + "---\nkind: [")
    assert "stay in force" in await live.reload()
    assert status(live) == 202 and "a.yaml:" in live.problem
    assert "warning" not in caplog.text.lower()


async def test_without_that_process_they_are_read_here(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    (tmp_path / "a.yaml").write_text(large(202))
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert await live.reload() == "reloaded 1 resources"
    assert status(live) == 202
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "reads the rules itself" in warning.message and "No such file" in warning.message


async def test_options_that_change_while_they_are_read_win(live: LiveRules, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(large(201))
    (tmp_path / "b.yaml").write_text(RULE % 204)
    live.load(settings(tmp_path / "a.yaml"))
    reload = asyncio.create_task(live.reload())
    await asyncio.sleep(0)
    live.load(settings(tmp_path / "b.yaml"))
    assert "the options changed" in await reload
    assert status(live) == 204


async def test_the_end_waits_for_no_reading(live: LiveRules, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(large(201))
    live.load(settings(tmp_path))
    reload = asyncio.create_task(live.reload())
    async with asyncio.timeout(30):
        while live._compiler._process is None:
            await asyncio.sleep(0.001)
    live.close()
    assert "the proxy ends" in await reload
    assert status(live) == 201
