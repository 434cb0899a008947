"""From a routed request to its shadows: which are due, when they are handed over, and what pairs are made of them.

Theory of operation. `addon` calls a method here at each turn of a request's life; all of it runs in the proxy's event
loop. `offer` decides at once which mirrors get a shadow (`AdmissionGate`) and admits those to the book of shadows in
flight. To make a shadow and its frame is deferred to the dispatcher's next batch where nobody looks at the shadow
(`_defers`). A request whose rule has a filter over the response (`mirror-addon/when`) is held (`HeldRequests`); a body
that is streamed is passed on in pieces (`tee`). `answered` ends the primary's part. The book tells observers of pairs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mitmproxy import http

from mirror_addon.admission.expiry_log import ExpiryLog
from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.admission.when import When
from mirror_addon.admission.when import compile_when
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.dispatch.upload import Upload
from mirror_addon.display.log import Lines
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring import tee
from mirror_addon.mirroring.comparison_samples import ComparisonSamples
from mirror_addon.mirroring.engine_settings import COMPARED_BODY
from mirror_addon.mirroring.engine_settings import recording_of
from mirror_addon.mirroring.failure_log import FailureLog
from mirror_addon.mirroring.held import HeldRequest
from mirror_addon.mirroring.held import HeldRequests
from mirror_addon.mirroring.mirrored_request import MirroredRequest
from mirror_addon.mirroring.mirrored_request import subject_of
from mirror_addon.mirroring.shadow_maker import ShadowMaker
from mirror_addon.options.settings import Settings
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.control import is_control
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow_flows.flow_list import ShadowFlows

logger = logging.getLogger(__name__)

DEFERRED_BYTES = 16 * 1024
"""A request with a longer body is handed over at once: a batch would hold the body in memory."""
LOOK_SECONDS = 5.0
"""How often flows are looked for that ended without a hook of mitmproxy."""

GATE_OPTIONS = frozenset(
    {"mirror_enabled", "mirror_methods", "mirror_expires", "mirror_host_suffix", "mirror_use_remote_address"}
)
MAKER_OPTIONS = frozenset({"mirror_host_suffix", "mirror_timeout", "mirror_control"})
ENGINE_OPTIONS = frozenset({"mirror_concurrency", "mirror_workers", "mirror_queue", "mirror_max_body"})
"""Options that make another dispatcher."""
PAIR_OPTIONS = ENGINE_OPTIONS | {
    "mirror_compare", "mirror_record", "mirror_record_bodies", "mirror_record_rotate", "mirror_redact",
    "mirror_responses", "mirror_web_port",
}  # fmt: skip
"""Options that change what workers keep, compare and record."""

Due = Sequence[tuple[Shadow, Mirror | ShadowRequest]]
"""Admitted shadows, each with the mirror it is for, or already made."""


class ShadowWriter:
    """Sends the shadows of exchanges. Starts its workers at once; needs the running event loop."""

    def __init__(self, settings: Settings, local_address: bytes, comparison_rules: str = "") -> None:
        self.settings = settings
        self.local_address = local_address
        self.book = InFlight()
        self.counters = self.book.counters
        self.observers: list[PairObserver] = []
        """They are told of each pair."""
        self.flows = ShadowFlows(settings.pairs)
        self.shows_flows = False
        self._page_is_open = False
        self.comparison_rules = comparison_rules
        """The text of `compare.yaml`, which can be parsed."""
        self._recording: Recording | None = None
        self.dispatcher = self._dispatcher()
        self._draining: dict[Dispatcher, asyncio.Future[None]] = {}
        self.gate = AdmissionGate(settings, self.counters, local_address, time.time())
        self.book.observers += (FailureLog(), self.gate.limits.backoffs)
        self.samples = ComparisonSamples()
        self.holding = HeldRequests()
        self.expiry_log = ExpiryLog()
        self.expiry_log.of_run(self.gate.expires)
        self._maker = ShadowMaker(settings, local_address)
        self._timer: asyncio.TimerHandle | None = None
        self.look_for_views()

    # Options and switches

    def apply(self, settings: Settings, updated: frozenset[str]) -> None:
        """Take the options in `updated`: in force for the next request. Shadows handed over finish as they began."""
        self.settings = settings
        self.flows.keep = settings.pairs
        if GATE_OPTIONS & updated:
            self.gate.apply(settings)
            self.expiry_log.of_run(self.gate.expires)
        if MAKER_OPTIONS & updated:
            self.dispatcher.flush()
            self._maker.apply(settings)
        if ENGINE_OPTIONS & updated:
            self._recording = None
            old, self.dispatcher = self.dispatcher, self._dispatcher()
            self._draining[old] = draining = asyncio.ensure_future(old.close(settings.drain))
            draining.add_done_callback(lambda _: self._draining.pop(old))
        if PAIR_OPTIONS & updated:
            self._attune()

    def compare_by(self, rules: str) -> bool:
        """Take rules of comparison that can be parsed, for the responses that come from now on; False: nothing new."""
        if rules == self.comparison_rules:
            return False
        self.comparison_rules = rules
        self._attune()
        return True

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force."""
        self.gate.limits.keep(table.mirroring)
        for gone in self.gate.overrides.keep(table.mirroring):
            logger.info("mirror: no longer overridden, because the rule is gone: %s", gone)
        self.expiry_log.of_rules(table.mirroring)

    def look_for_views(self) -> None:
        """See again whether anything shows or saves flows: a file for them may be named at any time."""
        shows_flows = self.flows.wanted()
        if shows_flows != self.shows_flows:
            self.shows_flows = shows_flows
            self.observers[:] = [each for each in self.observers if each is not self.flows]
            if shows_flows:
                self.observers.append(self.flows)
        self._attune()

    def compare_from_now_on(self) -> None:
        """Somebody looks at the pairs, for as long as the proxy runs."""
        self._page_is_open = True
        self._attune()

    @property
    def compares(self) -> bool:
        """Whether responses are kept and compared."""
        settings = self.settings
        looked_at = self.shows_flows or self._page_is_open or settings.record or settings.web_port is not None
        return settings.responses == "keep" or (settings.responses == "auto" and bool(looked_at))

    def _attune(self) -> None:
        """Let dispatcher and workers keep, compare and record what is wanted now."""
        self.dispatcher.flush()
        settings, compares = self.settings, self.compares
        keep = COMPARED_BODY if compares and self.shows_flows else 0
        self._compared_body = COMPARED_BODY if compares or settings.responses != "discard" else 0  # a few samples
        self._has_subjects = compares or bool(settings.record)
        self._defers = not (self.shows_flows or self._has_subjects)
        limits = self.dispatcher.settings
        if (limits.keep_body, limits.compare_body) != (keep, self._compared_body):
            self.dispatcher.settings = replace(limits, keep_body=keep, compare_body=self._compared_body)
        recording = recording_of(settings, self.comparison_rules, compare=self._compared_body > 0)
        if recording != self._recording:
            self._recording = recording
            self.dispatcher.configure(recording)

    def _dispatcher(self) -> Dispatcher:
        settings = self.settings
        limits = ShadowSettings(
            concurrency=settings.concurrency,
            workers=settings.workers,
            queue=settings.queue,
            max_body=settings.max_body,
        )
        dispatcher = Dispatcher(limits, self.book)
        dispatcher.start()
        return dispatcher

    async def close(self) -> None:
        """Let what was handed over finish within `mirror_drain`, end the workers, and log the counters."""
        self.expiry_log.stop()
        for held in self.holding.take_all():
            self._drop(held.flow, held.exchange, "shutdown")
        await self.dispatcher.close(self.settings.drain)
        if self._draining:
            await asyncio.wait(self._draining.values())
        self.flows.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.book.forget()
        if self.counters.requests:
            logger.info("mirror: at the end\n%s", Lines(self.counters.text().rstrip()))

    # The shadows of an exchange

    def none(self, exchange: Exchange, reason: str | None = None) -> None:
        """Settle an exchange that gets no shadow: each mirror is counted with its own reason, else with `reason`."""
        exchange.settled = True
        self.gate.due(exchange.request, exchange.decision, instead=reason)

    def offer(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes) -> None:
        """Send the shadows of a request that is there as a whole, or hold it until its response is there."""
        when = _when(exchange)
        wanted = True if when is None else when.now(flow)
        if wanted:
            self._send(flow, exchange, body)
        elif when is None or wanted is False:
            self.none(exchange, "when")
        else:
            self._hold(flow, exchange, body, when)

    def _send(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes, *, paused: bool | None = None) -> int:
        """How many shadows there are. `paused` as for `AdmissionGate.due`."""
        due = self._admit(flow, exchange, len(body), paused)
        if due:
            if self._defers and len(body) <= DEFERRED_BYTES:
                self.dispatcher.later(partial(self._hand_over, exchange, due, body))
            else:
                self._hand_over(exchange, due, body, flow)
        return len(due)

    def _admit(self, flow: http.HTTPFlow, exchange: Exchange, body: int | None, paused: bool | None = None) -> Due:
        """The shadows that are due, from now on in the book; `body` is the length of the request's, None if it comes
        in pieces."""
        exchange.settled = True
        decision, admit = exchange.decision, self.book.admit
        mirrors = self.gate.due(exchange.request, decision, paused=paused)
        if not mirrors:
            return ()
        primary = self._primary(flow, exchange)
        controls = [is_control(decision, mirror) for mirror in mirrors]
        control = None
        if self.settings.control and self.compares:
            control = self._maker.control(exchange, mirrors[0], body, self.gate)
        controlled = control is not None or any(controls)
        due: list[tuple[Shadow, Mirror | ShadowRequest]] = [
            (admit(primary, mirror.cluster.label, control=again, controlled=controlled), mirror)
            for mirror, again in zip(mirrors, controls, strict=True)
        ]
        if control is not None:
            due.append((admit(primary, control.target.label, control=True), control))
        return due

    def _primary(self, flow: http.HTTPFlow, exchange: Exchange) -> MirroredRequest:
        if isinstance(found := self.book.primaries.get(flow.id), MirroredRequest):
            return found
        subject = None
        if self._has_subjects or self.samples.wants(exchange.decision):
            subject = subject_of(
                flow, exchange, with_headers=bool(self.settings.record) and self.settings.record_bodies
            )
        if self._timer is None:
            self._look_later()
        return MirroredRequest(flow, exchange, subject, self.observers)

    def _hand_over(self, exchange: Exchange, due: Due, body: bytes, flow: http.HTTPFlow | None = None) -> None:
        """Make the shadows and pass them to the workers; `flow` where they may be shown."""
        for shadow, mirror in due:
            request = self._made(exchange, shadow, mirror, len(body))
            if request is not None:
                if flow is not None and self.shows_flows:
                    self.flows.expect(shadow, request, flow, body, exchange.request)
                self.dispatcher.offer(shadow, request, body)

    def _made(
        self, exchange: Exchange, shadow: Shadow, mirror: Mirror | ShadowRequest, body: int | None
    ) -> ShadowRequest | None:
        """The request of a shadow; None if it cannot be made, and is dropped."""
        if isinstance(mirror, ShadowRequest):
            return mirror
        try:
            return self._maker.shadow(exchange, mirror, body)
        except Exception as error:  # a fault of this program, which must not keep other shadows from being sent
            logger.error("mirror: a shadow was not made: %s: %s; please report this", type(error).__name__, error)
            self.dispatcher.refuse(shadow, "unsendable")
            return None

    def _drop(self, flow: http.HTTPFlow, exchange: Exchange, reason: str) -> None:
        """Drop the shadows of a request before they are made."""
        for shadow, _ in self._admit(flow, exchange, None):
            self.dispatcher.refuse(shadow, reason)

    def replay(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes) -> int:
        """Send the shadows of a request that came before, because a person asked for it: neither a pause nor
        `mirror-addon/when` holds that back. They are compared with the response that the flow has."""
        sent = self._send(flow, exchange, body, paused=False)
        self._catch_up(flow)
        return sent

    # Requests that are held

    def _hold(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes, when: When) -> None:
        exchange.settled = True
        skip = self.gate.reason_to_skip
        if all(skip(exchange.request, mirror) for mirror in exchange.decision.mirrors):
            self.none(exchange, "when")
        elif len(body) > self.settings.max_body:
            self._drop(flow, exchange, "body_too_large")
        elif not self.holding.hold(flow, exchange, body, when, self.dispatcher):
            self._drop(flow, exchange, "queue_full")
        elif self._timer is None:
            self._look_later()

    def _decide(self, held: HeldRequest) -> None:
        """The primary has ended."""
        if held.when.at_end(held.flow):
            self._send(held.flow, held.exchange, held.body)
        else:
            self.none(held.exchange, "when")

    # Bodies that are streamed

    def tee(self, flow: http.HTTPFlow, exchange: Exchange) -> Callable[[bytes], Any]:
        """What to put into `request.stream`, so that the body goes to the shadows too."""
        return tee.tee(flow, exchange, lambda: self._open(flow, exchange))

    def _open(self, flow: http.HTTPFlow, exchange: Exchange) -> list[Upload]:
        uploads: list[Upload] = []
        when = _when(exchange)
        if when is not None and not (wanted := when.now(flow)):
            self.none(exchange, "streamed" if wanted is None else "when")
            return uploads
        for shadow, mirror in self._admit(flow, exchange, None):
            request = self._made(exchange, shadow, mirror, None)
            if request is not None:
                if self.shows_flows:
                    self.flows.expect(shadow, request, flow, None, exchange.request)
                uploads.append(self.dispatcher.open(shadow, request))
        self._catch_up(flow)
        return uploads

    def abort(self, exchange: Exchange) -> None:
        """The client closed its connection before its request was complete."""
        if exchange.uploads is None:
            self.none(exchange, "aborted")
        exchange.settled = True
        for upload in exchange.uploads or ():
            upload.abort("aborted")

    # The primary's end

    def answered(self, flow: http.HTTPFlow) -> None:
        """The primary has its response, or there will be none. May be called again when it got more shadows."""
        if self.holding and (held := self.holding.take(flow)) is not None:
            self._decide(held)
        primary = self.book.primaries.get(flow.id)
        if primary is not None:
            self._take_response(primary, flow)

    def _take_response(self, primary: Primary, flow: http.HTTPFlow) -> None:
        assert isinstance(primary, MirroredRequest)
        primary.take_response(flow, self._compared_body)
        if primary.end is not None:
            self.dispatcher.flush()  # the worker gets the shadows before the response they are compared with
            for dispatcher in (self.dispatcher, *self._draining):
                dispatcher.answer(primary, primary.end.answer, primary.end.note)
        self.book.answered(primary)

    def expected(self, flow: http.HTTPFlow) -> list[str]:
        """The labels of mirrors whose shadows of `flow` will be shown as flows, and are not yet."""
        primary = self.book.primaries.get(flow.id)
        return [shadow.label for shadow in primary.shadows if shadow.view is not None] if primary is not None else []

    def _catch_up(self, flow: http.HTTPFlow) -> None:
        """Take the response of a primary that had it before it got shadows."""
        if not flow.live or flow.error or (flow.response and flow.response.timestamp_end):
            self.answered(flow)

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """End the part of flows that ended without a hook: mitmproxy has none for some errors."""
        self._timer = None
        for held in self.holding.take_dead():
            self._decide(held)
        for primary in list(self.book.primaries.values()):
            if isinstance(primary, MirroredRequest) and primary.flow is not None and not primary.flow.live:
                self._take_response(primary, primary.flow)
        if self.holding or self.book.primaries:
            self._look_later()


def _when(exchange: Exchange) -> When | None:
    """The filter that decides whether there are shadows, None where there is none."""
    rule = exchange.decision.rule
    text = rule.annotations.when if rule is not None and rule.annotations is not None else ""
    return compile_when(text) if text else None
