"""Says in the log when mirroring ends by itself, at that moment and once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from mirror_addon.istio.moments import say_moment
from mirror_addon.routing.decision import Rule

logger = logging.getLogger(__name__)

LOOK_EVERY = 60.0
"""Seconds: the wall clock may be set, and a laptop sleeps."""


class ExpiryLog:
    """Ends known beforehand, with what is to be said of each."""

    def __init__(self) -> None:
        self._run: dict[str, float] = {}
        self._rules: dict[str, float] = {}
        self._said: set[tuple[str, float]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def of_run(self, moment: float | None) -> None:
        """`mirror_expires`; None: never."""
        self._run = {} if moment is None else {"mirror_expires is over: nothing is mirrored any more": moment}
        self.look()

    def of_rules(self, rules: Iterable[Rule]) -> None:
        """The rules in force that mirror and have annotations."""
        self._rules = {}
        for rule in rules:
            annotations = rule.annotations
            if annotations is None:
                continue
            if annotations.expires is not None:
                self._rules[f"{rule}: expired: it is not mirrored any more"] = annotations.expires
            if annotations.active is not None:
                start, end = annotations.active
                window = f"{say_moment(start)} to {say_moment(end)}"
                if start > time.time():
                    self._rules[f"{rule}: active from now on ({window})"] = start
                self._rules[f"{rule}: not active any more ({window})"] = end
        self._said &= set(self._rules.items()) | set(self._run.items())
        self.look()

    def look(self) -> None:
        """Say what is over by now, and come back when the next is."""
        now = time.time()
        ahead = []
        for what, moment in (*self._run.items(), *self._rules.items()):
            if moment > now:
                ahead.append(moment)
            elif (what, moment) not in self._said:
                self._said.add((what, moment))
                logger.info("mirror: %s; routing goes on", what)
        self.stop()
        if ahead:
            wait = min(max(min(ahead) - now, 0.001), LOOK_EVERY)
            self._timer = asyncio.get_running_loop().call_later(wait, self.look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
