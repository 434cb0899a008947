"""From a flow to its shadows: which are due, how they are handed over, what is shown of their ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mitmproxy import http

from mirror_addon.admission.expiry_log import ExpiryLog
from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.admission.when import When
from mirror_addon.admission.when import compile_when
from mirror_addon.dispatch.counters import Counters
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.dispatcher import Upload
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.primary import status_and_time
from mirror_addon.mirroring import tee
from mirror_addon.mirroring.batch import LARGEST
from mirror_addon.mirroring.batch import Answered
from mirror_addon.mirroring.batch import Batch
from mirror_addon.mirroring.batch import Offer
from mirror_addon.mirroring.engine_settings import COMPARED_BODY
from mirror_addon.mirroring.engine_settings import recording_of
from mirror_addon.mirroring.failure_log import FailureLog
from mirror_addon.mirroring.held import HeldRequest
from mirror_addon.mirroring.held import HeldRequests
from mirror_addon.mirroring.pairing import Pairing
from mirror_addon.mirroring.pairing import PairingMode
from mirror_addon.mirroring.shadow_maker import ShadowMaker
from mirror_addon.options.settings import Settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.shadow.control import is_control
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow_flows.flow_list import ShadowFlows

logger = logging.getLogger(__name__)

ENGINE_OPTIONS = frozenset({"mirror_concurrency", "mirror_workers", "mirror_queue", "mirror_max_body"})
"""Options that make another dispatcher."""


class ShadowWriter:
    """Sends the shadows of exchanges. Starts its workers at once; needs the running loop."""

    def __init__(self, settings: Settings, local_address: bytes) -> None:
        self.settings = settings
        self.local_address = local_address
        self.observers: list[PairObserver] = []
        """Who is told of each pair."""
        self.flows = ShadowFlows(settings.pairs)
        self.shows_flows = False
        self.pairing = Pairing(self.observers)
        self._page_is_open = False
        self.comparison_rules = comparison_rules(settings)
        """Of `compare.yaml`, as a text that can be parsed."""
        self._recording: Recording | None = None
        self.dispatcher = self._dispatcher(None)
        self.gate = AdmissionGate(settings, self.dispatcher.counters, local_address, time.time())
        self.holding = HeldRequests(self._decide)
        self._batch = Batch(self._hand_over)
        self.expiry_log = ExpiryLog()
        self.expiry_log.of_run(self.gate.expires)
        self._maker = ShadowMaker(settings, local_address)
        self._failures = FailureLog()
        self._closing: set[asyncio.Future[None]] = set()
        self.look_for_views()

    @property
    def counters(self) -> Counters:
        """All that was seen until now is in them."""
        self.hand_over()
        return self.gate.counters

    def apply(self, settings: Settings, updated: frozenset[str]) -> None:
        """Take changed options, which `check_recording` has passed: in force for the next request. Shadows handed over
        finish as they began."""
        self.hand_over()
        self.settings = settings
        self._maker.apply(settings)
        self.flows.keep = settings.pairs
        self.comparison_rules = comparison_rules(settings)
        self.gate.apply(settings)
        self.expiry_log.of_run(self.gate.expires)
        if ENGINE_OPTIONS & updated:
            self._recording = None
            old, self.dispatcher = self.dispatcher, self._dispatcher(self.counters)
            closing = asyncio.ensure_future(old.close(settings.drain))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self.look_for_views()

    def compare_by(self, rules: str) -> bool:
        """Take rules of comparison that can be parsed, for the answers that come from now on; False: nothing new."""
        if rules == self.comparison_rules:
            return False
        self.comparison_rules = rules
        self._attune()
        return True

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force."""
        self.hand_over()
        self.gate.limits.keep(table.mirroring)
        for gone in self.gate.overrides.keep(table.mirroring):
            logger.info("mirror: overridden no more, for the rule is gone: %s", gone)
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
        """Whether answers are kept and compared."""
        settings = self.settings
        looked_at = self.shows_flows or self._page_is_open or settings.record or settings.web_port is not None
        return settings.responses == "keep" or (settings.responses == "auto" and bool(looked_at))

    def _attune(self) -> None:
        """Let dispatcher, workers and pairing do what is wanted now."""
        self.hand_over()
        settings, compares = self.settings, self.compares
        keep = COMPARED_BODY if compares and self.shows_flows else 0
        compare = COMPARED_BODY if compares else 0
        limits = self.dispatcher.settings
        if (limits.keep_body, limits.compare_body) != (keep, compare):
            self.dispatcher.settings = replace(limits, keep_body=keep, compare_body=compare)
        self.pairing.mode = PairingMode(
            subjects=compares or bool(settings.record),
            request_headers=bool(settings.record) and settings.record_bodies,
            body=compare,
        )
        recording = recording_of(settings, self.comparison_rules, compare=compares)
        if recording != self._recording:
            self._recording = recording
            self.dispatcher.configure(recording)

    async def close(self) -> None:
        """Let what was handed over finish within `mirror_drain`, end the workers, and log the counters."""
        self.expiry_log.stop()
        self.hand_over()
        for held in self.holding.take_all():
            self._lose(held.flow, held.exchange, "shutdown")
        await self.dispatcher.close(self.settings.drain)
        if self._closing:
            await asyncio.wait(self._closing)
        self.pairing.close()
        if self.counters.requests:
            logger.info("mirror: at the end\n%s", self.counters.text().rstrip())

    # A exchange's shadows

    def none(self, exchange: Exchange, reason: str | None = None) -> None:
        """Settle a exchange that gets no shadow: each mirror is counted with its own reason, else `reason`."""
        exchange.settled = True
        self.gate.due(exchange.request, exchange.decision, instead=reason)

    def offer(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes) -> None:
        """Hand over the shadows of a request that is there as a whole, soon, or hold it until its answer is."""
        when = _when(exchange)
        if when is None and self._gathers and len(body) <= LARGEST:
            exchange.settled = True
            self._batch.add(Offer(flow, exchange, body))
            return
        wanted = when is None or when.now(flow)
        if wanted:
            self._send(flow, exchange, body)
        elif when is None or wanted is False:
            self.none(exchange, "when")
        else:
            self._hold(flow, exchange, body, when)

    def hand_over(self) -> None:
        """Let nothing wait that was offered before: what is steered, or counted, from now on finds it done."""
        self._batch.flush()

    def _hand_over(self, gathered: list[Offer | Answered]) -> None:
        for item in gathered:
            try:
                if isinstance(item, Offer):
                    self._send(*item)
                else:
                    self.pairing.answered(*item)
            except Exception as error:  # what is wrong with one must not lose the others
                logger.error("mirror: a shadow was not made: %s: %s", type(error).__name__, error)
        self.dispatcher.flush()

    @property
    def _gathers(self) -> bool:
        """Whether a shadow may wait: not where somebody looks at it, and its primary's answer is kept."""
        return not (self.shows_flows or self.pairing.mode.subjects)

    def _hold(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes, when: When) -> None:
        exchange.settled = True
        skip = self.gate.reason_to_skip
        if all(skip(exchange.request, mirror) for mirror in exchange.decision.mirrors):
            self.none(exchange, "when")
        elif len(body) > self.settings.max_body:
            self._lose(flow, exchange, "body_too_large")
        elif not self.holding.hold(flow, exchange, body, when, self.dispatcher):
            self._lose(flow, exchange, "queue_full")

    def _decide(self, held: HeldRequest) -> None:
        """The primary has ended."""
        if held.when.at_end(held.flow):
            self._send(held.flow, held.exchange, held.body)
        else:
            self.none(held.exchange, "when")

    def _lose(self, flow: http.HTTPFlow, exchange: Exchange, reason: str) -> None:
        """Drop the shadows of a request before it is known whether there are to be any."""
        for shadow in self._shadows(flow, exchange, None):
            self.dispatcher.refuse(shadow, reason)

    def _send(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes) -> int:
        """How many shadows there are."""
        exchange.settled = True
        shadows = self._shadows(flow, exchange, len(body))
        for shadow in shadows:
            if self.shows_flows:
                self.flows.expect(shadow, flow, body, exchange.request)
            self.dispatcher.offer(shadow, body)
        return len(shadows)

    def replay(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes) -> int:
        """The same for a request that came before, at a person's wish: a pause does not hold that back. They are
        compared with the answer that the flow has. `mirror-addon/when` does not hold it back either."""
        paused, self.gate.paused = self.gate.paused, False
        try:
            sent = self._send(flow, exchange, body)
        finally:
            self.gate.paused = paused
        self._catch_up(flow)
        return sent

    def tee(self, flow: http.HTTPFlow, exchange: Exchange) -> Callable[[bytes], Any]:
        """What to put into `request.stream`, so that the body goes to the shadows too."""
        return tee.tee(flow, exchange, lambda: self._open(flow, exchange))

    def _open(self, flow: http.HTTPFlow, exchange: Exchange) -> list[Upload]:
        uploads: list[Upload] = []
        when = _when(exchange)
        if when is not None and not (wanted := when.now(flow)):
            self.none(exchange, "streamed" if wanted is None else "when")
            return uploads
        for shadow in self._shadows(flow, exchange, None):
            if self.shows_flows:
                self.flows.expect(shadow, flow, None, exchange.request)
            uploads.append(self.dispatcher.open(shadow))
        self._catch_up(flow)
        return uploads

    def _catch_up(self, flow: http.HTTPFlow) -> None:
        """Tell the answer of a primary that was answered before it got shadows."""
        if not flow.live or flow.error or (flow.response and flow.response.timestamp_end):
            self.answered(flow)

    def abort(self, exchange: Exchange) -> None:
        """The client went before its request was complete."""
        if exchange.uploads is None:
            self.none(exchange, "aborted")
        exchange.settled = True
        for upload in exchange.uploads or ():
            upload.abort("aborted")

    def answered(self, flow: http.HTTPFlow) -> None:
        """The primary has its answer, or there will be none."""
        if self.holding and (held := self.holding.take(flow)) is not None:
            self._decide(held)
        if self._batch:
            self._batch.add(Answered(flow, status_and_time(flow)))
        elif self.pairing.waiting:
            self.pairing.answered(flow)

    def _shadows(self, flow: http.HTTPFlow, exchange: Exchange, body: int | None) -> list[ShadowRequest]:
        """The shadows that are due; `body` is the length of the request's, None if it comes in pieces."""
        decision = exchange.decision
        due = self.gate.due(exchange.request, decision)
        shadows = [self._maker.shadow(flow, exchange, mirror, body) for mirror in due]
        if shadows and self.pairing.active:
            named = [(shadow, is_control(decision, mirror)) for shadow, mirror in zip(shadows, due, strict=True)]
            if self.settings.control and self.compares:
                control = self._maker.control(flow, exchange, due[0], body, self.gate)
                if control is not None:
                    named.append((control, True))
                    shadows.append(control)
            self.pairing.begin(flow, exchange, named, self.dispatcher)
        return shadows

    # The engine

    def _dispatcher(self, counters: Counters | None) -> Dispatcher:
        settings = self.settings
        limits = ShadowSettings(
            concurrency=settings.concurrency,
            workers=settings.workers,
            queue=settings.queue,
            max_body=settings.max_body,
        )
        dispatcher = Dispatcher(limits, self._on_result, counters, self.pairing.verdict)
        dispatcher.start()
        return dispatcher

    def _on_result(self, result: ShadowResult) -> None:
        self._failures.note(result)
        if self.gate.limits.backoffs:
            self.gate.limits.backoffs.note(result)
        if self.pairing.waiting:
            self.pairing.result(result)


def _when(exchange: Exchange) -> When | None:
    """The filter that decides whether there are shadows, None where there is none."""
    rule = exchange.decision.rule
    text = rule.annotations.when if rule is not None and rule.annotations is not None else ""
    return compile_when(text) if text else None
