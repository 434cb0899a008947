"""How much a mirror gets: `mirror-addon/max-rps`, `mirror-addon/max-requests`, `mirror-addon/max-latency`.

The counts live beside the table, so that a reload for another reason does not begin them anew; another limit does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator

from mirror_addon.admission.backoff import Backoffs
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.routing.decision import Rule


class TokenBucket:
    """Lets `rate` a second pass on average, and after a pause at most those of one second (one at least) at once."""

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = max(rate, 1.0)
        self._at = now

    def take(self, now: float) -> bool:
        """May one pass at `now` (seconds of a monotonic clock)?"""
        self._tokens = min(self._tokens + (now - self._at) * self.rate, max(self.rate, 1.0))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Quota:
    """Lets `limit` pass, and none after them."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self) -> bool:
        if self.used >= self.limit:
            return False
        self.used += 1
        return True


class Limits:
    """The rate and the back-off of each virtual service and target, the quota of each rule and target."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.backoffs = Backoffs(clock)
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._quotas: dict[tuple[Rule, str], Quota] = {}

    def take(self, rule: Rule, target: str, annotations: MirrorAnnotations) -> str | None:
        """Count a shadow of `rule` for the target with that label, or say why there is none: `max_rps`,
        `max_requests`, `backoff`."""
        quota = None
        if annotations.max_requests is not None:
            key = _identity(rule), target
            quota = self._quotas.get(key)
            if quota is None or quota.limit != annotations.max_requests:
                quota = self._quotas[key] = Quota(annotations.max_requests)
            if quota.used >= quota.limit:
                return "max_requests"
        if annotations.max_rps is not None:
            now = self._clock()
            bucket = self._buckets.get((rule.virtual_service, target))
            if bucket is None or bucket.rate != annotations.max_rps:
                bucket = self._buckets[rule.virtual_service, target] = TokenBucket(annotations.max_rps, now)
            if not bucket.take(now):
                return "max_rps"
        if annotations.max_latency is not None and not self.backoffs.take(
            rule.virtual_service, target, annotations.max_latency
        ):
            return "backoff"
        if quota is not None:
            quota.take()
        return None

    def begin_anew(self, rules: Collection[Rule]) -> None:
        """Forget what these rules have used up of `max-requests`."""
        ours = {_identity(rule) for rule in rules}
        self._quotas = {key: quota for key, quota in self._quotas.items() if key[0] not in ours}

    def keep(self, rules: Collection[Rule]) -> None:
        """Another table is in force, whose limited rules are these: what is of others goes."""
        if not (self._quotas or self._buckets or self.backoffs):
            return
        self.backoffs.keep(rules)
        kept = {_identity(rule) for rule in rules}
        services = {rule.virtual_service for rule in rules}
        self._quotas = {key: quota for key, quota in self._quotas.items() if key[0] in kept}
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key[0] in services}

    def lines(self) -> Iterator[str]:
        """The quotas, for people."""
        for (rule, target), quota in self._quotas.items():
            over = ", over" if quota.used >= quota.limit else ""
            yield f"{rule} -> {target}: {quota.used} of {quota.limit} requests{over}"


def _identity(rule: Rule) -> Rule:
    """The rule without what another reading of the same file may change."""
    return Rule(rule.virtual_service, rule.rule, rule.name, "")
