"""Limits of how much a mirror gets: `mirror-addon/max-rps`, `mirror-addon/max-requests`, `mirror-addon/max-latency`.

The counts are not part of the table, so that they survive a reload of the rules. A limit that has changed begins anew.
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
    """A token bucket that holds the tokens of one second, and at least one; `rate` is in tokens a second."""

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = max(rate, 1.0)
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token, if there is one, and return whether there was. `now` is in seconds of a monotonic clock."""
        self._tokens = min(self._tokens + (now - self._at) * self.rate, max(self.rate, 1.0))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Quota:
    """A number of shadows, after which there are none."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @property
    def used_up(self) -> bool:
        return self.used >= self.limit


class Limits:
    """The rate and the back-off of each virtual service and target, and the quota of each rule and target."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.backoffs = Backoffs(clock)
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._quotas: dict[tuple[Rule, str], Quota] = {}

    def take(self, rule: Rule, target: str, annotations: MirrorAnnotations) -> str | None:
        """Count a shadow of `rule` for the target with that label and return None; if it is not to be sent, return the
        reason: `max_rps`, `max_requests` or `backoff`."""
        quota = None
        if annotations.max_requests is not None:
            key = _identity(rule), target
            quota = self._quotas.get(key)
            if quota is None or quota.limit != annotations.max_requests:
                quota = self._quotas[key] = Quota(annotations.max_requests)
            if quota.used_up:
                return "max_requests"
        if annotations.max_rps is not None:
            now = self._clock()
            bucket = self._buckets.get((rule.owner, target))
            if bucket is None or bucket.rate != annotations.max_rps:
                bucket = self._buckets[rule.owner, target] = TokenBucket(annotations.max_rps, now)
            if not bucket.take(now):
                return "max_rps"
        if annotations.max_latency is not None and not self.backoffs.take(rule.owner, target, annotations.max_latency):
            return "backoff"
        if quota is not None:
            quota.used += 1
        return None

    def begin_anew(self, rules: Collection[Rule]) -> None:
        """Set the counts of `max-requests` of these rules to 0."""
        ours = {_identity(rule) for rule in rules}
        self._quotas = {key: quota for key, quota in self._quotas.items() if key[0] not in ours}

    def keep(self, rules: Collection[Rule]) -> None:
        """Another table is in force, and `rules` are those of it that mirror. Remove the counts of other rules."""
        if not (self._quotas or self._buckets or self.backoffs):
            return
        self.backoffs.keep(rules)
        kept = {_identity(rule) for rule in rules}
        services = {rule.owner for rule in rules}
        self._quotas = {key: quota for key, quota in self._quotas.items() if key[0] in kept}
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key[0] in services}

    def lines(self) -> Iterator[str]:
        """Return a line of text for each quota."""
        for (rule, target), quota in self._quotas.items():
            over = ", over" if quota.used_up else ""
            yield f"{rule} -> {target}: {quota.used} of {quota.limit} requests{over}"


def _identity(rule: Rule) -> Rule:
    """Return the rule without the fields that change when a file is edited elsewhere: its line, its annotations."""
    return Rule(rule.virtual_service, rule.rule, rule.name, "", route=rule.route)
