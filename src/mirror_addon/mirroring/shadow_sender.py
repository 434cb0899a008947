"""From the mirrors that are due to shadows with the workers.

The request is there, or its body begins to. Its shadows are admitted to the book, made, changed by scripts where any
has the hook `mirror_shadow` (`scripted`), and handed over to the dispatcher.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from mitmproxy import ctx
from mitmproxy import http

from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.upload import BodySink
from mirror_addon.dispatch.upload import cost_of
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.leaving import goes_where_decided
from mirror_addon.host.shadow_hook import ShadowHook
from mirror_addon.mirroring.comparison_samples import ComparisonSamples
from mirror_addon.mirroring.engine_settings import has_twin
from mirror_addon.mirroring.engine_settings import limits_of
from mirror_addon.mirroring.engine_settings import redaction_of
from mirror_addon.mirroring.mirrored_request import MirroredRequest
from mirror_addon.mirroring.mirrored_request import subject_of
from mirror_addon.mirroring.scripted import Edited
from mirror_addon.mirroring.scripted import LateUpload
from mirror_addon.mirroring.scripted import ScriptedShadows
from mirror_addon.mirroring.shadow_maker import ShadowMaker
from mirror_addon.options.settings import Settings
from mirror_addon.routing.decision import Mirror
from mirror_addon.shadow.control import is_control
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow_flows.flow_list import ShadowFlows

logger = logging.getLogger(__name__)

DEFERRED_BYTES = 16 * 1024
"""A request with a longer body is handed over at once: a batch would hold the body in memory."""

Due = Sequence[tuple[Shadow, Mirror | ShadowRequest]]
"""Admitted shadows, each with the mirror it is for, or already made."""


class Sandboxed(Protocol):
    """The sandbox for mirrors' calls, if there is one."""

    def admitted(self, flow: http.HTTPFlow, shadows: Sequence[Shadow]) -> None: ...


class ShadowSender:
    """Makes shadows and hands them over, by the options in force. Starts its workers at once; needs the running loop.

    The writer changes its attributes with the options. `catch_up` is called with a flow that got shadows, which may
    have its response already, `watch` where there is a new primary.
    """

    def __init__(
        self,
        settings: Settings,
        local_address: bytes,
        book: InFlight,
        gate: AdmissionGate,
        catch_up: Callable[[http.HTTPFlow], None],
        watch: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.book = book
        self.gate = gate
        self.catch_up = catch_up
        self.watch = watch
        self.maker = ShadowMaker(settings, local_address)
        self.scripts = ScriptedShadows(ShadowHook(ctx.master.addons), book.counters)
        self.samples = ComparisonSamples()
        self.flows = ShadowFlows(settings.pairs)
        self.observers: list[PairObserver] = []
        """They are told of each pair."""
        self.keeps: Callable[[ShadowRequest, bytes], bool] | None = None
        """Which shadows are kept until their comparison, so that they can be sent again (`mirror_rerun`)."""
        self.shows_flows = False
        self.compares = False
        self.has_subjects = False
        """Shadows are compared or recorded."""
        self.defers = True
        """Nobody looks at a shadow before it is sent."""
        self.sandbox: Sandboxed | None = None
        """Is told which shadows will be sent."""
        self.dispatcher = self.start()

    def start(self) -> Dispatcher:
        """Return a dispatcher with the present limits, started."""
        dispatcher = Dispatcher(limits_of(self.settings), self.book)
        dispatcher.start()
        return dispatcher

    def send(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes, *, paused: bool | None = None) -> int:
        """Send the shadows of a request that is there as a whole. Return how many there are, with those that scripts
        may leave out. `paused` as for `AdmissionGate.due`."""
        mirrors = self.due(exchange, paused)
        if not mirrors:
            return 0
        if self.scripts.wanted():
            exchange.settled = True
            if self.dispatcher.reserve(cost := cost_of(len(body))):
                self.scripts.start(self._send_edited(flow, exchange, mirrors, body, self.dispatcher, cost))
            else:
                self.refuse(flow, exchange, mirrors, "queue_full")
            return len(mirrors)
        due = self.admit(flow, exchange, mirrors, len(body))
        if self.defers and len(body) <= DEFERRED_BYTES:
            self.dispatcher.later(partial(self.hand_over, exchange, due, body))
        else:
            self.hand_over(exchange, due, body, flow)
        return len(due)

    def due(self, exchange: Exchange, paused: bool | None = None) -> list[Mirror]:
        """The mirrors that get a shadow; the others are counted."""
        mirrors = self.gate.due(exchange.request, exchange.decision, paused=paused)
        exchange.settled = not mirrors
        return mirrors

    def admit(self, flow: http.HTTPFlow, exchange: Exchange, mirrors: Sequence[Mirror], body: int | None) -> Due:
        """The shadows for `mirrors`, from now on in the book, and their control, if there is one. `body` is the length
        of the request's, None if it comes in pieces."""
        if not mirrors:
            return ()
        decision, admit = exchange.decision, self.book.admit
        primary = self._primary(flow, exchange)
        controls = [is_control(decision, mirror) for mirror in mirrors]
        control = None
        if self.settings.control and self.compares and goes_where_decided(flow, decision):
            control = self.maker.control(exchange, mirrors[0], body, self.gate)
        controlled = control is not None or any(controls)
        due: list[tuple[Shadow, Mirror | ShadowRequest]] = [
            (admit(primary, mirror.cluster.label, control=again, controlled=controlled), mirror)
            for mirror, again in zip(mirrors, controls, strict=True)
        ]
        if control is not None:
            due.append((admit(primary, control.target.label, control=True), control))
        if self.sandbox is not None:
            self.sandbox.admitted(flow, [shadow for shadow, _ in due])
        exchange.settled = True
        return due

    def _primary(self, flow: http.HTTPFlow, exchange: Exchange) -> MirroredRequest:
        found = self.book.primaries.get(flow.id)
        if isinstance(found, MirroredRequest):
            return found
        subject = None
        twin = has_twin(self.settings, exchange.decision)
        if self.has_subjects or twin or self.samples.wants(exchange.decision):
            with_headers = bool(self.settings.record) and self.settings.record_bodies
            subject = subject_of(flow, exchange, with_headers=with_headers, twin=twin)
        if not self.book.primaries:  # else it is running
            self.watch()
        return MirroredRequest(flow, exchange, subject, self.observers, redaction_of(self.settings.redact))

    def hand_over(self, exchange: Exchange, due: Due, body: bytes, flow: http.HTTPFlow | None = None) -> None:
        """Make the shadows and pass them to the workers; `flow` where they may be shown."""
        for shadow, mirror in due:
            request = self.maker.made(self.dispatcher, exchange, shadow, mirror, len(body))
            if request is not None:
                if flow is not None and self.shows_flows:
                    self.flows.expect(shadow, request, flow, body, exchange.request)
                if self.keeps is not None and self.keeps(request, body):
                    shadow.again = request, body
                self.dispatcher.offer(shadow, request, body)

    def drop(self, flow: http.HTTPFlow, exchange: Exchange, reason: str) -> None:
        """Drop the shadows of a request before they are made."""
        self.refuse(flow, exchange, self.due(exchange), reason)

    def refuse(self, flow: http.HTTPFlow, exchange: Exchange, mirrors: Sequence[Mirror], reason: str) -> None:
        """Drop the shadows for `mirrors`."""
        for shadow, _ in self.admit(flow, exchange, mirrors, None):
            self.dispatcher.refuse(shadow, reason)

    # Shadows that scripts may change

    async def _edited(
        self, flow: http.HTTPFlow, exchange: Exchange, mirrors: Sequence[Mirror], body: bytes | None
    ) -> list[Edited]:
        """The shadows for `mirrors` as scripts leave them. Those of a run that ends meanwhile are dropped."""
        length = None if body is None else len(body)
        made = [(mirror, self.maker.shadow(exchange, mirror, length)) for mirror in mirrors]
        try:
            return await self.scripts.edit(flow, made, body, str(exchange.decision.rule or ""), self.settings.timeout)
        except asyncio.CancelledError:
            self.refuse(flow, exchange, mirrors, "shutdown")
            raise

    async def _send_edited(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        mirrors: Sequence[Mirror],
        body: bytes,
        dispatcher: Dispatcher,
        cost: int,
    ) -> None:
        try:
            edited = await self._edited(flow, exchange, mirrors, body)
        finally:
            dispatcher.release(cost)
        due = self.admit(flow, exchange, [each.mirror for each in edited], len(body))
        for (shadow, _), each in zip(due, edited, strict=False):
            self.hand_over(exchange, ((shadow, each.request),), each.body, flow)
        self.hand_over(exchange, due[len(edited) :], body, flow)  # the control
        self.catch_up(flow)

    async def _open_edited(
        self, flow: http.HTTPFlow, exchange: Exchange, mirrors: Sequence[Mirror], late: LateUpload
    ) -> None:
        try:
            edited = await self._edited(flow, exchange, mirrors, None)
        except BaseException:
            late.abort()
            raise
        left = [each.mirror for each in edited]
        if late.problem:
            self.refuse(flow, exchange, left, late.problem)
            return
        due = self.admit(flow, exchange, left, None)
        requests = [(shadow, each.request) for (shadow, _), each in zip(due, edited, strict=True)]
        late.pass_to(self._open_shadows(flow, exchange, requests))

    def open(self, flow: http.HTTPFlow, exchange: Exchange) -> Sequence[BodySink]:
        """Begin the shadows of a request whose body comes in pieces; return what the pieces are given to."""
        mirrors = self.due(exchange)
        if mirrors and self.scripts.wanted():
            exchange.settled = True
            late = LateUpload(self.dispatcher, self.settings.max_body)
            self.scripts.start(self._open_edited(flow, exchange, mirrors, late))
            return (late,)
        return self._open_shadows(flow, exchange, self.admit(flow, exchange, mirrors, None))

    def _open_shadows(self, flow: http.HTTPFlow, exchange: Exchange, due: Due) -> list[BodySink]:
        uploads: list[BodySink] = []
        for shadow, mirror in due:
            request = self.maker.made(self.dispatcher, exchange, shadow, mirror, None)
            if request is not None:
                if self.shows_flows:
                    self.flows.expect(shadow, request, flow, None, exchange.request)
                uploads.append(self.dispatcher.open(shadow, request))
        self.catch_up(flow)
        return uploads
