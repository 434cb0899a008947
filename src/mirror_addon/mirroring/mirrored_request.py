"""A mirrored request of mitmproxy: what its shadows are compared with, and who is told of the pairs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mitmproxy import http

from mirror_addon.compare.redaction import Redaction
from mirror_addon.flows.primary import PrimaryEnd
from mirror_addon.flows.primary import primary_end
from mirror_addon.host.upstream_clock import exchange_times
from mirror_addon.mirroring.observed_request import ObservedRequest
from mirror_addon.shadow.pair import Again
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow.subject import Subject
from mirror_addon.shadow.subject import url_of
from mirror_addon.shadow_flows import metadata as meta

if TYPE_CHECKING:
    from mirror_addon.dispatch.in_flight import Shadow
    from mirror_addon.flows.exchange import Exchange


class MirroredRequest(ObservedRequest):
    """A flow with shadows. Holds the flow until its response is there, not until the last mirror gives up."""

    __slots__ = ("at", "end", "exchange", "flow")

    def __init__(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        subject: Subject | None,
        observers: Sequence[PairObserver],
        redaction: Redaction | None = None,
    ) -> None:
        super().__init__(flow.id, subject, exchange.request, exchange.decision, observers, redaction)
        self.flow: http.HTTPFlow | None = flow
        """None once it has its response."""
        self.exchange = exchange
        self.end: PrimaryEnd | None = None
        """The response as the worker gets it, where shadows are compared."""
        self.at = 0.0
        """When that was complete, in seconds since the epoch."""

    def take_response(self, flow: http.HTTPFlow, body_limit: int) -> None:
        """Keep of the flow's response what pairs need: status and time, and where shadows are compared its header and
        `body_limit` bytes of its body."""
        if self.flow is None and (self.subject is None or self.end is not None):
            return
        came = self.exchange.answer
        message = came.message if came is not None else flow.response
        times = exchange_times(flow, message)
        if self.flow is not None:
            self.flow = None
            self.status = came.status if came is not None else message.data.status_code if message is not None else None
            self.ms = times.ms
            if any(shadow.view is not None for shadow in self.shadows):
                meta.set_times(flow, times.ms, times.first_ms)
        if self.subject is not None and self.end is None:
            self.end = primary_end(flow, self.exchange, body_limit, times)
            self.at = time.time()

    def again(self, shadow: Shadow) -> Again | None:
        if shadow.again is None or self.end is None or shadow.subject is None:
            return None
        return Again(*shadow.again, *self.end, self.at, shadow.subject, self.exchange.request)


def subject_of(flow: http.HTTPFlow, exchange: Exchange, *, with_headers: bool, twin: bool = False) -> Subject:
    """What the record says of a request; `with_headers`: the record has the request's header fields too. `twin`: the
    state of its mirrors is kept in step."""
    request, decision = exchange.request, exchange.decision
    peer = flow.client_conn.peername
    return Subject(
        flow.id,
        flow.request.timestamp_start,
        str(decision.rule or ""),
        decision.cluster.label if decision.cluster is not None else None,
        False,
        False,
        request.method.decode("latin-1"),
        url_of(request),
        exchange.draw,
        "" if not peer else f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}",
        decision.rule.ignore if decision.rule is not None else "",
        ((b"Host", request.authority), *request.headers) if with_headers else None,
        twin=twin,
    )
