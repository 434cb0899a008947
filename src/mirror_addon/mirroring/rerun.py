"""Red/green: a mirror that was gone answers again, and gets the differing pairs once more (`mirror_rerun`).

Theory of operation. `Rerun` is an observer of pairs: it keeps those whose responses differ (`kept_pairs`). While it
keeps any, `Presence` watches their targets. When one of them is back, its circuit breaker is closed, and a run begins:
each kept request is sent to that target alone, `AT_ONCE` at a time, and compared with what the primary responded then.
At its end one line says how many are fixed, how many still differ, and how many findings are new. The pairs stay, so
that the next run is over the same ones.

A run ends without a word where the target goes away again: there will be another one. A pause holds it back. Its
shadows are counted in `Counters.rerun`, are told to no observer of pairs, and have no line in the record.

Only safe methods are kept (RFC 9110 9.2.1), because v2 would do anything else twice. `also` adds methods, where the
twin translates the state and the sandbox answers what v2 calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from mirror_addon.compare.causes import causes_of
from mirror_addon.compare.findings import UNLISTED_CAUSE
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.presence import Presence
from mirror_addon.display.text import printable
from mirror_addon.mirroring.kept_pairs import MOST_REQUEST_BODY
from mirror_addon.mirroring.kept_pairs import MOST_RESPONSE_BODY
from mirror_addon.mirroring.kept_pairs import KeptPair
from mirror_addon.mirroring.kept_pairs import KeptPairs
from mirror_addon.options.values import SAFE_METHODS
from mirror_addon.routing.decision import as_drawn
from mirror_addon.statistics.pair_findings import endpoint_of_pair

if TYPE_CHECKING:
    from mirror_addon.compare.causes import Cause
    from mirror_addon.mirroring.shadow_sender import ShadowSender
    from mirror_addon.options.settings import Settings
    from mirror_addon.routing.decision import Mirror
    from mirror_addon.routing.table import RouteTable
    from mirror_addon.shadow.pair import Pair
    from mirror_addon.shadow.request import ShadowRequest
    from mirror_addon.shadow.request import Target

logger = logging.getLogger(__name__)

AT_ONCE = 32
"""Requests in flight to a target."""
LOOK_SECONDS = 0.25
"""How often a run that is held back looks whether the pause is over."""
DOUBT_SECONDS = 0.6
"""For so long a run with failed requests waits for the news that the target is gone again."""
SHOWN = 20
SHOWN_NEW = 3


@dataclass(frozen=True, slots=True)
class Left:
    """A pair that still differs, as it is shown."""

    method: str
    url: str
    why: str


@dataclass(frozen=True, slots=True)
class RerunResult:
    """What came of one run."""

    time: float
    """Its end, in seconds since the epoch."""
    target: str
    """The label of the mirror."""
    pairs: int
    fixed: int
    left: int
    new: tuple[str, ...]
    """The findings that no pair had before."""
    unknown: dict[str, int]
    """Pairs that were not sent or not compared, by reason."""
    shown: tuple[Left, ...]
    """The first of those that are left."""

    @property
    def words(self) -> str:
        """Return `12 of 14 fixed, 2 left, 1 new`."""
        unknown = "".join(f", {number} unknown ({reason})" for reason, number in self.unknown.items())
        return f"{self.fixed} of {self.pairs} fixed, {self.left} left, {len(self.new)} new{unknown}"

    @property
    def line(self) -> str:
        """Return the words, with the mirror and the new findings."""
        more = f" and {len(self.new) - SHOWN_NEW} more" if len(self.new) > SHOWN_NEW else ""
        new = f"; new: {', '.join(self.new[:SHOWN_NEW])}{more}" if self.new else ""
        return printable(f"{self.target}: {self.words}{new}")


@dataclass(slots=True, eq=False)
class _Run:
    target: Target
    pairs: int
    known: frozenset[Cause]
    waiting: deque[KeptPair]
    flying: int = 0
    fixed: int = 0
    left: list[Left] = field(default_factory=list)
    new: dict[Cause, None] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    failed: bool = False
    """A request was refused or cut off, as by a mirror that goes away."""


class _SentAgain(Primary):
    """A kept pair in flight."""

    __slots__ = ("pair", "rerun", "run")

    def __init__(self, id: str, pair: KeptPair, run: _Run, rerun: Rerun) -> None:
        again = pair.again
        super().__init__(id, again.subject._replace(group=id, controlled=False, rerun=True))
        self.pair = pair
        self.run = run
        self.rerun = rerun

    def told(self, shadow: Shadow) -> None:
        self.rerun.ended(self.run, self.pair, shadow)


class Rerun:
    """A PairObserver, and a ShadowObserver. Sends by way of `sender`."""

    def __init__(self, sender: ShadowSender) -> None:
        self.kept = KeptPairs()
        self.results: dict[Target, RerunResult] = {}
        """The newest of each target."""
        self._sender = sender
        self._counts = sender.book.counters.rerun
        self._presence = Presence(self._returned)
        self._runs: dict[Target, _Run] = {}
        self._also: frozenset[bytes] = frozenset()
        self._table: RouteTable | None = None
        self._number = 0
        self.apply(sender.settings)

    def apply(self, settings: Settings) -> None:
        """Take options. Switched off, nothing is kept or watched."""
        self.on = settings.rerun
        self._sender.keeps = self._may_keep if self.on else None
        self._sender.observers[:] = [each for each in self._sender.observers if each is not self]
        self._sender.book.observers[:] = [each for each in self._sender.book.observers if each is not self]
        if self.on:
            self._sender.observers.append(self)
            self._sender.book.observers.append(self)
        else:
            self.close()

    def close(self) -> None:
        """Forget all pairs, and watch no target."""
        self.kept.keep(lambda pair: False)
        self._runs.clear()
        self._presence.close()

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force. It decides whether a pair is sent again, and not where to."""
        self._table = table

    # Keeping

    def also(self, methods: Iterable[str]) -> str:
        """Send pairs of these methods again too. Raises ValueError where they are not made safe."""
        wanted = frozenset(method.upper().encode() for method in methods)
        unsafe = wanted - SAFE_METHODS
        if unsafe and not self._twin_and_sandbox:
            raise ValueError(
                f"{_listed(unsafe)}: the mirror would do it twice; possible with mirror_twin=true and mirror_sandbox,"
                " which give the mirror a state and calls of its own"
            )
        self._also = unsafe
        return f"{_listed(SAFE_METHODS | unsafe)} are sent again from now on"

    @property
    def _twin_and_sandbox(self) -> bool:
        settings = self._sender.settings
        return bool(settings.twin and settings.sandbox)

    def _is_allowed(self, method: bytes) -> bool:
        return method in SAFE_METHODS or (method in self._also and self._twin_and_sandbox)

    def _may_keep(self, request: ShadowRequest, body: bytes) -> bool:
        """Whether a shadow that is about to be sent may be sent again."""
        return len(body) <= MOST_REQUEST_BODY and self._is_allowed(request.method)

    def pair(self, pair: Pair) -> None:
        """Keep a pair if its responses differ."""
        comparison, again = pair.comparison, pair.again
        if pair.control or comparison is None or comparison.verdict != "different":
            return
        if again is None:
            allowed = self._is_allowed(pair.method.encode("latin-1", "replace"))
            self._counts.skipped["body_too_large" if allowed else "method"] += 1
            return
        if again.answer.body is None or again.answer.bytes > MOST_RESPONSE_BODY:
            self._counts.skipped["body_too_large"] += 1
            return
        endpoint = endpoint_of_pair(pair)
        counting = [each for each in comparison.differences if not each.noise]
        noise = frozenset(each.path for each in comparison.differences if each.noise)
        causes = tuple(causes_of(counting, endpoint)) or (UNLISTED_CAUSE,)
        gone = self.kept.add(KeptPair(again, pair.method, pair.shown_url, endpoint, causes, noise))
        if gone:
            self._counts.skipped["replaced"] += gone
        if gone or not self._presence.watches(again.request.target):
            self._presence.watch(self.kept.targets)

    def outcome(self, shadow: Shadow) -> None:
        """The outcome of any shadow says whether its target is there."""
        result = shadow.result
        if result is None or shadow.target is None:
            return
        if result.outcome == "sent":
            self._presence.answered(shadow.target)
        elif result.outcome == "failed" and result.reason == "connect":
            self._presence.refused(shadow.target)

    # Sending

    def start(self) -> str:
        """Send all kept pairs again, because a person asks for it. Return what is done. Raises ValueError."""
        if not self.on:
            raise ValueError("Nothing is kept to be sent again: set mirror_rerun=true, then send requests")
        if self._is_held:
            raise ValueError("Mirroring is paused, switched off or expired, so nothing is sent again")
        if not self.kept:
            return "nothing to send again: no pair of those that may be sent again differs so far"
        targets = sorted(self.kept.targets, key=lambda target: (target.label, target.address, target.port))
        return "; ".join(map(self._started, targets))

    def _started(self, target: Target) -> str:
        if self._presence.is_gone(target):
            return f"{target.label} is gone; its pairs are sent again when it is back"
        number = len(self.kept.of(target))
        self._begin(target)
        pairs = "1 pair is" if number == 1 else f"{number} pairs are"
        return f"{pairs} sent again to {target.label}; the event log has the result"

    @property
    def _is_held(self) -> bool:
        gate = self._sender.gate
        return gate.paused or not gate.settings.enabled or gate.expired

    def _returned(self, target: Target) -> None:
        if (breaker := self._sender.dispatcher.breakers.get(target)) is not None:
            breaker.succeeded()
        self._begin(target)

    def _begin(self, target: Target) -> None:
        """Begin a run. One that is under way for that target is given up."""
        pairs = self.kept.of(target)
        if pairs:
            known = frozenset(cause for pair in pairs for cause in pair.causes)
            run = self._runs[target] = _Run(target, len(pairs), known, deque(pairs))
            self._go_on(run)

    def _go_on(self, run: _Run) -> None:
        """Send as much of a run as may be in flight; end it where nothing is left."""
        if self._runs.get(run.target) is not run:
            return
        loop = asyncio.get_running_loop()
        while run.waiting and run.flying < AT_ONCE:
            if self._is_held:
                loop.call_later(LOOK_SECONDS, self._go_on, run)
                return
            pair = run.waiting.popleft()
            if reason := self._reason_to_skip(pair):
                run.unknown[reason] += 1
                self._counts.skipped[reason] += 1
            else:
                run.flying += 1
                self._send(pair, run)
        if not run.waiting and not run.flying:
            if run.failed:
                loop.call_later(DOUBT_SECONDS, self._say, run)
            else:
                self._say(run)

    def _reason_to_skip(self, pair: KeptPair) -> str:
        """Why a pair is not sent, by the rules and switches of now. One whose mirror is gone from the rules is
        forgotten."""
        gate, request, target = self._sender.gate, pair.again.asked, pair.target
        if not self._is_allowed(pair.again.request.method):
            return "method"
        decision = self._table.route(request, pair.again.subject.draw) if self._table is not None else None
        mirror = next((each for each in decision.mirrors if _has(each, target)), None) if decision else None
        if decision is None or mirror is None:
            self.kept.keep(lambda each: each is not pair)
            self._presence.watch(self.kept.targets)
            return "rule_gone"
        override = gate.overrides.of(decision.rule) if decision.rule is not None else None
        if override is not None and override.paused:
            return "paused"
        return gate.reason_to_skip(request, as_drawn(mirror)) or ""

    def _send(self, pair: KeptPair, run: _Run) -> None:
        self._number += 1
        sender, again = self._sender, pair.again
        primary = _SentAgain(f"{again.subject.group}/again{self._number}", pair, run, self)
        shadow = sender.book.admit(primary, run.target.label, counts=self._counts)
        sender.dispatcher.offer(shadow, again.request, again.body)
        sender.dispatcher.answer(primary, again.answer, again.note, again.at)
        sender.book.answered(primary)

    def ended(self, run: _Run, pair: KeptPair, shadow: Shadow) -> None:
        """A request that was sent again has its verdict."""
        run.flying -= 1
        result, comparison = shadow.result, shadow.comparison
        assert result is not None
        if result.outcome == "dropped":
            run.unknown[result.reason] += 1
        elif result.outcome == "failed":
            run.failed |= result.reason in ("connect", "reset")
            run.left.append(Left(pair.method, pair.url, f"failed: {result.reason}"))
        elif comparison is None or comparison.verdict is None:
            run.unknown["not compared"] += 1
        else:
            counting = [each for each in comparison.differences if not (each.noise or each.path in pair.noise)]
            if comparison.verdict == "different" and (counting or comparison.more):
                paths = ", ".join(dict.fromkeys(each.path for each in counting))
                run.left.append(Left(pair.method, pair.url, paths))
                run.new.update((cause, None) for cause in causes_of(counting, pair.endpoint) if cause not in run.known)
            else:
                run.fixed += 1
        asyncio.get_running_loop().call_soon(self._go_on, run)

    def _say(self, run: _Run) -> None:
        """Say what came of a run that is not over because its target is gone again."""
        if self._runs.get(run.target) is not run:
            return
        del self._runs[run.target]
        if self._presence.is_gone(run.target):
            return
        result = self.results[run.target] = RerunResult(
            time.time(),
            run.target.label,
            run.pairs,
            run.fixed,
            len(run.left),
            tuple(cause.title for cause in run.new),
            dict(run.unknown),
            tuple(run.left[:SHOWN]),
        )
        logger.info("mirror: sent again to %s", result.line)


def _has(mirror: Mirror, target: Target) -> bool:
    """Whether a mirror of the rules is this target."""
    cluster = mirror.cluster
    if (cluster.label or cluster.host) != target.label:
        return False
    places = {(each.address, each.port) for each in cluster.endpoints}
    return cluster.resolves_request_host or (target.address, target.port) in places


def _listed(methods: Iterable[bytes]) -> str:
    return ", ".join(sorted(method.decode("latin-1") for method in methods))
