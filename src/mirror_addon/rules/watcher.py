"""Notice that files have changed, by looking at them again and again.

A thread asks four times a second for the state of all files (`files.state_of`: a few system calls a file). If it is
another state than that of the files which were read last, and stays the same for a moment, their content is compared
with what was read (`files.content_of`), and reported as changed if it differs: a file that is touched, saved again or
checked out again is no reason to read the rules anew.

Why not the kernel's notifications (inotify, as in watchfiles): they need descriptors and watches, of which a machine
has a limited number. They do not exist on network file systems and for folders that another machine or a container
shares. They do not tell what was changed before they were set up, and a watch ends with the folder that it was set up
for, so that a second one is needed beside it. Looking has none of these limits, and reports the same change whichever
way it was made: a write, a rename, a swapped link of a ConfigMap, changed permissions. Three files take 0.1 ms a look,
and 1,000 files 10 ms, for which the pause is then made longer. mitmproxy watches its scripts in this way too.

A watch ends only with its task. Whatever fails meanwhile (no descriptors left, an error of our own in a reload) is
logged once for each kind of problem, and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

from mirror_addon.processes.tasks import start_task
from mirror_addon.rules.files import State
from mirror_addon.rules.files import content_of
from mirror_addon.rules.files import state_of

logger = logging.getLogger(__name__)

PAUSE = 0.25
"""Seconds between two looks: a change is to be in force within two seconds, which includes reading the rules."""
LOOKING = 0.04
"""The most of a core that looking may take: with many files the pauses are longer."""
SETTLED = 0.1
"""Seconds without another change after which files are read: somebody who copies a folder writes one after another."""
MOST_CHANGES = 5
"""Changes after which files are read although they have not settled."""
RETRY = 1.0
LONGEST_RETRY = 60.0
"""Seconds before a reload that failed is tried again although no file has changed; doubled each time."""


class FileWatch:
    """A watch of files and folders.

    `name` says in the log what is watched. A path may be missing: it counts as changed when it appears.
    """

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        self.name = name
        self.paths = tuple(paths)
        self.state: State | None = None
        """The state of the files just before they were read last. None: they must be read."""
        self.content: bytes | None = None
        """A digest of their content then; None where it is not known."""
        self._pause = PAUSE
        self._looking = _Problems()
        self._reading = _Problems()
        self._reloading = _Problems()
        self._task: asyncio.Task[None] | None = None

    def look(self) -> State:
        """The state of the files now. Reads folders; raises OSError as `state_of` does."""
        return state_of(self.paths)

    def note(self) -> None:
        """Note state and content of the files, just before they are read: only what differs from that is a change.
        Reads the files; raises OSError as `look` does."""
        self.state = self.look()
        self.content = content_of(self.paths)
        if self.look() != self.state:
            self.content = None  # changed meanwhile, so it is not known which content belongs to the state

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._task is not None

    def start(self, reload: Callable[[], Awaitable[None]]) -> None:
        """From now on, call `reload` after each change. Needs a running loop."""
        self.stop()
        self._task = start_task(self._run(reload), f"the watch of {self.name}")

    def stop(self) -> None:
        """End the watch, and a reload that it has begun."""
        if self._task:
            self._task.cancel()
            self._task = None

    async def changed(self) -> None:
        """Return when the files have another content than `content`; it and `state` are set to the new ones."""
        while True:
            await asyncio.sleep(self._pause)
            now = await self._look()
            if now is not None and now != self.state:
                self.state = await self._settled(now)
                if await self._has_new_content():
                    return

    async def _has_new_content(self) -> bool:
        try:
            content = await asyncio.to_thread(content_of, self.paths)
        except Exception as error:
            self.state = None  # look again
            self._report(error, self._reading)
            return False
        self._reading.are_over()
        before, self.content = self.content, content
        return before is None or content != before

    async def _settled(self, now: State) -> State:
        for _ in range(MOST_CHANGES):
            await asyncio.sleep(SETTLED)
            before, later = now, await self._look()
            now = before if later is None else later
            if now == before:
                break
        return now

    async def _look(self) -> State | None:
        """The state of the files; None where it cannot be known at present, which is logged."""

        def look() -> tuple[State, float]:
            begin = time.thread_time()
            return self.look(), time.thread_time() - begin

        try:
            state, seconds = await asyncio.to_thread(look)
        except Exception as error:  # no descriptors, no memory, no thread: these are the proxy's limits, not its end
            self._report(error, self._looking)
            return None
        if self._looking.are_over():
            logger.info("mirror: looking for changes of %s works again", self.name)
        self._pause = max(PAUSE, seconds / LOOKING)
        return state

    def _report(self, error: Exception, problems: _Problems) -> None:
        if problems.is_new(error):
            logger.warning(
                "mirror: cannot look for changes of %s: %s; a change is noticed when this works again",
                self.name,
                _text(error),
            )

    async def _run(self, reload: Callable[[], Awaitable[None]]) -> None:
        retry: float | None = None
        while True:
            try:
                async with asyncio.timeout(retry):
                    await self.changed()
            except TimeoutError:
                pass  # the reload that failed is tried again
            try:
                await reload()
            except Exception as error:
                if self._reloading.is_new(error):
                    logger.error(
                        "mirror: cannot reload %s: %s: %s; it is tried again",
                        self.name,
                        type(error).__name__,
                        _text(error),
                        exc_info=error,
                    )
                retry = RETRY if retry is None else min(2 * retry, LONGEST_RETRY)
            else:
                if self._reloading.are_over():
                    logger.info("mirror: reloading %s works again", self.name)
                retry = None


class _Problems:
    """The problems that were met since it last worked, so that each is logged once, and not at every attempt."""

    def __init__(self) -> None:
        self._met: set[str] = set()

    def is_new(self, error: Exception) -> bool:
        kind = f"{type(error).__name__}: {_text(error)}"
        new = kind not in self._met
        self._met.add(kind)
        return new

    def are_over(self) -> bool:
        """It worked: whether there were any problems before."""
        over = bool(self._met)
        self._met.clear()
        return over


def _text(error: Exception) -> str:
    """Without the name of the file, which may be another one each time."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


async def changes(paths: Sequence[Path]) -> AsyncIterator[None]:
    """Yield after each change at or below `paths`, once for changes that come together. Ends with the generator."""
    watch = FileWatch("the rules", paths)
    watch.state = await watch._look()
    with contextlib.suppress(OSError):  # then the first change of the state counts as one of the content
        watch.content = await asyncio.to_thread(content_of, watch.paths)
        if await watch._look() != watch.state:
            watch.content = None
    while True:
        await watch.changed()
        yield
