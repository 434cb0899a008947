"""The rules in force.

Theory of operation of this room. All of it runs in the proxy's process.

- At the start `LiveRules.load` reads the rules in the event loop, which serves no request yet. `files` reads YAML from
  disk, `rule_set` compiles it to a `RouteTable` (room `routing`), and what Istio would refuse stops the start.
- `watcher` then looks for changes of the files. After one, `LiveRules.reload` reads and compiles the files anew in a
  thread (`background`), while requests are routed by the table before. Files that have not changed are not parsed
  again; everything else is done for the whole set: 1,000 routes in one file take 0.2 s of CPU, and 10,000 take 2 s.
- In the event loop, between two requests, the new table takes the place of the one before. Tables are immutable, so a
  request that has met one keeps it until it ends. A set that cannot be read, or that Istio would refuse, changes
  nothing: the log and `problem` say why.
- The table before is freed in a thread, route by route, because freeing it at once would stop the loop.

A reload in a thread shares the interpreter's lock with the loop, and so makes requests slower while it lasts. A
process of its own would not, but its result must be pickled, sent and unpickled. `python -m bench.reload_stops`
measures what is felt: with the thread a new table is in force in a fraction of the time.

`live_comparison` does the same for `compare.yaml`. `names` and `listing` are about the rules as people call and see
them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.parsing import collector_paused
from mirror_addon.options.settings import Settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.background import beside_the_loop
from mirror_addon.rules.background import in_background
from mirror_addon.rules.files import Parsed
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.files import size_of
from mirror_addon.rules.lost_endpoints import Missing
from mirror_addon.rules.lost_endpoints import lost
from mirror_addon.rules.rule_set import RuleSet
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.rules.watcher import FileWatch

logger = logging.getLogger(__name__)

SHOWN = 20
"""Lines of a kind in the log: thousands of rules would bury the other lines."""

MANY_RULES = 3000
"""HTTP routes from which on older tables are not kept: such a table takes 20 MB."""

KEPT = 4
"""Tables that are kept to explain requests that met them, the one in force among them."""

RULES_GONE = "the rules that it met are gone: they were reloaded several times since"
"""Of a request."""


NO_RULES = "there are no rules to reload"

READ_AT_ONCE = 16 * 1024
"""Bytes of rules that `mirror.reload` reads in the event loop. It takes 1.2 ms a KiB, in which no request goes on."""

NAMED = 3
"""Losses of endpoints that the result of a reload repeats from the log."""


class RulesRefused(ValueError):
    """A rule set that the proxy does not take; the text says why."""


def log_findings(rule_set: RuleSet) -> None:
    """Log the errors of a refused set as errors, which end a start, and what a cluster would accept as warnings."""
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
    if rule_set.faulty and not rule_set.refused:
        logger.warning("mirror: %s", _left_out(rule_set))
    for warning in () if rule_set.refused else rule_set.warnings[:SHOWN]:
        logger.warning("mirror: %s", warning)


def log_mirrors(rule_set: RuleSet, settings: Settings | None = None) -> None:
    """Log what is mirrored from now on, and where to; by the settings in force, if there are any."""
    if not rule_set.documents and not rule_set.mirrors:
        logger.warning("mirror: there are no rules: every request passes through, and nothing is mirrored")
    for line in rule_set.mirrors[:SHOWN]:
        logger.info("mirror: %s", line)
    if len(rule_set.mirrors) > SHOWN:
        logger.info("mirror: and %d more rules that mirror; see mirror.rules", len(rule_set.mirrors) - SHOWN)
    if rule_set.unsafe:
        logger.info(
            "mirror: POST, PUT, DELETE and other unsafe methods are mirrored too, to %s, where they take effect %s. "
            "mirror_methods=safe, or the annotation mirror-addon/methods: safe, leaves them out",
            ", ".join(rule_set.unsafe),
            _effect(settings),
        )


def _effect(settings: Settings | None) -> str:
    """What becomes of what mirrors write, and of the calls that they make for it."""
    if settings is not None and settings.sandbox:
        ports = ", ".join(map(str, settings.sandbox))
        return (
            "in what the mirror stores itself. Calls to other services are not made a second time where they come in "
            f"at a port of mirror_sandbox ({ports}), and are made where the mirror does not send them there"
        )
    if settings is not None and settings.twin:
        return (
            "in what the mirror stores itself, which must be its own: mirror_twin gives its ids to later shadows. "
            "Calls to other services are made a second time, unless there is a mirror_sandbox for them"
        )
    return "a second time"


def log_losses(losses: list[str]) -> None:
    """Log which routes and mirrors have lost their endpoints."""
    for line in losses[:SHOWN]:
        logger.warning("mirror: %s", line)
    if len(losses) > SHOWN:
        logger.warning("mirror: and %d more that have lost their endpoints; see mirror.rules", len(losses) - SHOWN)


class LiveRules:
    """Holds the table by which requests are routed. `table` is replaced between two requests, never changed.

    `primary_endpoints` is as in `RouteTable.build`.
    """

    def __init__(self, local_address: bytes, *, primary_endpoints: bool = True) -> None:
        self.table: RouteTable | None = None
        self.problem = ""
        """Why the files on disk are not the table in force, or empty."""
        self._local_address = local_address
        self._primary_endpoints = primary_endpoints
        self._settings: Settings | None = None
        self._watch = FileWatch("the rules", ())
        self._parsed: Parsed = {}
        """The files as they were read last: an edit of one file does not parse the others again."""
        self._reloading = asyncio.Lock()
        self._recent: deque[RouteTable] = deque(maxlen=KEPT)
        self._missing: Missing = {}
        """The routes and mirrors of the table that have no endpoint."""
        self._at_once = 0
        """How often the rules were read in the event loop."""
        self._followers: list[Callable[[RouteTable], None]] = []

    def follow(self, follower: Callable[[RouteTable], None]) -> None:
        """Call `follower` with the table in force, and with each later one."""
        self._followers.append(follower)
        if self.table is not None:
            follower(self.table)

    def load(self, settings: Settings) -> None:
        """Take the rules that `settings` name, or raise RulesRefused and change nothing."""
        watch = FileWatch("the rules", rules_paths(settings.rules))
        try:
            watch.note()
            with collector_paused():
                rule_set = self._read(settings, self._parsed)
        except OSError as error:
            raise RulesRefused(f"the rules cannot be read: {error}") from None
        log_findings(rule_set)
        if rule_set.refused:
            raise RulesRefused(self._refusal(rule_set, settings))
        self._settings = settings
        if watch.paths == self._watch.paths:
            self._watch.state, self._watch.content = watch.state, watch.content
        else:
            watched, self._watch = self._watch, watch
            if watched.running:
                watched.stop()
                self.watch()
        self._take(rule_set)

    async def reload(self) -> str:
        """Read the files again, off the loop, and return in a line what came of it.

        The rules are in force when this returns. A set that is refused leaves all as it is, and so does an unexpected
        error, which is raised.
        """
        async with self._reloading:
            try:
                return await self._reload()
            except Exception as error:
                self.problem = f"the rules cannot be read: {error}; the rules read before stay in force"
                raise

    async def _reload(self) -> str:
        settings, watch, at_once = self._settings, self._watch, self._at_once
        if settings is None:
            return NO_RULES
        await asyncio.to_thread(watch.note)
        if vanished := self._vanished(settings):
            return vanished
        rule_set = await in_background(lambda: self._read(settings, self._parsed, only_good=True))
        if settings is not self._settings or at_once != self._at_once:
            return "the rules that were read are not used: they or the options changed meanwhile, or the proxy ends"
        text, left = self._replace(rule_set, settings)
        if left:
            with beside_the_loop():
                await asyncio.to_thread(_free, left)
        return text

    def reload_at_once(self) -> str | None:
        """Read the files again in the event loop, where that takes less than 20 ms, and return what came of it. The
        rules are in force when this returns. None: there is more than `READ_AT_ONCE` to read, and nothing was done.

        A reload under way has read older files, so its result is not used.
        """
        settings, watch = self._settings, self._watch
        if settings is None:
            return NO_RULES
        try:
            if size_of(watch.look()) > READ_AT_ONCE:
                return None
            self._at_once += 1
            watch.note()
            if vanished := self._vanished(settings):
                return vanished
            parsed = dict(self._parsed)  # a reload under way may change the other one
            rule_set = self._read(settings, parsed, only_good=True)
        except OSError as error:
            return self._keep(f"the rules cannot be read: {error}")
        self._parsed = parsed
        text, left = self._replace(rule_set, settings)
        if left:
            asyncio.get_running_loop().run_in_executor(None, _free, left)
        return text

    def _read(self, settings: Settings, parsed: Parsed, *, only_good: bool = False) -> RuleSet:
        return load_rule_set(
            settings,
            self._local_address,
            only_good=only_good,
            parsed=parsed,
            primary_endpoints=self._primary_endpoints,
        )

    def _vanished(self, settings: Settings) -> str:
        """What to report where a path of the rules is gone, so that those in force stay; empty where none is."""
        gone = [str(path) for path in rules_paths(settings.rules) if not is_there(path)]
        return self._keep(f"{', '.join(gone)} is gone") if gone and self.table is not None and not settings.to else ""

    def _replace(self, rule_set: RuleSet, settings: Settings) -> tuple[str, list[RouteTable]]:
        """Put a set in force that is not refused. Return what came of it, and the tables that are not kept any more."""
        log_findings(rule_set)
        if rule_set.refused:
            return self._keep(self._refusal(rule_set, settings)), []
        losses = lost(self._missing, rule_set.missing)
        left = self._take(rule_set)
        return "; ".join([f"reloaded {rule_set.documents} resources", *losses[:NAMED]]), left

    def watch(self) -> None:
        """From now on, reload when the files change. Needs a running loop."""

        async def reload() -> None:
            found = await self.reload()
            if not self.problem:  # else it is logged as an error
                logger.info("mirror: %s", found.partition("; ")[0])

        self._watch.start(reload)

    def stop(self) -> None:
        """Watch no more."""
        self._watch.stop()

    def close(self) -> None:
        """Watch no more, and do not use what a reload under way reads: the proxy ends, or the script is loaded anew."""
        self.stop()
        self._settings = None

    def _keep(self, problem: str) -> str:
        self.problem = f"{problem}; the rules read before stay in force"
        logger.error("mirror: %s", self.problem)
        return self.problem

    def _take(self, rule_set: RuleSet) -> list[RouteTable]:
        """Put a table in force. Returns the tables that are not kept any more."""
        held = self._held()
        if self.table is not None:
            log_losses(lost(self._missing, rule_set.missing))
        self.table = rule_set.table
        self._missing = rule_set.missing
        self.problem = _left_out(rule_set) if rule_set.faulty else ""
        if rule_set.rules < MANY_RULES:
            self._recent.append(rule_set.table)
        log_mirrors(rule_set, self._settings)
        for follower in self._followers:
            follower(rule_set.table)
        kept = self._held()
        return [table for key, table in held.items() if key not in kept]

    def _held(self) -> dict[int, RouteTable]:
        """The tables that are in force, or kept, by their ids."""
        return {id(table): table for table in (self.table, *self._recent) if table is not None}

    @staticmethod
    def _refusal(rule_set: RuleSet, settings: Settings) -> str:
        errors = [finding for finding in rule_set.diagnostics if finding.severity is Severity.ERROR]
        hint = "; mirror_strict=false leaves out what Istio would refuse" if rule_set.faulty and settings.strict else ""
        return f"the rules were not loaded: {len(errors)} error{'s' * (len(errors) != 1)}, first {errors[0]}{hint}"


def _left_out(rule_set: RuleSet) -> str:
    names = [*rule_set.faulty[:SHOWN], *(["..."] if len(rule_set.faulty) > SHOWN else [])]
    return f"left out, because Istio would refuse it (mirror_strict=false): {', '.join(names)}"


def _free(tables: list[RouteTable]) -> None:
    """Empty the list, and free the tables one entry after the other. For a thread.

    The interpreter lets other threads run between two entries, not within the end of one object: that of a whole table
    of 10,000 routes takes 40 ms.
    """
    entries = [
        entry
        for table in tables
        for host in table.virtual_hosts
        for service in host.services
        for entry in service.entries
    ]
    tables.clear()
    while entries:
        entries.pop()
