"""Real folders, looked at by real threads."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import shutil
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror_addon.rules import watcher
from mirror_addon.rules.watcher import FileWatch
from mirror_addon.rules.watcher import changes


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "PAUSE", 0.02)
    monkeypatch.setattr(watcher, "SETTLED", 0.01)
    monkeypatch.setattr(watcher, "RETRY", 0.02)
    monkeypatch.setattr(watcher, "LONGEST_RETRY", 0.05)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


class Changes:
    """Takes what `changes` yields, so that a test can ask whether there was something."""

    def __init__(self, *paths: Path) -> None:
        self.generator: AsyncIterator[None] = changes(paths)
        self.next = asyncio.ensure_future(anext(self.generator))  # type: ignore[arg-type]

    async def seen(self, timeout: float = 30) -> bool:
        done, _ = await asyncio.wait([self.next], timeout=timeout)
        if done:
            self.next.result()
            self.next = asyncio.ensure_future(anext(self.generator))  # type: ignore[arg-type]
        return bool(done)

    async def close(self) -> None:
        self.next.cancel()
        await asyncio.gather(self.next, return_exceptions=True)
        await self.generator.aclose()  # type: ignore[attr-defined]


async def watched(looks: list[int], *paths: Path) -> Changes:
    """A watch that has looked once."""
    found = Changes(*paths)
    await until(lambda: looks)
    return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often was looked."""
    count: list[int] = []

    def look(paths: tuple[Path, ...]) -> object:
        found = original(paths)
        count.append(1)
        return found

    original = watcher.state_of
    monkeypatch.setattr(watcher, "state_of", look)
    return count


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text("a: 1\n")
    return folder


async def test_written_in_place_renamed_over_removed(folder: Path, looks: list[int]) -> None:
    watch = await watched(looks, folder)
    (folder / "a.yaml").write_text("a: 22\n")
    assert await watch.seen()
    (folder / ".a.yaml.swp").write_text("a: 3\n")
    os.replace(folder / ".a.yaml.swp", folder / "a.yaml")
    assert await watch.seen()
    (folder / "a.yaml").unlink()
    assert await watch.seen()
    await watch.close()


async def test_nothing_else_is_a_change(folder: Path, looks: list[int]) -> None:
    watch = await watched(looks, folder)
    (folder / "notes.txt").write_text("a")
    (folder / ".a.yaml.swp").write_text("a")
    (folder / ".git").mkdir()
    (folder / ".git" / "b.yaml").write_text("a")
    looks.clear()
    await until(lambda: len(looks) > 3)
    assert not await watch.seen(0)
    await watch.close()


async def test_single_file_renamed_over(folder: Path, looks: list[int]) -> None:
    watch = await watched(looks, folder / "a.yaml")
    (folder / "other.yaml").write_text("b: 1\n")
    looks.clear()
    await until(lambda: len(looks) > 3)
    assert not await watch.seen(0)
    (folder / "new").write_text("a: 3\n")
    os.replace(folder / "new", folder / "a.yaml")
    assert await watch.seen()
    await watch.close()


async def test_a_copy_with_its_time(folder: Path, looks: list[int]) -> None:
    """Of the same size: only the inode's time tells."""
    file = folder / "a.yaml"
    watch = await watched(looks, folder)
    status = file.stat()
    file.write_text("a: 2\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert await watch.seen()
    await watch.close()


async def test_only_content_counts(folder: Path, looks: list[int]) -> None:
    """Touched, given other permissions, saved again, made again: the rules are the same."""
    file = folder / "a.yaml"
    text = file.read_text()
    watch = await watched(looks, folder)
    await until(lambda: len(looks) > 3)  # the watch has seen the folder as it is
    for change in (
        lambda: os.utime(file),
        lambda: file.chmod(0o600),
        lambda: file.write_text(text),
        lambda: (folder / "b").write_text(text) and os.replace(folder / "b", file),
    ):
        change()
        await look_again(looks)
        assert not watch.next.done()
    file.write_text(text + "# another\n")
    assert await watch.seen()
    await watch.close()


async def look_again(looks: list[int]) -> None:
    before = len(looks)
    await until(lambda: len(looks) > before + 3)


async def test_logs_and_editors_files_beside_the_rules(folder: Path, looks: list[int]) -> None:
    watch = await watched(looks, folder)
    await until(lambda: len(looks) > 3)
    for number in range(5):
        for name in ("app.log", "pairs.jsonl", ".a.yaml.swp", "a.yaml~", "#a.yaml#", "4913", ".#a.yaml", "a.yaml.tmp"):
            with (folder / name).open("a") as file:
                file.write(f"line {number}\n")
        await look_again(looks)
    assert not watch.next.done()
    await watch.close()


async def test_an_edit_while_the_content_is_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state was that before the edit, the content is that after it: the next look must find a change."""
    file, original = folder / "a.yaml", watcher.content_of

    def edited(paths: tuple[Path, ...]) -> bytes:
        file.write_text("a: 2 # longer\n")
        return original(paths)

    monkeypatch.setattr(watcher, "content_of", edited)
    watch = FileWatch("the rules", [folder])
    watch.note()
    monkeypatch.setattr(watcher, "content_of", original)
    assert watch.content is None
    async with asyncio.timeout(30):
        await watch.changed()
    assert watch.content == original([folder])


async def test_content_that_cannot_be_read_at_present(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file, original = folder / "a.yaml", watcher.content_of
    failed: list[int] = []

    def unreadable(paths: tuple[Path, ...]) -> bytes:
        failed.append(1)
        if len(failed) < 3:
            raise OSError(24, "Too many open files")
        return original(paths)

    watch = FileWatch("the rules", [folder])
    watch.note()
    monkeypatch.setattr(watcher, "content_of", unreadable)
    file.write_text("a: 3\n")
    async with asyncio.timeout(30):
        await watch.changed()
    assert len(failed) == 3
    assert caplog.text.count("Too many open files") == 1


async def test_configmap_swap(tmp_path: Path, looks: list[int]) -> None:
    """Kubernetes mounts a ConfigMap as links through `..data`, and swaps that link."""
    folder = tmp_path / "rules"
    for version in ("..1", "..2"):
        (folder / version).mkdir(parents=True)
        (folder / version / "a.yaml").write_text(f"a: {version}\n")
    (folder / "..data").symlink_to("..1")
    (folder / "a.yaml").symlink_to("..data/a.yaml")
    watch = await watched(looks, folder)
    (folder / "..tmp").symlink_to("..2")
    os.replace(folder / "..tmp", folder / "..data")
    assert await watch.seen()
    await watch.close()


@pytest.mark.parametrize("empty", [False, True])
async def test_folder_vanishes_and_comes_back(folder: Path, looks: list[int], empty: bool) -> None:
    if empty:
        (folder / "a.yaml").unlink()
    watch = await watched(looks, folder)
    shutil.rmtree(folder)
    assert await watch.seen()
    folder.mkdir()
    assert await watch.seen()
    (folder / "b.yaml").write_text("b: 1\n")
    assert await watch.seen()
    await watch.close()


async def test_linked_folder_swapped(tmp_path: Path, looks: list[int]) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(version)
    link = tmp_path / "rules"
    link.symlink_to("one")
    watch = await watched(looks, link)
    (tmp_path / "tmp").symlink_to("two")
    os.replace(tmp_path / "tmp", link)
    assert await watch.seen()
    (tmp_path / "two" / "a.yaml").write_text("2")
    assert await watch.seen()
    await watch.close()


async def test_changes_that_come_together_are_one(
    folder: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SETTLED", 0.2)
    watch = FileWatch("the rules", [folder])
    watch.state = watch.look()
    reloads: list[int] = []

    async def reload() -> None:
        reloads.append(len(list(folder.iterdir())))

    watch.start(reload)
    for number in range(3):
        (folder / f"{number}.yaml").write_text("a: 1\n")
        looks.clear()
        await until(lambda: looks)
    await until(lambda: reloads)
    watch.stop()
    assert reloads == [4]


async def test_files_that_never_settle_are_read_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = FileWatch("the rules", [folder])
    watch.state = watch.look()
    number = 0

    def look(paths: tuple[Path, ...]) -> dict[str, tuple[int, ...]]:
        nonlocal number
        number += 1
        return {"a.yaml": (number,)}

    monkeypatch.setattr(watcher, "state_of", look)
    await asyncio.wait_for(watch.changed(), 30)
    assert number == watcher.MOST_CHANGES + 1


async def test_many_files_are_looked_at_less_often(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "LOOKING", 1e-9)
    watch = FileWatch("the rules", [folder])
    watch.state = await watch._look()
    assert watch._pause > 1
    monkeypatch.setattr(watcher, "LOOKING", 1e9)
    await watch._look()
    assert watch._pause == watcher.PAUSE


async def test_a_watch_that_is_stopped_and_started_again(folder: Path) -> None:
    reloads: list[int] = []

    async def reload() -> None:
        reloads.append(1)

    watch = FileWatch("the rules", [folder])
    assert not watch.running
    watch.start(reload)
    watch.start(reload)
    await until(lambda: reloads)
    assert watch.running and reloads == [1], "what was never read is read once"
    watch.stop()
    watch.stop()
    assert not watch.running


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[], None]]:
    """Gives a function that uses up all descriptors, and gives them back at the end or when called again."""
    taken: list[int] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def switch() -> None:
        if taken:
            while taken:
                os.close(taken.pop())
            return
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break

    yield switch
    if taken:
        switch()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_descriptors_the_watch_goes_on(
    folder: Path, looks: list[int], few_descriptors: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reloads: list[str] = []

    async def reload() -> None:
        reloads.append((folder / "a.yaml").read_text())

    watch = FileWatch("the rules", [folder])
    watch.state = watch.look()
    few_descriptors()
    watch.start(reload)
    await until(lambda: caplog.records)
    await asyncio.sleep(10 * watcher.PAUSE)
    assert [record.getMessage() for record in caplog.records] == [
        "mirror: cannot look for changes of the rules: Too many open files; a change is noticed when this works again"
    ], "it is logged once"
    few_descriptors()
    await until(lambda: len(caplog.records) == 2)
    assert caplog.records[1].getMessage() == "mirror: looking for changes of the rules works again"
    assert reloads == [], "nothing has changed"
    (folder / "a.yaml").write_text("a: 2\n")
    await until(lambda: reloads)
    watch.stop()
    assert reloads == ["a: 2\n"]


async def test_descriptors_that_are_used_up_between_two_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While files settle: the state seen before is the one that counts."""
    watch = FileWatch("the rules", [folder])
    states: list[dict[str, tuple[int, ...]] | OSError] = [{"a": (2,)}, OSError(24, "Too many open files")]

    def look(paths: tuple[Path, ...]) -> dict[str, tuple[int, ...]]:
        state = states.pop(0)
        if isinstance(state, OSError):
            raise state
        return state

    monkeypatch.setattr(watcher, "state_of", look)
    watch.state = {"a": (1,)}
    await asyncio.wait_for(watch.changed(), 30)
    assert watch.state == {"a": (2,)} and states == []


async def test_a_reload_that_fails_is_tried_again_and_logged_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    attempts: list[str] = []
    failures = [LookupError("one"), LookupError("one"), ValueError("two"), LookupError("one")]

    async def reload() -> None:
        attempts.append((folder / "a.yaml").read_text())
        if failures:
            raise failures.pop(0)

    watch = FileWatch("the rules", [folder])
    watch.state = watch.look()
    watch.start(reload)
    (folder / "a.yaml").write_text("a: 22\n")
    await until(lambda: len(attempts) == 5)
    await until(lambda: len(caplog.records) == 3)
    assert [record.getMessage() for record in caplog.records] == [
        "mirror: cannot reload the rules: LookupError: one; it is tried again",
        "mirror: cannot reload the rules: ValueError: two; it is tried again",
        "mirror: reloading the rules works again",
    ]
    assert caplog.records[0].exc_info
    (folder / "a.yaml").write_text("a: 333\n")
    await until(lambda: len(attempts) == 6)
    watch.stop()
    assert attempts == ["a: 22\n"] * 5 + ["a: 333\n"]


async def test_a_change_does_not_wait_for_the_next_attempt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "RETRY", 3600.0)
    attempts: list[int] = []

    async def reload() -> None:
        attempts.append(1)
        raise LookupError

    watch = FileWatch("the rules", [folder])
    watch.start(reload)
    await until(lambda: attempts)
    (folder / "a.yaml").write_text("a: 22\n")
    await until(lambda: len(attempts) == 2)
    watch.stop()
