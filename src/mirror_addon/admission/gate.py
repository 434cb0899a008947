"""Which of a request's mirrors get a shadow now.

Theory of operation. The routing table has decided which mirrors a request has, from the rules alone. This room decides
whether each of them gets a shadow at this moment, from state that rules do not have: options and switches that may
change while the proxy runs, the clock, what was sent before, and the response. All of it runs in the proxy's event
loop, once or twice a request, and sends nothing. A mirror that gets no shadow is counted as skipped, with a reason.

In the order in which they are applied:

    overrides   `mirror.pause RULE` and `mirror.percent`: change the decision itself, as soon as it is made.
    when        `mirror-addon/when`, a filter over the flow. Some need the response; `mirroring` then holds the request.
    gate        This module: the mirror's own reason, sampling, `mirror_enabled` and `mirror.pause`, `mirror_expires`
                and the annotations `expires` and `active`, `mirror_methods`, loops.
    limits      `max-requests` and `max-rps`, counted for each rule or virtual service and target.
    backoff     `max-latency`: a share of the shadows, which follows the response times of the target.

`limits` and `backoff` come last, because they count only shadows that nothing else forbids. `expiry_log` decides
nothing: it logs when the passing of time has changed what the gate decides.
"""

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
from mirror_addon.shadow.request import has_suffix

ListenAddress = tuple[str, int]
ANY_ADDRESSES = frozenset({"", "0.0.0.0", "::"})
LOOPBACK_ADDRESSES = frozenset({"localhost", "127.0.0.1", "::1"})


class AdmissionGate:
    """Decides whether a shadow is sent: switches, expiry, methods, loops, limits.

    `local_address` is this machine's, as in X-Forwarded-For. `started` is the moment at which the run began, in seconds
    since the epoch; a duration in `mirror_expires` counts from it.
    """

    def __init__(self, settings: Settings, counters: Counters, local_address: bytes, started: float) -> None:
        self.paused = False
        """The switch of `mirror.pause` and `mirror.resume`."""
        self.overrides = Overrides()
        self.limits = Limits()
        self.counters = counters
        self.local_address = local_address
        self._listeners: frozenset[ListenAddress] = frozenset()
        self.started = started
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take options, in force for the next request."""
        self.settings = settings
        self._suffix = settings.host_suffix.encode().lower()
        self._methods = settings.methods
        expires = settings.expires
        if isinstance(expires, datetime):
            self.expires: float | None = expires.timestamp()
        else:
            self.expires = None if expires is None else self.started + expires

    def listen(self, addresses: Collection[ListenAddress]) -> None:
        """Take the addresses at which the proxy listens. A mirror with one of them would be a loop."""
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
        """Whether `mirror_expires` has passed."""
        return self.expires is not None and time.time() >= self.expires

    def is_shadow(self, request: Request) -> bool:
        """Return whether `request` is itself a shadow: its host name ends with the suffix, or this proxy is the last
        hop in its X-Forwarded-For.

        An edge (`mirror_use_remote_address`) puts at least two hops on a shadow, its client and itself. A single hop
        with the address of this machine may be the client of another edge that runs here.
        """
        if self._suffix and self._suffix in request.authority.lower() and has_suffix(request.authority, self._suffix):
            return True
        hops: list[bytes] = []
        for name, value in request.headers:
            if len(name) == 15 and name.lower() == b"x-forwarded-for":
                hops += value.split(b",")
        return len(hops) > self.settings.use_remote_address and hops[-1].strip() == self.local_address

    def reason_to_skip(self, request: Request, mirror: Mirror, *, paused: bool | None = None) -> str | None:
        """Return why `mirror` gets no shadow of `request`, a reason of the counters, or None if it gets one.

        `paused` replaces the switch, for a request that a person sends again.
        """
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
        """Return the mirrors of `decision` that get a shadow, and count the others with their reasons.

        `instead` is a reason for all mirrors that have no other: none of them gets a shadow then (`upgrade`,
        `aborted`). `paused` is passed on to `reason_to_skip`.
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
