"""The back-offs of all virtual services with `mirror-addon/max-latency` and their targets."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from typing import Any

from mirror_addon.backoff import Backoff
from mirror_addon.routing.decision import Rule
from mirror_addon.shadow.result import ShadowResult

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

    def note(self, result: ShadowResult) -> None:
        """Take the end of a shadow. One that was dropped says nothing of the mirror; one that failed is slow."""
        backoffs = self._backoffs.get(result.label)
        if not backoffs:
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
