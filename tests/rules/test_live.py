from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livetools.children import at_work
from livetools.children import children
from livetools.children import compilers
from livetools.children import many_routes

from mirror_addon.flows.exchange import Exchange
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.rules import live as live_rules
from mirror_addon.rules.files import state_of
from mirror_addon.rules.live import KEPT
from mirror_addon.rules.live import LARGE
from mirror_addon.rules.live import SHOWN
from mirror_addon.rules.live import LiveRules
from mirror_addon.rules.live import RulesRefused

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


@pytest.fixture(autouse=True)
def nothing_stays_exempt() -> Iterator[None]:
    yield
    gc.unfreeze()


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
    monkeypatch.setattr("mirror_addon.rules.watcher.IS_ON", 0.0)
    looked = asyncio.Event()

    def look(paths: list[Path]) -> dict[str, tuple[int, int, int]]:
        loop.call_soon_threadsafe(looked.set)
        return state_of(paths)

    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    loop = asyncio.get_running_loop()
    monkeypatch.setattr("mirror_addon.rules.live.state_of", look)
    live.watch()
    await asyncio.wait_for(looked.wait(), 20)
    await asyncio.sleep(0.05)
    assert "reloaded" not in caplog.text
    live.stop()


async def test_old_tables_do_not_pile_up(live: LiveRules, tmp_path: Path) -> None:
    """Whatever still remembers a request that met one, as a view does of every flow."""
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    exchanges = []
    for _ in range(10):
        assert live.table
        request = Request(b"GET", b"http", b"a.test", b"/", (), 80)
        exchanges.append(Exchange(live.table, request, 0, live.table.route(request, 0)))
        await live.reload()
    assert [exchange.table is not None for exchange in exchanges] == [False] * 7 + [True] * 3


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


def large(folder: Path, code: int, more: int = 300) -> None:
    """RULE, and so many others that a process reads them."""
    text = RULE % code + "---\n" + many_routes(more)
    assert len(text) > LARGE
    (folder / "a.yaml").write_text(text)


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What was read in this process."""
    read: list[Settings] = []

    def load(given: Settings, *arguments: Any, **options: Any) -> Any:
        read.append(given)
        return original(given, *arguments, **options)

    original = live_rules.load_rule_set
    monkeypatch.setattr(live_rules, "load_rule_set", load)
    return read


async def until_at_work() -> int:
    async with asyncio.timeout(30):
        while not any(map(at_work, found := compilers())):
            await asyncio.sleep(0.002)
    (pid,) = found
    return pid


async def test_a_large_set_is_read_elsewhere(
    live: LiveRules, tmp_path: Path, read_here: list[Settings], caplog: pytest.LogCaptureFixture
) -> None:
    before = children()
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    large(tmp_path, 202)
    read_here.clear()
    assert await live.reload() == "reloaded 2 resources"
    assert (status(live), live.problem, read_here) == (202, "", [])
    (tmp_path / "a.yaml").write_text(RULE % 203)
    assert await live.reload() == "reloaded 1 resources"
    assert status(live) == 203 and len(read_here) == 1
    assert children() <= before
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


async def test_a_large_set_that_is_broken_leaves_the_old_one(
    live: LiveRules, tmp_path: Path, read_here: list[Settings]
) -> None:
    large(tmp_path, 201)
    live.load(settings(tmp_path))
    read_here.clear()
    large(tmp_path, 202)
    with (tmp_path / "a.yaml").open("a") as file:
        file.write("---\nkind: [\n")
    assert "stay in force" in await live.reload()
    assert "a.yaml:" in live.problem and status(live) == 201 and read_here == []


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


async def test_without_the_process_the_rules_are_read_here(
    live: LiveRules,
    tmp_path: Path,
    read_here: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    large(tmp_path, 201)
    live.load(settings(tmp_path))
    large(tmp_path, 202)
    read_here.clear()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(tmp_path / "python"))
        assert await live.reload() == "reloaded 2 resources"
    assert status(live) == 202 and len(read_here) == 1
    (warning,) = warnings(caplog)
    assert "the proxy reads the rules itself" in warning and "cannot be started: No such file" in warning
    large(tmp_path, 203)
    await live.reload()
    assert status(live) == 203 and len(read_here) == 1 and len(warnings(caplog)) == 1


async def test_a_killed_process_is_not_missed(
    live: LiveRules, tmp_path: Path, read_here: list[Settings], caplog: pytest.LogCaptureFixture
) -> None:
    large(tmp_path, 201, 3000)
    live.load(settings(tmp_path))
    read_here.clear()
    large(tmp_path, 202, 3000)
    reload = asyncio.ensure_future(live.reload())
    os.kill(await until_at_work(), signal.SIGKILL)
    assert await reload == "reloaded 2 resources"
    assert status(live) == 202 and len(read_here) == 1
    (warning,) = warnings(caplog)
    assert "signal 9" in warning


async def test_what_the_process_says_and_nobody_can_read_is_not_missed(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Something that an installation lets every process print, say."""
    large(tmp_path, 201)
    live.load(settings(tmp_path))
    large(tmp_path, 202)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "sitecustomize.py").write_text("print('hello')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    assert await live.reload() == "reloaded 2 resources"
    assert status(live) == 202
    (warning,) = warnings(caplog)
    assert "the proxy reads the rules itself" in warning


@pytest.mark.parametrize("by", ["the watch", "a command"])
async def test_the_end_during_a_reload(by: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = children()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    live = LiveRules(b"192.0.2.1")
    large(tmp_path, 201, 3000)
    live.load(settings(tmp_path))
    if by == "the watch":
        live.watch()
        async with asyncio.timeout(30):
            while not compilers():  # the watch is not yet on when the task is made
                (tmp_path / "new").touch()
                await asyncio.sleep(0.3)
    else:
        task = asyncio.ensure_future(live.reload())
    await until_at_work()
    live.close()
    async with asyncio.timeout(30):
        while not children() <= before:
            await asyncio.sleep(0.01)
    if by == "a command":
        assert await task == "the mirror ended before the rules were read"
    await asyncio.get_running_loop().shutdown_default_executor()
    await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == [] and warnings(caplog) == []
    assert status(live) == 201


async def test_options_that_change_meanwhile_win(live: LiveRules, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    large(tmp_path / "one", 201, 3000)
    large(tmp_path / "two", 202)
    live.load(settings(tmp_path / "one"))
    reload = asyncio.ensure_future(live.reload())
    await until_at_work()
    live.load(settings(tmp_path / "two"))
    assert status(live) == 202
    assert "options changed meanwhile" in await reload
    assert status(live) == 202


@pytest.mark.parametrize("name", ["~nobody-of-this-name/rules", "a" * 300, "/dev/null/rules"])
async def test_a_path_that_cannot_be_looked_at_any_more_leaves_the_rules_in_force(
    live: LiveRules, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    with pytest.raises(RulesRefused, match="cannot be read"):
        live.load(settings(Path(name)))
    live.load(settings(tmp_path))
    live._settings = settings(tmp_path, Path(name))
    assert "gone" in await live.reload()
    assert status(live) == 201
