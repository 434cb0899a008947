from __future__ import annotations

import asyncio
import gc
import logging
import resource
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.flows.exchange import Exchange
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.rules import live as live_rules
from mirror_addon.rules import watcher
from mirror_addon.rules.files import State
from mirror_addon.rules.files import state_of
from mirror_addon.rules.live import KEPT
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


async def test_without_strict_the_others_are_in_force_and_the_log_names_what_is_left_out(
    live: LiveRules, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.yaml"
    broken = RULE.replace("name: a", "name: broken").replace("a.test", "a_test") % 500
    file.write_text(f"{RULE % 201}---\n{broken}")
    with pytest.raises(RulesRefused, match=r"a_test.*; mirror_strict=false leaves out what Istio would refuse"):
        live.load(settings(tmp_path))
    caplog.clear()
    live.load(settings(tmp_path, strict=False))
    assert status(live) == 201
    assert f"VirtualService default/broken ({file}:10)" in live.problem
    assert {record.levelname for record in caplog.records} == {"WARNING"}, "an error would end the start"
    assert "left out, because Istio would refuse it (mirror_strict=false): VirtualService default/broken" in caplog.text
    file.write_text(f"{RULE % 202}---\nkind: [")
    assert await live.reload() == "reloaded 1 resources"
    assert (status(live), f"{file}:10" in live.problem) == (202, True)
    file.write_text(RULE % 203)
    await live.reload()
    assert (status(live), live.problem) == (203, "")


async def test_many_that_are_left_out_are_counted(live: LiveRules, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("---\n".join("a: *b\n" for _ in range(SHOWN + 1)))
    live.load(settings(tmp_path, strict=False))
    assert live.problem.count("a.yaml:") == SHOWN
    assert live.problem.endswith(", ...")
    with pytest.raises(RulesRefused, match="nowhere") as refused:
        live.load(settings(tmp_path / "nowhere", strict=False))
    assert "mirror_strict" not in str(refused.value)


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


async def test_many_rules_that_mirror_are_counted(
    live: LiveRules, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    route = "  - {match: [{uri: {exact: /%d}}], route: [{destination: {host: b}}], mirror: {host: c}}\n"
    head, _, _ = RULE.partition("  http:")
    (tmp_path / "a.yaml").write_text(head + "  http:\n" + "".join(route % n for n in range(SHOWN + 5)))
    live.load(settings(tmp_path))
    assert caplog.text.count("; mirrored to c ") == SHOWN
    assert "mirror: and 5 more rules that mirror; see mirror.rules" in caplog.text
    assert "unsafe methods are mirrored too, to c, where they take effect a second time" in caplog.text


@pytest.mark.parametrize(
    ("options", "effect"),
    [
        ({}, "where they take effect a second time. mirror_methods=safe"),
        ({"twin": True}, "which must be its own: mirror_twin gives its ids to later shadows"),
        ({"sandbox": ["8089"]}, "are not made a second time where they come in at a port of mirror_sandbox (8089)"),
        ({"sandbox": ["8089"], "twin": True}, "at a port of mirror_sandbox (8089), and are made where the mirror"),
    ],
)
async def test_what_becomes_of_writes(
    live: LiveRules, tmp_path: Path, caplog: pytest.LogCaptureFixture, options: dict[str, object], effect: str
) -> None:
    caplog.set_level(logging.INFO)
    head, _, _ = RULE.partition("  http:")
    (tmp_path / "a.yaml").write_text(head + "  http:\n  - {route: [{destination: {host: b}}], mirror: {host: c}}\n")
    live.load(settings(tmp_path, **options))
    assert effect in caplog.text
    assert ("effect a second time" in caplog.text) is not bool(options)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_watch_reloads(live: LiveRules, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    (tmp_path / "a.yaml").write_text(RULE % 202)  # changed before it is watched
    live.watch()
    await until(lambda: status(live) == 202)
    (tmp_path / "a.yaml").write_text(RULE % 203)
    await until(lambda: status(live) == 203)
    live.stop()


async def test_what_was_read_is_not_read_again_when_the_watch_begins(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor after a reload by command."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(watcher, "PAUSE", 0.01)
    looks: list[int] = []

    def look(paths: tuple[Path, ...]) -> State:
        found = state_of(paths)
        looks.append(1)
        return found

    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    monkeypatch.setattr(watcher, "state_of", look)
    live.watch()
    await until(lambda: len(looks) > 3)
    assert "reloaded" not in caplog.text
    (tmp_path / "a.yaml").write_text(RULE % 202)
    await live.reload()
    looks.clear()
    await until(lambda: len(looks) > 10)  # the watch may have noticed the change before the command
    reloaded = live.table
    await until(lambda: len(looks) > 20)
    assert live.table is reloaded and status(live) == 202
    live.stop()


async def test_other_options_are_watched_instead(live: LiveRules, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path / "one"))
    live.watch()
    live.load(settings(tmp_path / "one", methods="safe"))
    live.load(settings(tmp_path / "two"))
    (tmp_path / "one" / "a.yaml").write_text(RULE % 202)
    (tmp_path / "two" / "a.yaml").write_text(RULE % 203)
    await until(lambda: status(live) != 201)
    assert status(live) == 203
    live.stop()


async def test_without_options_there_is_nothing_to_read(live: LiveRules) -> None:
    assert await live.reload() == "there are no rules to reload"


async def test_followers_get_every_table(live: LiveRules, tmp_path: Path) -> None:
    early: list[object] = []
    late: list[object] = []
    live.follow(early.append)
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    live.follow(late.append)
    first = live.table
    await live.reload()
    assert early == late == [first, live.table] and first is not live.table


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


async def test_a_table_that_is_not_kept_is_freed_off_the_loop(live: LiveRules, tmp_path: Path) -> None:
    """Entry by entry: a large one would stop the loop."""
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    assert live.table
    ended_in: list[threading.Thread] = []
    route = live.table.virtual_hosts[0].services[0].entries[0].route
    weakref.finalize(route.http, lambda: ended_in.append(threading.current_thread()))
    del route
    for code in range(202, 201 + KEPT):
        (tmp_path / "a.yaml").write_text(RULE % code)
        await live.reload()
    assert ended_in == []
    (tmp_path / "a.yaml").write_text(RULE % 299)
    await live.reload()
    assert len(ended_in) == 1 and ended_in[0] is not threading.main_thread()


def many(folder: Path, code: int, more: int) -> None:
    """RULE, and so many others."""
    head, _, _ = RULE.partition("  http:")
    others = "".join(
        f"  - {{match: [{{uri: {{prefix: /{n}}}}}], directResponse: {{status: 299}}}}\n" for n in range(more)
    )
    (folder / "a.yaml").write_text(head + "  http:\n" + others + f"  - directResponse: {{status: {code}}}\n")


async def test_of_large_sets_only_the_one_in_force_is_kept(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_rules, "MANY_RULES", 10)
    many(tmp_path, 201, 9)
    live.load(settings(tmp_path))
    large = weakref.ref(live.table)
    await live.reload()
    assert large() is None and status(live) == 201
    many(tmp_path, 202, 1)
    await live.reload()
    small = weakref.ref(live.table)
    await live.reload()
    assert small() is not None and status(live) == 202


class Held:
    """Reading the rules in a thread, which waits until `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        original = live_rules.load_rule_set

        def load(*arguments: Any, **options: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                self.begun.set()
                assert self.go_on.wait(30)
            return original(*arguments, **options)

        monkeypatch.setattr(live_rules, "load_rule_set", load)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go_on.set()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("by", ["the watch", "a command"])
async def test_the_end_during_a_reload(
    by: str, live: LiveRules, tmp_path: Path, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    (tmp_path / "a.yaml").write_text(RULE % 202)
    if by == "the watch":
        live.watch()
    else:
        task = asyncio.ensure_future(live.reload())
    await until(held.begun.is_set)
    live.close()
    held.go_on.set()
    if by == "a command":
        assert "not used" in await task
    await asyncio.get_running_loop().shutdown_default_executor()
    await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == [] and warnings(caplog) == []
    assert status(live) == 201 and gc.isenabled()


async def test_options_that_change_meanwhile_win(live: LiveRules, tmp_path: Path, held: Held) -> None:
    for name, code in (("one", 201), ("two", 202)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(RULE % code)
    live.load(settings(tmp_path / "one"))
    reload = asyncio.ensure_future(live.reload())
    await until(held.begun.is_set)
    live.load(settings(tmp_path / "two"))
    assert status(live) == 202
    held.go_on.set()
    assert "options changed meanwhile" in await reload
    assert status(live) == 202


async def test_an_unexpected_error_leaves_the_rules_in_force_and_the_watch_goes_on(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    with monkeypatch.context() as patched:

        def fails(*_: object, **__: object) -> None:
            raise LookupError("a bug")

        patched.setattr(live_rules, "load_rule_set", fails)
        with pytest.raises(LookupError):
            await live.reload()
        assert live.problem == "the rules cannot be read: a bug; the rules read before stay in force"
        live.watch()
        (tmp_path / "a.yaml").write_text(RULE % 202)
        await until(lambda: warnings(caplog))
        assert status(live) == 201
    await until(lambda: status(live) == 202)
    assert live.problem == ""
    assert warnings(caplog) == ["mirror: cannot reload the rules: LookupError: a bug; it is tried again"]
    live.stop()


NO_DESCRIPTORS = """
import asyncio, logging, os, resource, sys
from pathlib import Path
from mirror_addon.options.settings import OPTIONS, parse_settings
from mirror_addon.rules.live import LiveRules

lines = []

class Log(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())

logging.basicConfig(level=logging.INFO, handlers=[Log()])

async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)

async def main(file):
    live = LiveRules(b"192.0.2.1")
    live.load(parse_settings({each.name: each.default for each in OPTIONS} | {"mirror_rules": [str(file.parent)]}))
    before = live.table
    text = file.read_bytes().replace(b"201", b"202")
    writable = os.open(file, os.O_WRONLY)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    live.watch()
    await until(lambda: any("Too many open files" in line for line in lines))
    os.write(writable, text)
    assert live.table is before
    for descriptor in taken:
        os.close(descriptor)
    await until(lambda: live.table is not before)
    await until(lambda: any("reloaded" in line for line in lines))
    live.close()

asyncio.run(main(Path(sys.argv[1])))
print(*lines, sep="\\n")
"""


def test_a_watch_that_begins_without_descriptors(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    command = [sys.executable, "-c", NO_DESCRIPTORS, str(tmp_path / "a.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "mirror: cannot look for changes of the rules: Too many open files; a change is noticed when this works again",
        "mirror: looking for changes of the rules works again",
        "mirror: reloaded 1 resources",
    ]


async def test_descriptors_are_used_up_when_the_rules_are_read(live: LiveRules, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(RulesRefused, match="Too many open files"):
            live.load(settings(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert live.table is None
    live.load(settings(tmp_path))
    assert status(live) == 201


async def test_the_loop_goes_on_while_the_rules_are_read(live: LiveRules, tmp_path: Path) -> None:
    """Counted in CPU time of this process: another process may keep the loop waiting."""
    many(tmp_path, 201, 500)
    live.load(settings(tmp_path))
    reload = asyncio.ensure_future(live.reload())
    longest, total, before = 0.0, 0.0, time.process_time()
    while not reload.done():
        await asyncio.sleep(0)
        now = time.process_time()
        longest, total, before = max(longest, now - before), total + now - before, now
    assert await reload == "reloaded 1 resources"
    assert longest < total / 4, (longest, total)


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


async def test_at_once_is_in_force_when_it_returns(live: LiveRules, tmp_path: Path) -> None:
    assert live.reload_at_once() == "there are no rules to reload"
    file = tmp_path / "a.yaml"
    file.write_text(RULE % 201)
    live.load(settings(tmp_path))
    file.write_text(RULE % 202)
    assert live.reload_at_once() == "reloaded 1 resources"
    assert status(live) == 202
    file.write_text("kind: [")
    assert "stay in force" in (live.reload_at_once() or "")
    assert (status(live), bool(live.problem)) == (202, True)
    file.unlink()
    tmp_path.rmdir()
    assert "is gone" in (live.reload_at_once() or "")


async def test_at_once_only_what_is_short(live: LiveRules, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % 201)
    live.load(settings(tmp_path))
    (tmp_path / "b.yaml").write_text("#" * live_rules.READ_AT_ONCE)
    assert live.reload_at_once() is None
    assert await live.reload() == "reloaded 1 resources"


async def test_a_reload_under_way_does_not_replace_what_was_read_at_once(
    live: LiveRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(RULE % 201)
    live.load(settings(tmp_path))
    reading, go_on = threading.Event(), threading.Event()
    original = live_rules.load_rule_set

    def slow(*arguments: Any, **options: Any) -> Any:
        found = original(*arguments, **options)
        if threading.current_thread() is not threading.main_thread():
            reading.set()
            go_on.wait(30)
        return found

    monkeypatch.setattr(live_rules, "load_rule_set", slow)
    under_way = asyncio.ensure_future(live.reload())
    await asyncio.to_thread(reading.wait, 30)
    file.write_text(RULE % 203)
    assert live.reload_at_once() == "reloaded 1 resources"
    go_on.set()
    assert "are not used" in await under_way
    assert status(live) == 203


async def test_endpoints_that_an_edit_takes_away_are_named(
    live: LiveRules, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = RULE.replace("[{directResponse: {status: %d}}]", "[{route: [{destination: {host: b}}], mirror: {host: c}}]")
    file = tmp_path / "a.yaml"
    file.write_text(text)
    live.load(settings(tmp_path, endpoints=["b=127.0.0.1:1", "c=127.0.0.1:2"]))
    assert "since this change" not in caplog.text
    file.write_text(text.replace("host: c", "host: cc"))
    found = await live.reload()
    lost = "since this change, default/a http[0] has no endpoint for its"
    assert found.startswith(f"reloaded 1 resources; {lost} mirror cc")
    assert caplog.text.count("since this change") == 1
    caplog.clear()
    file.write_text(text.replace("host: c", "host: cc") + "\n")
    assert await live.reload() == "reloaded 1 resources"
    assert "since this change" not in caplog.text
    live.load(settings(tmp_path, endpoints=["cc=127.0.0.1:2"]))
    assert f"{lost} route b" in caplog.text
