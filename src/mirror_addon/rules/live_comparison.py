"""The rules of comparison in force: read again when `compare.yaml` changes; a file with errors changes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.rules.compare_file import accepted_findings
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.rules.files import is_used_up
from mirror_addon.rules.files import size_of
from mirror_addon.rules.watcher import FileWatch

READ_AT_ONCE = 16 * 1024
"""Bytes that `mirror.reload` reads in the event loop."""

logger = logging.getLogger(__name__)


class LiveComparison:
    """Watches `compare.yaml`."""

    def __init__(self) -> None:
        self.problem = ""
        """Why the present text of the file is not in force, or empty."""
        self.accepted: frozenset[str] = frozenset()
        """The ids of the findings that the rules accept."""
        self._take: Callable[[str], bool] = lambda text: False
        self._settings: Settings | None = None
        self._reloading = asyncio.Lock()
        self._at_once = 0
        """How often the file was read in the event loop."""
        self._watch = FileWatch("", ())

    def watch(self, settings: Settings, take: Callable[[str], bool]) -> None:
        """From now on, when the file changes that `settings` name, call `take` with its text, if that can be parsed.
        `take` returns whether the text differs from that before. Needs a running loop, and a file that could be
        read."""
        self._take = take
        before, self._settings = self._settings, settings
        self.problem = ""
        if before is None or before.compare != settings.compare:
            self.stop()
            # Its state is not known: the first look reads the file again, in case it has changed since it was read.
            self._watch = FileWatch(settings.compare, [Path(os.path.expanduser(settings.compare))])
            self._watch.start(self.reload)

    def stop(self) -> None:
        """Watch no more."""
        self._watch.stop()

    async def reload(self) -> None:
        """Read the file again, off the loop, and log the result, but nothing if the text is the same as before.

        The rules are in force when this returns. An unexpected error is raised, and leaves all as it is.
        """
        async with self._reloading:
            settings, watch = self._settings, self._watch
            if settings is None:
                return
            at_once = self._at_once
            read = await asyncio.to_thread(self._read, settings, watch)
            if settings is self._settings and at_once == self._at_once:
                self._replace(settings, *read)

    def reload_at_once(self) -> str:
        """Read the file again in the event loop, and return what came of it: empty if the text is the same as before,
        or the file is too long for that, and the watch reads it."""
        settings, watch = self._settings, self._watch
        if settings is None:
            return ""
        try:
            if size_of(watch.look()) > READ_AT_ONCE:
                return ""
            self._at_once += 1
            read = self._read(settings, watch)
        except Exception as error:
            return f"{settings.compare} cannot be read: {error}"
        return self._replace(settings, *read)

    def _read(self, settings: Settings, watch: FileWatch) -> tuple[str, frozenset[str], str]:
        """Return the text of the file, the findings that it accepts, and what is wrong with it.

        An error that is no fault of the file is raised.
        """
        try:
            watch.note()
            text = comparison_rules(settings)
            return text, accepted_findings(text), ""
        except Exception as error:
            problem = f"{error}; the rules of comparison read before stay in force"
            if not isinstance(error, OptionError) or is_used_up(error.__cause__):
                self.problem = problem
                raise
            return "", frozenset(), problem

    def _replace(self, settings: Settings, text: str, accepted: frozenset[str], problem: str) -> str:
        mended, self.problem = bool(self.problem), problem
        if problem:
            logger.error("mirror: %s", problem)
            return problem
        self.accepted = accepted
        if self._take(text) or mended:
            how = f"by {settings.compare} as it is now" if text else f"without {settings.compare}"
            logger.info("mirror: comparing %s", how)
            return f"comparing {how}"
        return ""
