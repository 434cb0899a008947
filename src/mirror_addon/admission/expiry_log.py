"""A log line at the moment at which mirroring ends or begins by itself: `mirror_expires` and annotations of rules."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from mirror_addon.istio.moments import say_moment
from mirror_addon.routing.decision import Rule

logger = logging.getLogger(__name__)

LOOK_EVERY = 60.0
"""Seconds between two looks at the wall clock at most: it may be set, and a laptop may sleep."""


class ExpiryLog:
    """Logs each moment once. Moments are in seconds since the epoch. Needs the running event loop."""

    def __init__(self) -> None:
        self._run: dict[str, float] = {}
        """Moment by text; so is `_rules`."""
        self._rules: dict[str, float] = {}
        self._logged: set[tuple[str, float]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def of_run(self, moment: float | None) -> None:
        """Take the moment of `mirror_expires`, None if there is none."""
        self._run = {} if moment is None else {"mirror_expires has passed: nothing is mirrored any more": moment}
        self.look()

    def of_rules(self, rules: Iterable[Rule]) -> None:
        """Take the rules in force that mirror, in place of those before."""
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
        self._logged &= set(self._rules.items()) | set(self._run.items())
        self.look()

    def look(self) -> None:
        """Log the moments that have passed, and set a timer for the next one."""
        now = time.time()
        ahead = []
        for what, moment in (*self._run.items(), *self._rules.items()):
            if moment > now:
                ahead.append(moment)
            elif (what, moment) not in self._logged:
                self._logged.add((what, moment))
                logger.info("mirror: %s; routing goes on", what)
        self.stop()
        if ahead:
            wait = min(max(min(ahead) - now, 0.001), LOOK_EVERY)
            self._timer = asyncio.get_running_loop().call_later(wait, self.look)

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
