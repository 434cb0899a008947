"""The `mirror.*` commands, in mitmproxy's console, in mitmweb's command bar and in its REST interface.

Theory of operation. mitmproxy calls a command in the event loop and shows the text that it returns, so a command must
not block: what takes longer is started, and the event log reports its outcome. The docstring of a command is its help.
A wrong argument raises CommandError, which mitmproxy shows in place of a result. The live page's buttons run the same
commands (`by_name`).

- `commands` holds all commands, and does itself those that report;
- `steering` does `mirror.pause`, `mirror.resume` and `mirror.percent`;
- `findings` does `mirror.findings`, `mirror.accept` and `mirror.ignore`;
- `replay` does `mirror.replay`;
- `terminal` is no command: it logs pairs that differ, and the table at exit.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from mitmproxy import addonmanager
from mitmproxy import ctx
from mitmproxy import exceptions
from mitmproxy import flow
from mitmproxy import http

from mirror_addon.captures.urls import to_text
from mirror_addon.commands import steering
from mirror_addon.commands.findings import findings_text
from mirror_addon.commands.findings import write_rule
from mirror_addon.commands.replay import Replayer
from mirror_addon.commands.terminal import compared_line
from mirror_addon.display.text import printable
from mirror_addon.display.text import printable_lines
from mirror_addon.mirroring.copied_hosts import copied
from mirror_addon.routing.trace import explain
from mirror_addon.rules.listing import rule_lines
from mirror_addon.rules.live import RULES_GONE

if TYPE_CHECKING:
    from mirror_addon.dispatch.counters import Counters
    from mirror_addon.session import Session
    from mirror_addon.statistics.pair_statistics import PairStatistics

logger = logging.getLogger(__name__)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists, named by their path: `workers[0].pid`, `waiting_bytes.high`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from flat(item, f"{name}[{index}]")
    else:
        yield name, value


def headline(counters: Counters, statistics: PairStatistics) -> str:
    """Return `4,810 of 4,812 sent, 2 failed, compared 600 of 4,810, 31 different`.

    It stands near the beginning, because mitmweb's command bar shows a result as one line of JSON.
    """
    totals = counters.totals()
    lost = ((totals.failed.total(), "failed"), (totals.dropped.total(), "dropped"), (totals.pending, "pending"))
    parts = [
        f"{totals.sent:,} of {totals.offered:,} sent",
        *(f"{number:,} {word}" for number, word in lost if number),
        compared_line(statistics),
        f"{statistics.different:,} different",
    ]
    return ", ".join(parts)


def _joined(lines: Iterable[str]) -> str:
    """Return lines as text. Whatever a line holds, it stays one."""
    return "\n".join(map(printable, lines))


def _shown(command: Callable[..., str]) -> Callable[..., str]:
    """Return a command whose result and errors are safe to show. mitmproxy reads its signature and its docstring."""

    @functools.wraps(command)
    def run(*arguments: Any) -> str:
        try:
            return printable_lines(command(*arguments))
        except exceptions.CommandError as error:
            raise exceptions.CommandError(printable(str(error))) from None

    return run


class Commands:
    """The commands for a session. `diff_text` returns the text of Mirror Diff for flows."""

    def __init__(self, session: Session, diff_text: Callable[[Sequence[flow.Flow]], str]) -> None:
        self._session = session
        self._diff_text = diff_text
        self._replayer = Replayer(session)
        self._reloads: set[asyncio.Task[None]] = set()

    def register(self, loader: addonmanager.Loader) -> None:
        """Add the commands to mitmproxy."""
        for name, command in self.by_name().items():
            loader.add_command(f"mirror.{name}", command)

    def by_name(self) -> dict[str, Callable[..., str]]:
        """Return the commands, by their name without `mirror.`."""
        names = "status", "rules", "explain", "diff", "replay", "reload", "pause", "resume", "percent", "rerun"
        findings = "findings", "accept", "ignore"
        return {name: _shown(getattr(self, name)) for name in (*names, *findings)}

    def status(self) -> str:
        """Show what is mirrored where, what was dropped and why, and the state of the workers."""
        session = self._session
        if not (session.writer and session.rules.table):
            return "mirror: not started; the event log says why"
        gate = session.writer.gate
        if gate.paused:
            state = "paused"
        elif not gate.settings.enabled:
            state = "off (mirror_enabled=false)"
        elif gate.expired:
            state = "expired"
        else:
            state = "mirroring"
        lines = [f"state: {state}", f"shadows: {headline(session.writer.counters, session.statistics)}"]
        if gate.expires is not None:
            lines.append(f"expires: {steering.expiry(gate.expires, time.time())}")
        if session.rules.problem:
            lines.append(f"rules: {session.rules.problem}")
        if session.comparison.problem:
            lines.append(f"comparison: {session.comparison.problem}")
        lines += steering.steering_lines(session.writer, session.rules.table)
        lines += [f"mirror: {line}" for line in rule_lines(session.rules.table, mirrored_only=True)] or ["mirror: none"]
        lines += (f"rerun: {each.line}" for each in session.writer.rerun.results.values())
        modes = getattr(ctx.options, "mode", ())
        lines += (f"copied: {line}" for line in copied(session.writer.settings, session.rules.table, modes))
        lines += session.writer.counters.text().splitlines()
        lines += (f"{name} {value}" for name, value in flat(session.writer.dispatcher.status()))
        return _joined(lines)

    def rules(self) -> str:
        """Show the rules in force, in the order in which they are matched."""
        table = self._session.rules.table
        if table is None:
            return "mirror: no rules are loaded; the event log says why"
        return _joined(rule_lines(table)) or "no rules: every request passes through"

    def explain(self, flows: Sequence[flow.Flow]) -> str:
        """Explain, rule by rule, why these requests were routed and mirrored as they were."""
        blocks = []
        for each in flows:
            exchange = self._session.exchanges.get(each) if isinstance(each, http.HTTPFlow) else None
            if exchange is None:
                blocks.append(f"{each.id[:8]}: was not routed by this proxy")
                continue
            request = exchange.request
            head = b"%s %s%s" % (request.method, request.authority, request.path)
            first = f"{each.id[:8]}: {to_text(head)} -> {exchange.decision.action}"
            table = exchange.table
            lines = explain(table, request, exchange.draw, time.time()) if table is not None else [RULES_GONE]
            if self._session.writer is not None:
                lines += steering.override_lines(self._session.writer, exchange.decision.rule)
            blocks += [first, *(f"  {line}" for line in lines)]
        if not blocks:
            raise exceptions.CommandError("No flows given; name some, as in mirror.explain @focus")
        return _joined(blocks)

    def diff(self, flows: Sequence[flow.Flow]) -> str:
        """Show how the responses of these requests and of their shadows differ, as in Mirror Diff but shorter."""
        if not flows:
            raise exceptions.CommandError("No flows given; name some, as in mirror.diff @focus")
        return self._diff_text(flows)

    def replay(self, flows: Sequence[flow.Flow]) -> str:
        """Send these requests to their mirrors again, by the present rules. Edited requests are sent as edited."""
        return self._replayer.replay(flows)

    def reload(self) -> str:
        """Read the rules again, those of comparison too. They are in force when this returns. Long rules are read in
        the background, and the event log reports when they are in force."""
        rules, comparison = self._session.rules, self._session.comparison
        if (found := rules.reload_at_once()) is not None:
            if not rules.problem:  # else it is logged as an error
                logger.info("mirror: %s", found.partition("; ")[0])
            return "; ".join(part for part in (found, comparison.reload_at_once()) if part)

        async def run() -> None:
            logger.info("mirror: %s", (await rules.reload()).partition("; ")[0])
            await comparison.reload()

        task = asyncio.ensure_future(run())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)
        return "reading the rules in the background, because they are long; the event log tells when they are in force"

    def pause(self, *rule: str) -> str:
        """Stop sending new shadows, of one rule or of all. Those under way are completed, and routing continues."""
        return self._steer(steering.pause, rule)

    def resume(self, *rule: str) -> str:
        """Send shadows again, of one rule, or of all rules except those that were paused one by one."""
        return self._steer(steering.resume, rule)

    def percent(self, *rule_and_percent: str) -> str:
        """Mirror this percentage of a rule's requests instead of that in the files. RULE reset undoes it."""
        if len(rule_and_percent) < 2:
            raise exceptions.CommandError("Give a rule and a percentage, as in mirror.percent default/serviceB 5")
        return self._steer(steering.percent, rule_and_percent[:-1], rule_and_percent[-1])

    def rerun(self, *method: str) -> str:
        """Send the newest differing pairs to their mirrors again, now. METHOD, as in mirror.rerun POST: from now on,
        pairs of these methods too, which needs mirror_twin and mirror_sandbox."""
        writer = self._session.writer
        if writer is None:
            raise exceptions.CommandError("The mirror has not started; the event log says why")
        try:
            return writer.rerun.also(method) if method else writer.rerun.start()
        except ValueError as error:
            raise exceptions.CommandError(str(error)) from None

    def findings(self) -> str:
        """Show the causes of the differences of all pairs, with endpoints, an example and the rule that accepts it."""
        return findings_text(self._session)

    def accept(self, *finding: str) -> str:
        """Write a rule into the comparison rules that accepts a finding. FINDING reset removes it."""
        return self._write_rule(finding)

    def ignore(self, *finding: str) -> str:
        """Write a rule into the comparison rules that ignores the path of a finding. FINDING reset removes it."""
        return self._write_rule(finding, ignore=True)

    def _write_rule(self, finding: Sequence[str], *, ignore: bool = False) -> str:
        if not 1 <= len(finding) <= 2:
            name = "ignore" if ignore else "accept"
            raise exceptions.CommandError(f"Give a finding, as in mirror.{name} f0123abcd; mirror.findings lists them")
        try:
            return write_rule(self._session, *finding, ignore=ignore)
        except ValueError as error:
            raise exceptions.CommandError(str(error)) from None

    def _steer(self, action: Callable[..., str], rule: Sequence[str], *arguments: str) -> str:
        """Run a function of `steering`. `rule` is the rule's name, which the console splits at spaces unless quoted."""
        writer, table = self._session.writer, self._session.rules.table
        if writer is None or table is None:
            raise exceptions.CommandError("The mirror has not started; the event log says why")
        try:
            return action(writer, table, " ".join(rule), *arguments)
        except ValueError as error:
            raise exceptions.CommandError(str(error)) from None
