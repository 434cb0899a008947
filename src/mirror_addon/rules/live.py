"""The table in force: loaded at start, replaced whole when its files change, kept when they break."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.parsing import collector_paused
from mirror_addon.options.settings import Settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.background import in_background
from mirror_addon.rules.compiler import Closed
from mirror_addon.rules.compiler import CompilerFailed
from mirror_addon.rules.compiler import RulesCompiler
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.files import state_of
from mirror_addon.rules.giving_way import let_go
from mirror_addon.rules.rule_set import RuleSet
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.rules.transfer import NotReadable
from mirror_addon.rules.transfer import unpack
from mirror_addon.rules.watcher import reload_on_change

logger = logging.getLogger(__name__)

SHOWN = 20
"""Lines of a kind in the log; a folder of thousands of rules would bury the rest."""

SOME_RULES = 200
"""From here on it would be felt if the garbage collector looked at all of them."""

LARGE = 16 * 1024
"""Bytes of rules that are worth a process: some 80 routes, 20 ms of work. To start it takes half a second."""

MANY_RULES = 3000
"""From here on several tables would be felt in memory."""

KEPT = 4
"""Tables that are kept to explain requests that met them, the one in force among them; large ones are not."""

RULES_GONE = "the rules that it met are gone: they were reloaded several times since"


class RulesRefused(ValueError):
    """A rules set that the proxy does not take; the text lists its errors."""


def _lives_long(rule_set: RuleSet) -> bool:
    return not rule_set.refused and rule_set.rules >= SOME_RULES


def log_findings(rule_set: RuleSet) -> None:
    """Errors of a refused set at ERROR (which ends a start); all that a cluster would take as warnings."""
    errors = [finding for finding in rule_set.diagnostics if finding.severity is Severity.ERROR]
    warnings = [finding for finding in rule_set.diagnostics if finding.severity is Severity.WARNING]
    if not rule_set.refused:
        warnings = [replace(finding, severity=Severity.WARNING) for finding in errors] + warnings
        errors = []
    for log, findings in ((logger.error, errors), (logger.warning, warnings)):
        for finding in findings[:SHOWN]:
            log("mirror: %s", finding)
        if len(findings) > SHOWN:
            log("mirror: and %d more; `mirror-addon check` lists them all", len(findings) - SHOWN)


def log_mirrors(rule_set: RuleSet) -> None:
    """What is copied from now on, and where."""
    if not rule_set.documents and not rule_set.mirrors:
        logger.warning("mirror: there are no rules: every request passes through, and nothing is mirrored")
    for line in rule_set.mirrors[:SHOWN]:
        logger.info("mirror: %s", line)
    if len(rule_set.mirrors) > SHOWN:
        logger.info("mirror: and %d rules more that mirror; see mirror.rules", len(rule_set.mirrors) - SHOWN)
    if rule_set.unsafe:
        logger.info(
            "mirror: POST, PUT, DELETE and other unsafe methods are mirrored too, to %s: what they do is done there "
            "again. mirror_methods=safe, or mirror-addon/methods: safe, leaves them out",
            ", ".join(rule_set.unsafe),
        )


class LiveRules:
    """Holds the table that requests meet. `table` is replaced between two requests, never changed."""

    def __init__(self, local_address: bytes) -> None:
        self.table: RouteTable | None = None
        self.problem = ""
        """Why the files on disk are not the table in force, or empty."""
        self._local_address = local_address
        self._settings: Settings | None = None
        self._read_state: dict[str, tuple[int, int, int]] = {}
        """Of the files, just before they were read the last time."""
        self._watcher: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()
        self._compiler = RulesCompiler()
        self._recent: deque[RouteTable] = deque(maxlen=KEPT)
        self._followers: list[Callable[[RouteTable], None]] = []

    def follow(self, follower: Callable[[RouteTable], None]) -> None:
        """Tell `follower` of the table in force, and of each that comes after it."""
        self._followers.append(follower)
        if self.table is not None:
            follower(self.table)

    def load(self, settings: Settings) -> None:
        """Take the rules that `settings` name, or raise RulesRefused and change nothing."""
        read_state = state_of(rules_paths(settings.rules))
        with collector_paused():
            rule_set = load_rule_set(settings, self._local_address)
        log_findings(rule_set)
        if rule_set.refused:
            raise RulesRefused(self._refusal(rule_set))
        watched = self._settings is None or self._settings.rules != settings.rules
        self._settings = settings
        self._read_state = read_state
        self._take(rule_set)
        if watched and self._watcher:
            self.watch()

    async def reload(self) -> str:
        """Read the files again, off the loop; say in a line what came of it. A broken set leaves all as it is."""
        async with self._reloading:
            settings = self._settings
            if settings is None:
                return "there are no rules to reload"
            vanished = [str(path) for path in rules_paths(settings.rules) if not is_there(path)]
            if vanished and self.table is not None and not settings.to:
                self.problem = f"{', '.join(vanished)} is gone; the rules read before stay in force"
                logger.error("mirror: %s", self.problem)
                return self.problem
            try:
                rule_set = await self._read(settings)
            except Closed:
                return "the mirror ended before the rules were read"
            if settings is not self._settings:
                return "the options changed meanwhile; their rules are in force"
            log_findings(rule_set)
            if rule_set.refused:
                self.problem = f"{self._refusal(rule_set)}; the rules read before stay in force"
                logger.error("mirror: %s", self.problem)
                return self.problem
            if pieces := self._take(rule_set):
                await in_background(lambda: let_go(pieces), lambda _: False)
            return f"reloaded {rule_set.documents} resources"

    async def _read(self, settings: Settings) -> RuleSet:
        """What the files hold now, an empty table for a refused set. The loop goes on meanwhile."""
        self._read_state = await asyncio.to_thread(state_of, rules_paths(settings.rules))
        if sum(size for _, size, _ in self._read_state.values()) >= LARGE:
            try:
                packed = await asyncio.to_thread(self._compiler.compile, settings, self._local_address)
                return await in_background(lambda: unpack(packed), _lives_long)
            except (CompilerFailed, NotReadable) as error:
                logger.warning("mirror: the proxy reads the rules itself, its process for that failed: %s", error)
        return await in_background(lambda: load_rule_set(settings, self._local_address, only_good=True), _lives_long)

    def watch(self) -> None:
        """From now on, reload when the files change. Needs a running loop."""
        self.stop()
        assert self._settings is not None
        self._watcher = asyncio.create_task(self._watch(self._settings))

    def stop(self) -> None:
        """Watch no more."""
        if self._watcher:
            self._watcher.cancel()
            self._watcher = None

    def close(self) -> None:
        """The proxy ends, or the script is loaded anew."""
        self.stop()
        self._compiler.close()

    async def _watch(self, settings: Settings) -> None:
        paths = rules_paths(settings.rules)

        async def reload() -> None:
            logger.info("mirror: %s", await self.reload())

        async def look() -> None:
            if await asyncio.to_thread(state_of, paths) != self._read_state:
                await reload()

        await reload_on_change("the rules", paths, reload, look)

    def _take(self, rule_set: RuleSet) -> list[Any]:
        """Put a table in force. Gives what the one consisted of that is not kept any more."""
        held = self._held()
        self.table = rule_set.table
        self.problem = ""
        if rule_set.rules < MANY_RULES:
            self._recent.append(rule_set.table)
        log_mirrors(rule_set)
        for follower in self._followers:
            follower(rule_set.table)
        kept = self._held()
        return [piece for key, table in held.items() if key not in kept for piece in table.pieces()]

    def _held(self) -> dict[int, RouteTable]:
        """The tables that are in force, or kept."""
        return {id(table): table for table in (self.table, *self._recent) if table is not None}

    @staticmethod
    def _refusal(rule_set: RuleSet) -> str:
        errors = [finding for finding in rule_set.diagnostics if finding.severity is Severity.ERROR]
        return f"the rules were not loaded: {len(errors)} error{'s' * (len(errors) != 1)}, first {errors[0]}"
