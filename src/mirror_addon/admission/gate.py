"""Which of a request's mirrors get a shadow now, and the hand-over of those that do."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime

from mirror_addon.admission.limits import Limits
from mirror_addon.admission.overrides import Overrides
from mirror_addon.dispatch.counters import Counters
from mirror_addon.options.settings import Settings
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.shadow.request import shadow_authority

ListenAddress = tuple[str, int]
ANY_ADDRESSES = frozenset({"", "0.0.0.0", "::"})
LOOPBACK_ADDRESSES = frozenset({"localhost", "127.0.0.1", "::1"})


class AdmissionGate:
    """The state that decides, beside the rules, whether a shadow is sent: switches, expiry, methods, loops.

    `started` is the moment the run began (`time.time()`), from which a duration in `mirror_expires` counts.
    """

    def __init__(self, settings: Settings, counters: Counters, local_address: bytes, started: float) -> None:
        self.paused = False
        self.overrides = Overrides()
        self.limits = Limits()
        self.counters = counters
        self.local_address = local_address
        self._listeners: frozenset[ListenAddress] = frozenset()
        self.started = started
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        self.settings = settings
        self._suffix = settings.host_suffix.encode()
        self._methods = settings.methods
        expires = settings.expires
        if isinstance(expires, datetime):
            self.expires: float | None = expires.timestamp()
        else:
            self.expires = None if expires is None else self.started + expires

    def listen(self, addresses: Collection[ListenAddress]) -> None:
        """Tell the proxy's own addresses, so that a mirror which is one of them is not fed to itself."""
        own = set()
        for host, port in addresses:
            hosts = {host}
            if host in ANY_ADDRESSES:
                hosts = {self.local_address.decode(), *LOOPBACK_ADDRESSES, *ANY_ADDRESSES}
            elif host in LOOPBACK_ADDRESSES:
                hosts = {host, "localhost"}
            own |= {(each, port) for each in hosts}
        self._listeners = frozenset(own)

    @property
    def expired(self) -> bool:
        return self.expires is not None and time.time() >= self.expires

    def is_shadow(self, request: Request) -> bool:
        """Whether `request` is itself a shadow: its Host has the suffix, or its last hop is this proxy's of a shadow.

        An edge names at least two hops on a shadow, its client and itself; one alone may be the client of an edge
        before it on the same machine.
        """
        if self._suffix and self._suffix in request.authority:
            authority = request.authority
            if authority == shadow_authority(authority.replace(self._suffix, b"", 1), self._suffix):
                return True
        hops: list[bytes] = []
        for name, value in request.headers:
            if len(name) == 15 and name.lower() == b"x-forwarded-for":
                hops += value.split(b",")
        return len(hops) > self.settings.use_remote_address and hops[-1].strip() == self.local_address

    def reason_to_skip(self, request: Request, mirror: Mirror, *, paused: bool | None = None) -> str | None:
        """Why `mirror` gets no shadow of `request` (a word of the counters), or None. `paused`: in place of the switch,
        for a request that a person sends again."""
        if mirror.skipped:
            return mirror.skipped
        if not mirror.sampled:
            return "percent"
        endpoint = mirror.endpoint
        if endpoint is None:
            return "no_endpoint"
        if (self.paused if paused is None else paused) or not self.settings.enabled:
            return "paused"
        if self.expires is not None and time.time() >= self.expires:
            return "expired"
        if mirror.annotations is not None and (closed := mirror.annotations.closed(time.time())) is not None:
            return closed
        if self._methods is not None and request.method.upper() not in self._methods:
            return "method"
        if (endpoint.address, endpoint.port) in self._listeners or self.is_shadow(request):
            return "loop"
        return None

    def due(
        self, request: Request, decision: Decision, *, instead: str | None = None, paused: bool | None = None
    ) -> list[Mirror]:
        """The mirrors of `decision` that get a shadow; the others are counted with their reasons.

        `instead`: a reason that holds for all that would get one (`upgrade`, `aborted`). `paused` is passed on to
        `reason_to_skip`.
        """
        due = []
        for mirror in decision.mirrors:
            reason = self.reason_to_skip(request, mirror, paused=paused) or instead
            if not reason and mirror.annotations is not None and decision.rule is not None:
                reason = self.limits.take(decision.rule, mirror.cluster.label, mirror.annotations)
            if reason:
                self.counters.skip(mirror.cluster.label, reason)
            else:
                due.append(mirror)
        return due
