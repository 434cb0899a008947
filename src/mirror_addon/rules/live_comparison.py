"""The rules of comparison in force: read again when their file changes, kept when it breaks."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.rules.watcher import reload_on_change

logger = logging.getLogger(__name__)


class LiveComparison:
    """Watches `compare.yaml`."""

    def __init__(self) -> None:
        self.problem = ""
        """Why what the file says now is not in force, or empty."""
        self._take: Callable[[str], bool] = lambda text: False
        self._settings: Settings | None = None
        self._reloading = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None

    def watch(self, settings: Settings, take: Callable[[str], bool]) -> None:
        """From now on, when the file changes that `settings` name, give `take` its text, if that can be parsed; it says
        whether that is another than before. Needs a running loop, and settings whose file could be read."""
        self._take = take
        before, self._settings = self._settings, settings
        self.problem = ""
        if before is None or before.compare != settings.compare:
            self.stop()
            path = Path(os.path.expanduser(settings.compare))
            watching = reload_on_change(settings.compare, [path], self.reload, self.reload)
            self._watcher = asyncio.create_task(watching)

    def stop(self) -> None:
        """Watch no more."""
        if self._watcher:
            self._watcher.cancel()
            self._watcher = None

    async def reload(self) -> None:
        """Read the file again, off the loop; the log says what came of it, nothing if it says what it said."""
        async with self._reloading:
            settings = self._settings
            if settings is None:
                return
            text = problem = ""
            try:
                text = await asyncio.to_thread(comparison_rules, settings)
            except OptionError as error:
                problem = f"{error}; the rules of comparison read before stay in force"
            if settings is not self._settings:
                return
            mended, self.problem = bool(self.problem), problem
            if problem:
                logger.error("mirror: %s", problem)
            elif self._take(text) or mended:
                how = f"by {settings.compare} as it is now" if text else f"without {settings.compare}"
                logger.info("mirror: comparing %s", how)
