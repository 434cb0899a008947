"""The rules of comparison in force: read again when their file changes, kept when it breaks."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from mirror_addon.live_rules import WATCH_IS_ON
from mirror_addon.options import OptionError
from mirror_addon.options import Settings
from mirror_addon.recording import comparison_rules
from mirror_addon.watching import changes

logger = logging.getLogger(__name__)


class LiveComparison:
    """Watches `compare.yaml`."""

    def __init__(self) -> None:
        self.problem = ""
        """Why what the file says now is not in force, or empty."""
        self._take: Callable[[str], bool] = lambda text: False
        self._settings: Settings | None = None
        self._watcher: asyncio.Task[None] | None = None

    def watch(self, settings: Settings, take: Callable[[str], bool]) -> None:
        """From now on, when the file changes that `settings` name, give `take` its text, if that can be parsed; it says
        whether that is another than before. Needs a running loop, and settings whose file could be read."""
        self._take = take
        before, self._settings = self._settings, settings
        self.problem = ""
        if before is None or before.compare != settings.compare:
            self.stop()
            self._watcher = asyncio.create_task(self._watch(settings.compare))

    def stop(self) -> None:
        """Watch no more."""
        if self._watcher:
            self._watcher.cancel()
            self._watcher = None

    async def reload(self) -> None:
        """Read the file again, off the loop; the log says what came of it, nothing if it says what it said."""
        settings = self._settings
        if settings is None:
            return
        try:
            text = await asyncio.to_thread(comparison_rules, settings)
        except OptionError as error:
            self.problem = f"{error}; the rules of comparison read before stay in force"
            logger.error("mirror: %s", self.problem)
            return
        if settings is not self._settings:
            return
        mended, self.problem = bool(self.problem), ""
        if self._take(text) or mended:
            file = settings.compare
            logger.info(f"mirror: comparing by {file} as it is now" if text else f"mirror: comparing without {file}")

    async def _watch(self, path: str) -> None:
        missed = asyncio.create_task(self._look_for_missed())
        try:
            async for _ in changes([Path(os.path.expanduser(path))]):
                await self.reload()
        except OSError as error:
            logger.warning("mirror: cannot watch %s (%s); use the command mirror.reload", path, error)
        finally:
            missed.cancel()

    async def _look_for_missed(self) -> None:
        """A change between the reading and the moment when the watch is on."""
        await asyncio.sleep(WATCH_IS_ON)
        await self.reload()
