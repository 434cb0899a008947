"""When the rules' files change: watchfiles, made to survive editors, vanishing folders and ConfigMap swaps."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from watchfiles import awatch

logger = logging.getLogger(__name__)

# How long watchfiles gathers events at most, and how long it waits for silence (milliseconds): one save of an editor is
# several events, and a change must be in force within two seconds. Its threads ask for the interpreter's lock at every
# step, which a busy proxy feels: with steps of 50 ms it took some percent longer for each request.
DEBOUNCE = 800
STEP = 400

IS_ON = 0.5
"""Seconds after which a watch is on, on the busiest machine."""


def _folders(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if os.path.isdir(path)]


def _parents(paths: Iterable[Path]) -> list[Path]:
    return sorted({path.parent for path in paths if os.path.isdir(path.parent)})


class _Watch:
    """Two watches: into the folders, and beside every path, where a file or folder is renamed over, removed or made.

    The second is not recursive: the parent of a rules file may be somebody's home.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = [Path(os.path.abspath(path)) for path in paths]
        self.changed = asyncio.Event()
        self._inside: asyncio.Task[None] | None = None
        self._beside: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._watch_inside()
        if parents := _parents(self.paths):
            self._beside = asyncio.create_task(self._run_beside(parents))

    def _watch_inside(self) -> None:
        if self._inside:
            self._inside.cancel()
        self._inside = None
        if folders := _folders(self.paths):
            self._inside = asyncio.create_task(self._run_inside(folders))

    async def _run_inside(self, folders: Sequence[Path]) -> None:
        async for _ in awatch(*folders, watch_filter=None, debounce=DEBOUNCE, step=STEP):
            self.changed.set()

    async def _run_beside(self, parents: Sequence[Path]) -> None:
        names = {str(path) for path in self.paths}
        async for changes in awatch(*parents, watch_filter=None, recursive=False, debounce=DEBOUNCE, step=STEP):
            if any(path in names for _, path in changes):
                # The folder may be another one of the same name now: watch that one.
                self._watch_inside()
                self.changed.set()

    async def stop(self) -> None:
        tasks = [task for task in (self._inside, self._beside) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def changes(paths: Sequence[Path]) -> AsyncIterator[None]:
    """Yields within a second of every change at or below `paths`, once for changes that come together.

    A path may be missing: it counts as changed when it appears, if its parent is there. Ends with the generator.
    """
    watch = _Watch(paths)
    watch.start()
    try:
        while True:
            await watch.changed.wait()
            watch.changed.clear()
            yield
    finally:
        await watch.stop()


async def reload_on_change(
    name: str, paths: Sequence[Path], reload: Callable[[], Awaitable[None]], look: Callable[[], Awaitable[None]]
) -> None:
    """`reload` at every change at or below `paths`, until this is cancelled; where that cannot be watched, the log says
    so, and calls them `name`. Once, when the watch is on, `look` for a change that it missed."""

    async def look_for_missed() -> None:
        await asyncio.sleep(IS_ON)
        await look()

    missed = asyncio.create_task(look_for_missed())
    try:
        async for _ in changes(paths):
            await reload()
    except OSError as error:
        logger.warning("mirror: cannot watch %s (%s); use the command mirror.reload", name, error)
    finally:
        missed.cancel()
