"""From a routed request to its shadows: which are due, when they are handed over, and what pairs are made of them.

Theory of operation. `addon` calls a method here at each turn of a request's life; all of it runs in the proxy's event
loop. `leaves` takes the request as it is sent to the primary. `AdmissionGate` decides at once which mirrors get a
shadow, and those are admitted to the book of shadows in flight (`ShadowSender`), so that switches and counters hold
from that moment. To make a shadow and its frame may wait a few milliseconds: it is deferred to the dispatcher's next
batch where nobody looks at the shadow. A request whose rule has a filter over the response (`mirror-addon/when`) is
held until then (`HeldRequests`); a body that is streamed is passed on piece by piece (`tee`). `answered` ends the
primary's part. The book tells each pair to the observers (statistics, terminal, views), once both halves have ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mitmproxy import http

from mirror_addon.admission.expiry_log import ExpiryLog
from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.admission.when import When
from mirror_addon.admission.when import when_of
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.upload import BodySink
from mirror_addon.dispatch.verdicts import TWINS_LOST
from mirror_addon.display.log import Lines
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.heads import is_upgrade
from mirror_addon.flows.leaving import leaving_request
from mirror_addon.mirroring import tee
from mirror_addon.mirroring.engine_settings import COMPARED_BODY
from mirror_addon.mirroring.engine_settings import ENGINE_OPTIONS
from mirror_addon.mirroring.engine_settings import GATE_OPTIONS
from mirror_addon.mirroring.engine_settings import MAKER_OPTIONS
from mirror_addon.mirroring.engine_settings import PAIR_OPTIONS
from mirror_addon.mirroring.engine_settings import recording_of
from mirror_addon.mirroring.failure_log import FailureLog
from mirror_addon.mirroring.held import HeldRequest
from mirror_addon.mirroring.held import HeldRequests
from mirror_addon.mirroring.mirrored_request import MirroredRequest
from mirror_addon.mirroring.reflected_types import ReflectedTypes
from mirror_addon.mirroring.rerun import Rerun
from mirror_addon.mirroring.shadow_sender import ShadowSender
from mirror_addon.options.settings import Settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.frames import Recording

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often flows are looked for that ended without a hook of mitmproxy."""


class ShadowWriter:
    """Sends the shadows of exchanges. Starts its workers at once; needs the running event loop."""

    def __init__(self, settings: Settings, local_address: bytes, comparison_rules: str = "") -> None:
        self.settings = settings
        self.local_address = local_address
        self.book = InFlight()
        self.counters = self.book.counters
        self.shows_flows = False
        self._page_is_open = False
        self._rules_have_twins = False
        self.comparison_rules = comparison_rules
        """The text of `compare.yaml`, which can be parsed."""
        self.reflected = b""
        """Types of messages that servers were asked for."""
        self.types = ReflectedTypes(self.types_found, lambda: self.descriptors)
        self._recording: Recording | None = None
        self._draining: dict[Dispatcher, asyncio.Future[None]] = {}
        self.gate = AdmissionGate(settings, self.counters, local_address, time.time())
        self.book.observers += (FailureLog(), self.gate.limits.backoffs)
        self.holding = HeldRequests()
        self.expiry_log = ExpiryLog()
        self.expiry_log.of_run(self.gate.expires)
        self._timer: asyncio.TimerHandle | None = None
        self.sender = ShadowSender(settings, local_address, self.book, self.gate, self._catch_up, self._watch)
        self.flows = self.sender.flows
        self.samples = self.sender.samples
        self.observers = self.sender.observers
        self.rerun = Rerun(self.sender)
        self.look_for_views()

    # Options and switches

    def apply(self, settings: Settings, updated: frozenset[str]) -> None:
        """Take the options in `updated`: in force for the next request. Shadows handed over finish as they began."""
        self.settings = self.sender.settings = settings
        self.flows.keep = settings.pairs
        if GATE_OPTIONS & updated:
            self.gate.apply(settings)
            self.expiry_log.of_run(self.gate.expires)
        if MAKER_OPTIONS & updated:
            self.dispatcher.flush()
            self.sender.maker.apply(settings)
        if ENGINE_OPTIONS & updated:
            self._recording = None
            if self._has_twins:
                logger.warning(TWINS_LOST, f"with the workers, because {', '.join(ENGINE_OPTIONS & updated)} changed")
            old, self.sender.dispatcher = self.dispatcher, self.sender.start()
            self._draining[old] = draining = asyncio.ensure_future(old.close(settings.drain))
            draining.add_done_callback(lambda _: self._draining.pop(old))
        if "mirror_rerun" in updated:
            self.rerun.apply(settings)
        if PAIR_OPTIONS & updated:
            self._attune()

    def compare_by(self, rules: str) -> bool:
        """Take rules of comparison that can be parsed, for the responses that come from now on; False: nothing new."""
        if rules == self.comparison_rules:
            return False
        self.comparison_rules = rules
        self._attune()
        return True

    @property
    def descriptors(self) -> bytes:
        """The types of messages that are known, a FileDescriptorSet."""
        return self._recording.descriptors if self._recording is not None else b""

    def note_call(self, exchange: Exchange) -> None:
        """A call of gRPC leaves: ask its primary for its types, if that is wanted and was not done."""
        if self.settings.reflection:
            self.types.note(exchange)

    def types_found(self, descriptors: bytes) -> None:
        """Take further types of messages, for the responses that come from now on."""
        self.reflected += descriptors
        self._attune()

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force."""
        self._rules_have_twins = any(rule.twin for rule in table.mirroring)
        self._attune()
        self.samples.rules_changed(table)
        self.rerun.rules_changed(table)
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
        """Whether all responses are kept and compared. Where not, `ComparisonSamples` chooses some."""
        settings = self.settings
        looked_at = self.shows_flows or self._page_is_open or settings.record or settings.web_port is not None
        looked_at = looked_at or bool(settings.sandbox) or settings.rerun
        return settings.responses == "keep" or (settings.responses == "auto" and bool(looked_at))

    @property
    def _has_twins(self) -> bool:
        """Whether the state of any mirror is kept in step."""
        return self.settings.twin or self._rules_have_twins

    def _attune(self) -> None:
        """Let dispatcher and workers keep, compare and record what is wanted now."""
        self.dispatcher.flush()
        settings, compares = self.settings, self.compares
        keep = COMPARED_BODY if compares and self.shows_flows else 0
        compare = compares or settings.responses != "discard"  # a few samples
        self._compared_body = COMPARED_BODY if compare or self._has_twins else 0
        sender = self.sender
        sender.shows_flows, sender.compares = self.shows_flows, compares
        sender.has_subjects = compares or bool(settings.record or settings.sandbox)
        self.samples.enabled = settings.responses != "discard"
        sender.defers = not (self.shows_flows or sender.has_subjects)
        limits = self.dispatcher.settings
        if (limits.keep_body, limits.compare_body) != (keep, self._compared_body):
            self.dispatcher.settings = replace(limits, keep_body=keep, compare_body=self._compared_body)
        recording = recording_of(settings, self.comparison_rules, compare=compare, reflected=self.reflected)
        if recording != self._recording:
            self._recording = recording
            self.dispatcher.configure(recording)

    @property
    def dispatcher(self) -> Dispatcher:
        """That of new shadows."""
        return self.sender.dispatcher

    async def close(self) -> None:
        """Let what was handed over finish within `mirror_drain`, end the workers, and log the counters."""
        self.expiry_log.stop()
        self.rerun.close()
        self.types.close()
        for held in self.holding.take_all():
            self.sender.drop(held.flow, held.exchange, "shutdown")
        await self.sender.scripts.close(self.settings.drain)
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
        if missing := self.counters.unrecorded:
            logger.warning("mirror: %d shadows have no line in the record: the proxy ended before their end", missing)

    # The shadows of an exchange

    def none(self, exchange: Exchange, reason: str | None = None) -> None:
        """Settle an exchange that gets no shadow: each mirror is counted with its own reason, else with `reason`."""
        exchange.settled = True
        self.gate.due(exchange.request, exchange.decision, instead=reason)

    def leaves(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """The primary's request is sent now. What it is at this moment is copied."""
        decision, request = exchange.decision, flow.request
        if not decision.mirrors:
            exchange.settled = True
            return
        assert decision.request
        exchange.leaving = leaving_request(flow, exchange.written, decision.request)
        if is_upgrade(flow):
            self.none(exchange, "upgrade")
        elif request.data.timestamp_end is None:
            request.stream = tee.tee(flow, exchange, partial(self._open, flow, exchange))
        elif request.data.content is None and request.stream:
            self.none(exchange, "streamed")
        else:
            self.offer(flow, exchange, request.data.content or b"")

    def offer(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes) -> None:
        """Send the shadows of a request that is there as a whole, or hold it until its response is there."""
        when = when_of(exchange.decision)
        wanted = True if when is None else when.now(flow)
        if wanted:
            self.sender.send(flow, exchange, body)
        elif when is None or wanted is False:
            self.none(exchange, "when")
        else:
            self._hold(flow, exchange, body, when)

    def replay(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes) -> int:
        """Send the shadows of a request that came before, because a person asked for it: neither a pause nor
        `mirror-addon/when` holds that back. They are compared with the response that the flow has."""
        sent = self.sender.send(flow, exchange, body, paused=False)
        self._catch_up(flow)
        return sent

    # Requests that are held

    def _hold(self, flow: http.HTTPFlow, exchange: Exchange, body: bytes, when: When) -> None:
        exchange.settled = True
        skip = self.gate.reason_to_skip
        if all(skip(exchange.request, mirror) for mirror in exchange.decision.mirrors):
            self.none(exchange, "when")
        elif len(body) > self.settings.max_body:
            self.sender.drop(flow, exchange, "body_too_large")
        elif not self.holding.hold(flow, exchange, body, when, self.dispatcher):
            self.sender.drop(flow, exchange, "queue_full")
        else:
            self._watch()

    def _decide(self, held: HeldRequest) -> None:
        """The primary has ended."""
        if held.when.at_end(held.flow):
            self.sender.send(held.flow, held.exchange, held.body)
        else:
            self.none(held.exchange, "when")

    # Bodies that are streamed

    def _open(self, flow: http.HTTPFlow, exchange: Exchange) -> Sequence[BodySink]:
        when = when_of(exchange.decision)
        if when is not None and not (wanted := when.now(flow)):
            self.none(exchange, "streamed" if wanted is None else "when")
            return ()
        return self.sender.open(flow, exchange)

    def end(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """A streamed body is complete."""
        tee.end(flow, exchange, partial(self._open, flow, exchange))

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
            if not self.compares and not primary.answer_is_sent:
                self.samples.took(len(primary.end.answer.body or b""))
            self.dispatcher.flush()  # the worker gets the shadows before the response they are compared with
            for dispatcher in (self.dispatcher, *self._draining):
                dispatcher.answer(primary, primary.end.answer, primary.end.note)
        self.book.answered(primary)

    def send_calls(self, shadow: Shadow, calls: bytes) -> None:
        """Tell the worker of a shadow that has ended which calls (JSON) its mirror has made."""
        for dispatcher in (self.dispatcher, *self._draining):
            dispatcher.calls(shadow, calls)

    def expected(self, flow: http.HTTPFlow) -> list[str]:
        """The labels of mirrors whose shadows of `flow` will be shown as flows, and are not yet."""
        primary = self.book.primaries.get(flow.id)
        return [shadow.label for shadow in primary.shadows if shadow.view is not None] if primary is not None else []

    def _catch_up(self, flow: http.HTTPFlow) -> None:
        """Take the response of a primary that had it before it got shadows."""
        if not flow.live or flow.error or (flow.response and flow.response.timestamp_end):
            self.answered(flow)

    def _watch(self) -> None:
        if self._timer is None:
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
            self._watch()
