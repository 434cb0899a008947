"""Shadows and their primaries: what a shadow is compared with, what a primary answered, and who is told of the pair.

Everything runs in the proxy's loop. A flow is held from its first shadow until it is answered, and not until a mirror
that hangs gives up; a flow that ends without a word of mitmproxy is let go by a look at all of them now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import NamedTuple

from mitmproxy import http

from mirror_addon.flows.primary import PrimaryEnd
from mirror_addon.flows.primary import primary_end
from mirror_addon.flows.primary import status_and_time
from mirror_addon.flows.primary import url_of
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow.subject import Subject

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison
    from mirror_addon.dispatch.dispatcher import Dispatcher
    from mirror_addon.flows.exchange import Exchange
    from mirror_addon.shadow.request import ShadowRequest
    from mirror_addon.shadow.result import ShadowResult
    from mirror_addon.shadow.result import ShadowVerdict

logger = logging.getLogger(__name__)

_LOOK_EVERY = 5.0


class PairingMode(NamedTuple):
    """What pairs are wanted for."""

    subjects: bool = False
    """Shadows are compared or recorded."""
    request_headers: bool = False
    """The record has the request's header fields."""
    body: int = 0
    """Bytes of a primary's body that are compared; 0: none are."""


class _Group:
    """A primary and its shadows that are not told yet."""

    __slots__ = ("answered", "dispatcher", "end", "exchange", "flow", "id", "ms", "shadows", "status")

    def __init__(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        self.id = flow.id
        self.flow: http.HTTPFlow | None = flow
        """None once it is answered."""
        self.exchange = exchange
        self.dispatcher: Dispatcher | None = None
        """Who gets the primary's answer; None: nobody."""
        self.answered = False
        self.status: int | None = None
        self.ms: float | None = None
        self.end: PrimaryEnd | None = None
        """What the dispatcher was told."""
        self.shadows: dict[str, _Shadow] = {}


class _Shadow:
    __slots__ = ("comparison", "control", "group", "result", "waits")

    def __init__(self, group: _Group, control: bool, waits: bool) -> None:
        self.group = group
        self.control = control
        self.waits = waits
        """For a verdict."""
        self.result: ShadowResult | None = None
        self.comparison: Comparison | None = None


class Pairing:
    """Tells `observers` of every pair, and the workers of what primaries answered."""

    def __init__(self, observers: Sequence[PairObserver]) -> None:
        self.mode = PairingMode()
        self._observers = observers
        self._groups: dict[str, _Group] = {}
        self._shadows: dict[str, _Shadow] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def active(self) -> bool:
        """Whether there is anything to do for new shadows."""
        return self.mode.subjects or bool(self._observers)

    @property
    def waiting(self) -> bool:
        """Whether any shadow waits for its primary."""
        return bool(self._groups)

    def begin(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        shadows: Sequence[tuple[ShadowRequest, bool]],
        dispatcher: Dispatcher,
    ) -> None:
        """All shadows of a primary, each with whether it is a control, before the first is handed over."""
        subjects = self.mode.subjects
        group = self._groups.get(flow.id)
        if group is None:
            group = self._groups[flow.id] = _Group(flow, exchange)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
        if subjects:
            group.dispatcher = dispatcher
            subject = self._subject(flow, exchange)
            controlled = any(control for _, control in shadows)
            for shadow, control in shadows:
                shadow.subject = subject._replace(control=control, controlled=controlled and not control)
        for shadow, control in shadows:
            group.shadows[shadow.id] = self._shadows[shadow.id] = _Shadow(group, control, subjects)

    def _subject(self, flow: http.HTTPFlow, exchange: Exchange) -> Subject:
        request, decision = exchange.request, exchange.decision
        peer = flow.client_conn.peername
        headers = None
        if self.mode.request_headers:
            headers = ((b"Host", request.authority), *request.headers)
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
            headers,
        )

    def answered(self, flow: http.HTTPFlow, end: tuple[int | None, float | None] | None = None) -> None:
        """A primary has its answer, or there will be none. May be said again when it has got more shadows. `end` is
        what `status_and_time` said of it; None: as they are now."""
        group = self._groups.get(flow.id)
        if group is None:
            return
        if not group.answered:
            group.answered = True
            group.flow = None
            group.status, group.ms = end or status_and_time(flow)
        if group.dispatcher is not None:
            if group.end is None:
                group.end = primary_end(flow, group.exchange, self.mode.body)
            group.dispatcher.answer(flow.id, group.end.answer, group.end.note)
        for id, shadow in list(group.shadows.items()):
            self._tell(id, shadow)

    def result(self, result: ShadowResult) -> None:
        """A shadow has ended."""
        shadow = self._shadows.get(result.id)
        if shadow is not None:
            shadow.result = result
            self._tell(result.id, shadow)

    def verdict(self, verdict: ShadowVerdict) -> None:
        """The worker has compared it."""
        shadow = self._shadows.get(verdict.id)
        if shadow is not None:
            shadow.comparison = verdict.comparison
            shadow.waits = False
            self._tell(verdict.id, shadow)

    def _tell(self, id: str, shadow: _Shadow) -> None:
        """Tell of the pair if all of it is known."""
        group, result = shadow.group, shadow.result
        if result is None or shadow.waits or not group.answered:
            return
        del self._shadows[id]
        del group.shadows[id]
        if not group.shadows:
            self._groups.pop(group.id, None)
        if not self._observers:
            return
        exchange = group.exchange
        cluster = exchange.decision.cluster
        pair = Pair(
            id,
            group.id,
            str(exchange.decision.rule or ""),
            cluster.label if cluster is not None else "",
            result.label,
            exchange.request.method.decode("latin-1"),
            url_of(exchange.request),
            shadow.control,
            group.status,
            group.ms,
            result,
            shadow.comparison,
        )
        for observer in self._observers:
            try:
                observer.pair(pair)
            except Exception as error:  # somebody else's code, which must not keep others from being told
                logger.warning("mirror: %s: %s: %s", type(observer).__name__, type(error).__name__, error)

    def _look(self) -> None:
        """Let go of flows that ended without a word."""
        for group in list(self._groups.values()):
            if group.flow is not None and not group.flow.live:
                self.answered(group.flow)
        self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look) if self._groups else None

    def close(self) -> None:
        """No more is to come: tell of what is known."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._groups.clear()
        self._shadows.clear()
