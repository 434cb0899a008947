"""Real folders, real events."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mirror_addon.rules import watcher
from mirror_addon.rules.watcher import changes


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "STEP", 50)
    monkeypatch.setattr(watcher, "DEBOUNCE", 400)


class Changes:
    def __init__(self, *paths: Path) -> None:
        self.generator: AsyncIterator[None] = changes(paths)
        self.next = asyncio.ensure_future(anext(self.generator))  # type: ignore[arg-type]

    async def ready(self, probe: Path) -> None:
        """Until the watch is on: touches `probe` again and again until that is seen, and all is quiet."""
        for _ in range(100):
            probe.touch()
            if await self.seen(0.3):
                break
        while await self.seen(0.8):
            pass

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text("a: 1\n")
    return folder


async def test_written_in_place_renamed_over_removed(folder: Path) -> None:
    watch = Changes(folder)
    await watch.ready(folder / "a.yaml")
    (folder / "a.yaml").write_text("a: 2\n")
    assert await watch.seen()
    (folder / ".a.yaml.swp").write_text("a: 3\n")
    os.replace(folder / ".a.yaml.swp", folder / "a.yaml")
    assert await watch.seen()
    (folder / "a.yaml").unlink()
    assert await watch.seen()
    await watch.close()


async def test_single_file_renamed_over(folder: Path) -> None:
    watch = Changes(folder / "a.yaml")
    await watch.ready(folder / "a.yaml")
    (folder / "other.yaml").write_text("b: 1\n")
    assert not await watch.seen(0.8)
    (folder / "new").write_text("a: 3\n")
    os.replace(folder / "new", folder / "a.yaml")
    assert await watch.seen()
    await watch.close()


async def test_configmap_swap(tmp_path: Path) -> None:
    """Kubernetes mounts a ConfigMap as links through `..data`, and swaps that link."""
    folder = tmp_path / "rules"
    for version in ("..1", "..2"):
        (folder / version).mkdir(parents=True)
        (folder / version / "a.yaml").write_text(f"a: {version}\n")
    (folder / "..data").symlink_to("..1")
    (folder / "a.yaml").symlink_to("..data/a.yaml")
    watch = Changes(folder)
    await watch.ready(folder / "probe")
    (folder / "..tmp").symlink_to("..2")
    os.replace(folder / "..tmp", folder / "..data")
    assert await watch.seen()
    await watch.close()


async def test_folder_vanishes_and_comes_back(folder: Path) -> None:
    watch = Changes(folder)
    await watch.ready(folder / "a.yaml")
    shutil.rmtree(folder)
    assert await watch.seen()
    folder.mkdir()
    assert await watch.seen()
    while await watch.seen(0.8):
        pass
    (folder / "b.yaml").write_text("b: 1\n")
    assert await watch.seen()
    await watch.close()


async def test_linked_folder_swapped(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(version)
    link = tmp_path / "rules"
    link.symlink_to("one")
    watch = Changes(link)
    await watch.ready(tmp_path / "one" / "a.yaml")
    (tmp_path / "tmp").symlink_to("two")
    os.replace(tmp_path / "tmp", link)
    assert await watch.seen()
    while await watch.seen(0.8):
        pass
    (tmp_path / "two" / "a.yaml").write_text("2")
    assert await watch.seen()
    await watch.close()
