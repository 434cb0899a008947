"""The annotation `mirror-addon/max-latency`: fewer shadows for a mirror that has become slow.

The share of shadows that pass is halved each second while the mirror is slow, and grows by an eighth each second while
it is not (additive increase, multiplicative decrease, as in TCP: RFC 5681). An overloaded mirror thus gets about as
many shadows as it can serve. Those that pass are spread evenly; there is no random draw.

A mirror is slow if the median of its response times is above the limit. Overload makes all responses slower, which a
median shows. A few slow endpoints, or one response in a thousand that takes very long, change the mean and the 99th
percentile, and are no reason to send less.
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

logger = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between two changes of the share. Also the longest time without a shadow while there are requests."""
LEAST = 3
"""Response times that are needed to call a mirror slow. One is enough to call it quick again."""
KEPT = 64
"""The newest response times since the last change of the share. The median is that of these."""
EXPIRES = 10.0
"""Seconds after which a response time no longer counts."""
STEP = 1 / 8
"""By this the share grows in a period. A power of two, as `FLOOR` is, so that all shares are exact."""
FLOOR = 1 / 64
"""The smallest share."""


class Backoff:
    """The share of shadows that pass to a target which should respond within `limit` seconds.

    Pure: `now` is in seconds of a monotonic clock.
    """

    def __init__(self, limit: float, now: float) -> None:
        self.limit = limit
        self.share = 1.0
        self.active = False
        """Whether shadows are held back: from the first cut until the mirror is quick while all shadows pass."""
        self._latency = math.nan
        """The median at the last change of the share."""
        self._judged_at = now
        self._times: deque[tuple[float, float]] = deque(maxlen=KEPT)
        """When each response came, and after how many seconds."""
        self._passed_at = now
        self._credit = 0.0
        """Grows by `share` with each shadow. One passes when it has reached 1."""
        self._unanswered = 0
        """Shadows that have passed since the last response."""
        self._waiting_since = math.inf
        """When they became `LEAST`."""

    def take(self, now: float) -> bool:
        """Return whether a shadow may pass. If so, `ended` or `dropped` must be called for it later."""
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
        """A shadow has its response, after `seconds`; infinity if it failed."""
        self._unanswered = 0
        self._waiting_since = math.inf
        self._times.append((now, seconds))

    def dropped(self) -> None:
        """A shadow was dropped on this side, which says nothing about the mirror."""
        self._unanswered = max(self._unanswered - 1, 0)
        if self._unanswered < LEAST:
            self._waiting_since = math.inf

    def judge(self, now: float) -> bool:
        """Change the share, at most once a period. Return whether `active` has changed.

        If several shadows wait and none has ended, the time they have waited counts as the response time, so that a
        mirror that hangs is noticed before the shadows time out. Without response times and waiting shadows the share
        stays as it is.
        """
        if now - self._judged_at < PERIOD:
            return False
        times = self._times
        while times and now - times[0][0] > EXPIRES:
            times.popleft()
        if times:
            latency = sorted(seconds for _, seconds in times)[len(times) // 2]
            if latency > self.limit and len(times) < LEAST:
                return False
        else:
            latency = now - self._waiting_since
            if latency <= self.limit:
                return False
        self._latency, self._judged_at = latency, now
        times.clear()
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
        """Return the median at the last change of the share, in seconds; infinity if most shadows failed, None if that
        was more than `EXPIRES` ago."""
        return self._latency if now - self._judged_at <= EXPIRES and not math.isnan(self._latency) else None


class Backoffs:
    """A ShadowObserver with all back-offs: one for each virtual service, target and limit, from the first shadow on.

    Each is judged by all responses of its target, whichever virtual service they are for, and holds back only the
    shadows of its own virtual service. The log says when one begins and when it is over.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._backoffs: dict[str, dict[tuple[str, float], Backoff]] = {}
        """By the label of the target, then by virtual service and limit."""

    def __bool__(self) -> bool:
        return bool(self._backoffs)

    def take(self, virtual_service: str, target: str, limit: float) -> bool:
        """Return whether a shadow may pass to the target with that label, which should respond within `limit` seconds.
        If so, `outcome` must be called with it later."""
        now = self._clock()
        backoffs = self._backoffs.setdefault(target, {})
        backoff = backoffs.get((virtual_service, limit))
        if backoff is None:
            backoff = backoffs[virtual_service, limit] = Backoff(limit, now)
        self._judge(virtual_service, target, backoff, now)
        return backoff.take(now)

    def outcome(self, shadow: Shadow) -> None:
        """Take the outcome of a shadow. One that was dropped says nothing about the mirror; one that failed is slow."""
        backoffs = self._backoffs.get(shadow.label) if self._backoffs else None
        result = shadow.result
        if not backoffs or result is None:
            return
        now = self._clock()
        seconds = result.response_ms / 1000 if result.outcome == "sent" else math.inf
        for (virtual_service, _), backoff in backoffs.items():
            if result.outcome == "dropped":
                backoff.dropped()
            else:
                backoff.ended(now, seconds)
            self._judge(virtual_service, result.label, backoff, now)

    def keep(self, rules: Collection[Rule]) -> None:
        """Another table is in force, and `rules` are those of it that mirror. Remove the back-offs that have no rule
        with the same virtual service and limit."""
        limits = {(rule.owner, rule.annotations.max_latency) for rule in rules if rule.annotations is not None}
        for target, backoffs in tuple(self._backoffs.items()):
            kept = {key: backoff for key, backoff in backoffs.items() if key in limits}
            if kept:
                self._backoffs[target] = kept
            else:
                del self._backoffs[target]

    def as_list(self) -> list[dict[str, Any]]:
        """Return the back-offs as JSON values. `median_ms` is None if there are no recent responses, or if most shadows
        failed."""
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
        """Return a line of text for each back-off."""
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
        what = f"{virtual_service} -> {target}: {_latency(backoff, now)}"
        if backoff.active:
            logger.warning("mirror: %s: backing off; clients are not affected, mirror.status shows the share", what)
        else:
            logger.info("mirror: %s: backing off is over", what)


def _share(backoff: Backoff) -> str:
    return f"{backoff.share * 100:.3g} % of the shadows"


def _latency(backoff: Backoff, now: float) -> str:
    latency = backoff.latency(now)
    if latency is None:
        found = "no recent responses"
    elif math.isinf(latency):
        found = "most shadows fail"
    else:
        found = f"responds in {latency * 1000:.0f} ms"
    return f"{found} (max-latency {backoff.limit * 1000:.0f} ms)"
