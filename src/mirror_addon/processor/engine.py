"""What the exchanges of a processor share: rules, admission, the shadow engine, and who is told of pairs.

It is to a processor what `mirroring.ShadowWriter` is to the proxy: the same gate, dispatcher, workers and book, without
mitmproxy's flows.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.display.log import Lines
from mirror_addon.mirroring.engine_settings import COMPARED_BODY
from mirror_addon.mirroring.engine_settings import recording_of
from mirror_addon.mirroring.engine_settings import redaction_of
from mirror_addon.mirroring.failure_log import FailureLog
from mirror_addon.mirroring.observed_request import ObservedRequest
from mirror_addon.mirroring.shadow_maker import ShadowMaker
from mirror_addon.mirroring.unmatched_log import UnmatchedLog
from mirror_addon.processor.agreement import Agreement
from mirror_addon.processor.counts import StreamCounts
from mirror_addon.processor.load import Load
from mirror_addon.processor.routed import Routed
from mirror_addon.routing.decision import Mirror
from mirror_addon.shadow.control import is_control
from mirror_addon.shadow.pair import PairObserver
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.subject import Subject
from mirror_addon.shadow.subject import url_of

if TYPE_CHECKING:
    from mirror_addon.compare.answer import Answer
    from mirror_addon.options.settings import Settings
    from mirror_addon.routing.decision import Decision
    from mirror_addon.routing.table import RouteTable

logger = logging.getLogger(__name__)

Due = Sequence[tuple[Shadow, Mirror | ShadowRequest]]
"""Admitted shadows, each with the mirror it is for, or already made."""


class Engine:
    """Starts its workers at once; needs the running event loop. `load` says whether the processor keeps up."""

    def __init__(
        self,
        settings: Settings,
        local_address: bytes,
        comparison_rules: str,
        observers: Sequence[PairObserver],
        load: Load,
        dispatcher: Callable[[ShadowSettings, InFlight], Dispatcher] = Dispatcher,
    ) -> None:
        self.settings = settings
        self.local_address = local_address
        self.load = load
        self.book = InFlight()
        self.counters = self.book.counters
        self.counts = StreamCounts()
        self.gate = AdmissionGate(settings, self.counters, local_address, time.time())
        self.book.observers += (FailureLog(), self.gate.limits.backoffs)
        self.observers = observers
        self.compares = settings.responses != "discard"
        self.closing = False
        """The processor ends: what is not complete by now will not be."""
        self._has_subjects = self.compares or bool(settings.record)
        self._maker = ShadowMaker(settings, local_address)
        self.unmatched = UnmatchedLog()
        self.agreement: Agreement | None = None
        self._comparison_rules = comparison_rules
        limits = ShadowSettings(
            concurrency=settings.concurrency,
            workers=settings.workers,
            queue=settings.queue,
            max_body=settings.max_body,
            compare_body=COMPARED_BODY if self.compares else 0,
        )
        self.dispatcher = dispatcher(limits, self.book)
        self.dispatcher.start()
        self._configure()

    # Rules and options

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force."""
        self.agreement = Agreement(table)
        self.unmatched.rules_changed(table)
        self.gate.limits.keep(table.mirroring)

    def compare_by(self, rules: str) -> bool:
        """Take rules of comparison that can be parsed, for the responses that come from now on; False: nothing new."""
        if rules == self._comparison_rules:
            return False
        self._comparison_rules = rules
        self._configure()
        return True

    def _configure(self) -> None:
        self.dispatcher.configure(recording_of(self.settings, self._comparison_rules, compare=self.compares))

    # An exchange

    def skip(self, routed: Routed, reason: str) -> None:
        """No shadow is sent: each mirror is counted with its own reason, else with `reason`."""
        self.gate.due(routed.request, routed.decision, instead=reason)

    def due(self, routed: Routed) -> list[Mirror]:
        """The mirrors that get a shadow; the others are counted."""
        return self.gate.due(routed.request, routed.decision)

    def admit(
        self, routed: Routed, mirrors: Sequence[Mirror], body: int | None, start: float
    ) -> tuple[ObservedRequest, Due]:
        """Admit shadows for `mirrors` to the book, and a control where one is drawn. `body`: the length of the
        request's, None if it comes in pieces; `start`: when the request came, in seconds since the epoch."""
        decision, admit = routed.decision, self.book.admit
        primary = self._primary(routed, start)
        controls = [is_control(decision, mirror) for mirror in mirrors]
        control = None
        if self.settings.control and self.compares:
            control = self._maker.control(routed, mirrors[0], body, self.gate)
        controlled = control is not None or any(controls)
        due: list[tuple[Shadow, Mirror | ShadowRequest]] = [
            (admit(primary, mirror.cluster.label, control=again, controlled=controlled), mirror)
            for mirror, again in zip(mirrors, controls, strict=True)
        ]
        if control is not None:
            due.append((admit(primary, control.target.label, control=True), control))
        return primary, due

    def _primary(self, routed: Routed, start: float) -> ObservedRequest:
        id, request, decision = str(uuid.uuid4()), routed.request, routed.decision
        subject = None
        if self._has_subjects:
            with_headers = bool(self.settings.record) and self.settings.record_bodies
            subject = Subject(
                id,
                start,
                str(decision.rule or ""),
                decision.cluster.label if decision.cluster is not None else None,
                False,
                False,
                request.method.decode("latin-1"),
                url_of(request),
                routed.draw,
                routed.client,
                ignored_in(decision),
                ((b"Host", request.authority), *request.headers) if with_headers else None,
            )
        redaction = redaction_of(self.settings.redact)
        return ObservedRequest(id, subject, request, decision, self.observers, redaction)

    def made(
        self, routed: Routed, shadow: Shadow, mirror: Mirror | ShadowRequest, body: int | None
    ) -> ShadowRequest | None:
        """The request of a shadow; None if it cannot be made, and is dropped."""
        return self._maker.made(self.dispatcher, routed, shadow, mirror, body)

    def answer(self, primary: ObservedRequest, answer: Answer, note: str) -> None:
        """The response of a primary, for the comparison and the record."""
        if primary.subject is not None:
            self.dispatcher.answer(primary, answer, note)
        self.book.answered(primary)

    def measure_lag(self, told: float | None, asked: float | None, now: float) -> None:
        """Count how much later the head of a response came than Envoy had it. `told`: Envoy's own time, in ms."""
        if told is not None and asked is not None:
            self.counts.lag.add(max((now - asked) * 1000 - told, 0.0))

    # The end

    async def close(self, drain: float) -> None:
        """Let what was handed over finish within `drain` seconds, end the workers, and log the counters."""
        self.closing = True
        await self.dispatcher.close(drain)
        await asyncio.sleep(0)
        self.book.forget()
        if self.counters.requests:
            logger.info("mirror: at the end\n%s", Lines(self.counters.text().rstrip()))
        if missing := self.counters.unrecorded:
            logger.warning("mirror: %d shadows have no line in the record: the processor ended before them", missing)


def ignored_in(decision: Decision) -> str:
    """Return what is not compared: the annotation `mirror-addon/ignore`, and the header fields of responses that the
    route edits. Envoy shows the primary's response after those edits; the mirror's has none."""
    own = decision.rule.ignore if decision.rule is not None else ""
    if not decision.response_headers:
        return own
    names: set[bytes] = set()
    for edit in decision.response_headers:
        names |= edit.dropped
        names.update(name.lower() for name, _ in (*edit.appended, *edit.joined))
    edited = [f"header:{name.decode('latin-1')}" for name in sorted(names)]
    return ",".join([*([own] if own else []), *edited])
