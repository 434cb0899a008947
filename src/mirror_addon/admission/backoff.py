"""Sends less to a mirror that has become slow: `mirror-addon/max-latency`.

Half as much each second while the mirror is slow, an eighth of all more each second while it is not (AIMD, as TCP does
it), so that a mirror under too much load gets what it can bear. What is held back is spread evenly, not drawn.

Slow is a median above the limit. Load makes all answers slower, which a median shows; an endpoint that is slow by
nature, or one answer in a thousand that takes for ever, moves averages and p99 and is no reason to send less.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from typing import Any

from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.routing.decision import Rule

PERIOD = 1.0
"""Seconds between two judgements; and the longest time without a shadow while there are requests."""
LEAST = 3
"""So many answers make a mirror slow; to be quick again one is enough."""
KEPT = 64
"""The last answers since a judgement, of which the median is taken."""
EXPIRES = 10.0
"""Seconds after which an answer says nothing any more."""
STEP = 1 / 8
FLOOR = 1 / 64
"""Powers of two, so that all shares are exact."""


class Backoff:
    """What share of the shadows is let through to a target that should answer within `limit` seconds. Pure: `now` is
    the seconds of a monotonic clock."""

    def __init__(self, limit: float, now: float) -> None:
        self.limit = limit
        self.share = 1.0
        self.active = False
        """From the first cut on, until the mirror is found quick while all shadows are let through."""
        self._latency = math.nan
        self._judged_at = now
        self._answers: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._passed_at = now
        self._credit = 0.0
        self._unanswered = 0
        self._waiting_since = math.inf

    def take(self, now: float) -> bool:
        """May a shadow pass? One that may is handed over, and its end is told."""
        if self.share < 1:
            self._credit += self.share
            if self._credit < 1 and now - self._passed_at < PERIOD:
                return False
            self._credit = max(self._credit - 1, 0.0)
        self._passed_at = now
        self._unanswered += 1
        if self._unanswered == LEAST:
            self._waiting_since = now
        return True

    def ended(self, now: float, seconds: float) -> None:
        """A shadow was answered after so many seconds, or failed (infinity)."""
        self._unanswered = 0
        self._waiting_since = math.inf
        self._answers.append((now, seconds))

    def dropped(self) -> None:
        """A shadow came to no end that says anything of the mirror."""
        self._unanswered = max(self._unanswered - 1, 0)
        if self._unanswered < LEAST:
            self._waiting_since = math.inf

    def judge(self, now: float) -> bool:
        """Change the share by what is known, once in a period. True: `active` has changed.

        Where several shadows wait and none ends, the mirror is as slow as that has lasted: one that hangs is not left
        to itself until their timeouts. Without any sign of the mirror the share stays.
        """
        if now - self._judged_at < PERIOD:
            return False
        answers = self._answers
        while answers and now - answers[0][0] > EXPIRES:
            answers.popleft()
        if answers:
            latency = sorted(seconds for _, seconds in answers)[len(answers) // 2]
            if latency > self.limit and len(answers) < LEAST:
                return False
        else:
            latency = now - self._waiting_since
            if latency <= self.limit:
                return False
        self._latency, self._judged_at = latency, now
        answers.clear()
        before = self.active
        if latency > self.limit:
            self.share = max(self.share / 2, FLOOR)
            self.active = True
        elif self.share < 1:
            self.share = min(self.share + STEP, 1.0)
        else:
            self.active = False
        return self.active is not before

    def latency(self, now: float) -> float | None:
        """The seconds that were compared last, infinity if most shadows failed; None if that is long ago."""
        return self._latency if now - self._judged_at <= EXPIRES and not math.isnan(self._latency) else None


logger = logging.getLogger(__name__)


class Backoffs:
    """Asks them, tells them of ends, and logs when one begins and when it is over.

    There is one from the first shadow of a virtual service for a target on. It is judged by all answers of that target,
    whichever virtual service they are for, and holds back only its own's.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._backoffs: dict[str, dict[tuple[str, float], Backoff]] = {}

    def __bool__(self) -> bool:
        return bool(self._backoffs)

    def take(self, virtual_service: str, target: str, limit: float) -> bool:
        """May a shadow pass to the target with that label, which should answer within `limit` seconds?"""
        now = self._clock()
        backoffs = self._backoffs.setdefault(target, {})
        backoff = backoffs.get((virtual_service, limit))
        if backoff is None:
            backoff = backoffs[virtual_service, limit] = Backoff(limit, now)
        self._judge(virtual_service, target, backoff, now)
        return backoff.take(now)

    def outcome(self, shadow: Shadow) -> None:
        """A ShadowObserver. A shadow that was dropped says nothing of the mirror; one that failed counts as slow."""
        backoffs = self._backoffs.get(shadow.label) if self._backoffs else None
        result = shadow.result
        if not backoffs or result is None:
            return
        now = self._clock()
        seconds = result.total_ms / 1000 if result.outcome == "sent" else math.inf
        for (virtual_service, _), backoff in backoffs.items():
            if result.outcome == "dropped":
                backoff.dropped()
            else:
                backoff.ended(now, seconds)
            self._judge(virtual_service, result.label, backoff, now)

    def keep(self, rules: Collection[Rule]) -> None:
        """Another table is in force, whose limited rules are these: what is of others, or of other limits, goes."""
        limits = {
            (rule.virtual_service, rule.annotations.max_latency) for rule in rules if rule.annotations is not None
        }
        for target, backoffs in tuple(self._backoffs.items()):
            kept = {key: backoff for key, backoff in backoffs.items() if key in limits}
            if kept:
                self._backoffs[target] = kept
            else:
                del self._backoffs[target]

    def as_list(self) -> list[dict[str, Any]]:
        """Plain values for scripts. A median of None: there were no answers of late, or most were failures."""
        found = []
        now = self._clock()
        for virtual_service, target, backoff in self._all():
            latency = backoff.latency(now)
            found.append(
                {
                    "virtual_service": virtual_service,
                    "target": target,
                    "active": backoff.active,
                    "share": backoff.share,
                    "median_ms": None if latency is None or math.isinf(latency) else round(latency * 1000, 3),
                    "max_ms": round(backoff.limit * 1000, 3),
                }
            )
        return found

    def lines(self) -> Iterator[str]:
        """The same for people."""
        now = self._clock()
        for virtual_service, target, backoff in self._all():
            state = ", backing off" if backoff.active else ""
            yield f"{virtual_service} -> {target}: {_share(backoff)}; {_latency(backoff, now)}{state}"

    def _all(self) -> Iterator[tuple[str, str, Backoff]]:
        for target, backoffs in self._backoffs.items():
            for (virtual_service, _), backoff in backoffs.items():
                yield virtual_service, target, backoff

    @staticmethod
    def _judge(virtual_service: str, target: str, backoff: Backoff, now: float) -> None:
        if not backoff.judge(now):
            return
        said = f"{virtual_service} -> {target}: {_latency(backoff, now)}"
        if backoff.active:
            logger.warning("mirror: %s: backing off; clients do not notice, and mirror.status shows how far", said)
        else:
            logger.info("mirror: %s: backing off is over", said)


def _share(backoff: Backoff) -> str:
    return f"{backoff.share * 100:.3g} % of the shadows"


def _latency(backoff: Backoff, now: float) -> str:
    latency = backoff.latency(now)
    if latency is None:
        found = "no answer of late"
    elif math.isinf(latency):
        found = "most shadows fail"
    else:
        found = f"answers in {latency * 1000:.0f} ms"
    return f"{found} (max-latency {backoff.limit * 1000:.0f} ms)"
