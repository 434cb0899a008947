"""An exchange that is mirrored: its request on the way to the workers, its response on the way to the comparison.

Theory of operation. `begin` decides at the head of the request. Where rules, draw and filters leave nothing to
mirror, the stream is ended at once, so that Envoy copies no more. Else a `MirroredExchange` takes what follows:

- A body up to `GATHERED` bytes is gathered and handed over as a whole; a longer one is passed on as it comes.
- Where something is not known yet, the request is held. Envoy does not mirror what it answers itself, so a request for
  a destination whose endpoints are not in the rules waits for the head of the response; so does one whose cluster was
  not told and would change the decision; a filter `mirror-addon/when` may need the whole response.
- The response is kept up to what is compared. When it has ended, it goes to the worker that has the shadows.

It never blocks and never stops reading: what does not fit into `mirror_queue` or `mirror_max_body` is dropped and
counted. Everything here runs in the event loop of the processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mirror_addon.compare.answer import PROGRAM_CLOCK
from mirror_addon.compare.answer import Answer
from mirror_addon.dispatch.upload import PIECE_BYTES
from mirror_addon.mirroring.engine_settings import COMPARED_BODY
from mirror_addon.processor.agreement import Told
from mirror_addon.processor.arrived import Arrived
from mirror_addon.processor.arrived import read_response
from mirror_addon.processor.arrived import service_time
from mirror_addon.processor.engine import Engine
from mirror_addon.processor.events import CLUSTER_NAME
from mirror_addon.processor.events import CODE_DETAILS
from mirror_addon.processor.events import Head
from mirror_addon.processor.exchange import End
from mirror_addon.processor.held import HeldBody
from mirror_addon.processor.local_replies import Origin
from mirror_addon.processor.local_replies import origin_of
from mirror_addon.processor.routed import Routed
from mirror_addon.processor.routed import Waits

if TYPE_CHECKING:
    from mirror_addon.dispatch.upload import Upload
    from mirror_addon.mirroring.observed_request import ObservedRequest
    from mirror_addon.processor.filtered import Filtered
    from mirror_addon.routing.decision import Mirror
    from mirror_addon.routing.fields import Fields

GATHERED = PIECE_BYTES
"""Bytes of a request's body that are gathered; a longer one is passed on in pieces."""
HELD = 1024 * 1024
"""Bytes of a body that are held for the head of the response."""
_NO_ROOM = "the primary's body was left out, because mirror_queue is full"
_CUT = "cut"
"""The error of a primary whose copy ended before its response did: its client or its upstream went away."""


class MirroredExchange:
    """One exchange, from its decision on. The calls come in the order of `exchange.Happening`, `over` last.

    `now` is a monotonic time in seconds.
    """

    __slots__ = (
        "_answer", "_arrived", "_asked_at", "_body", "_complete", "_ended_at", "_engine", "_fields", "_filter",
        "_first_at", "_mirrors", "_number", "_origin", "_primary", "_settled", "_start", "_status", "_told",
        "_uploads", "_waits", "routed",
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        arrived: Arrived,
        told: Told,
        routed: Routed,
        number: int,
        start: float,
        waits: Waits,
        filtered: Filtered | None,
    ) -> None:
        """`number` is the random one that decisions are made with, `start` in seconds since the epoch."""
        self.routed = routed
        self._engine = engine
        self._arrived = arrived
        self._told = told
        self._number = number
        self._start = start
        self._waits = waits
        self._filter = filtered
        self._mirrors: Sequence[Mirror] = ()
        """Those that get a shadow, once that is decided."""
        self._body = HeldBody(engine.dispatcher, engine.settings.max_body)
        self._uploads: Sequence[Upload] | None = None
        self._primary: ObservedRequest | None = None
        """From the moment on when shadows are admitted."""
        self._complete = False
        """The request is."""
        self._settled = False
        """Its shadows are handed over, or there are none."""
        self._asked_at: float | None = None
        self._first_at: float | None = None
        self._ended_at: float | None = None
        """When the response was complete."""
        self._status: int | None = None
        self._fields: Fields = ()
        self._origin = Origin(True)
        self._answer = HeldBody(engine.dispatcher, COMPARED_BODY)

    @property
    def wanted(self) -> bool:
        """Whether anything more of the exchange is needed."""
        return not self._settled or self._primary is not None

    def decide(self) -> None:
        """Choose the mirrors, if all is known that this needs."""
        if self._waits or self._settled or self._mirrors:
            return
        self._mirrors = self._engine.due(self.routed)
        if not self._mirrors:
            self._none()
        elif self._complete:
            self._offer()

    # The request

    def request_body(self, data: bytes) -> None:
        if self._uploads is not None:
            for upload in self._uploads:
                upload.write(data)
            return
        if self._settled:
            return
        if self._body.size + len(data) > self._engine.settings.max_body:
            self._refuse("body_too_large")
        elif not self._body.add(data):
            self._refuse("queue_full")
        elif self._mirrors:
            if self._body.size > GATHERED:
                self._open()
        elif self._body.size > HELD and self._waits & Waits.HEAD:
            self._engine.counts.late_draws += 1
            self._waits &= ~Waits.HEAD
            self.decide()

    def request_end(self, trailers: Fields, now: float) -> None:
        self._complete = True
        self._asked_at = now
        if self._uploads is not None:
            for upload in self._uploads:
                upload.end(trailers)
            self._uploads = ()
            return
        self.routed.trailers = trailers
        if self._filter is not None and self._waits & Waits.FILTER:
            self._filter.complete(self._body.look(), trailers)
            self._apply_filter(self._filter.now() if self._ended_at is None else self._answered())
        if self._mirrors and not self._settled:
            self._offer()
        if self._ended_at is not None:  # the upstream answered before it had the request
            self._finish(self._ended_at, self._origin.error)

    # The response

    def answer(self, head: Head, now: float) -> None:
        self._first_at = now
        self._status, self._fields = read_response(head)
        self._origin = origin_of(head.attributes.get(CODE_DETAILS, ""))
        self._engine.measure_lag(service_time(head), self._asked_at, now)
        if not self._origin.upstream:
            if self._primary is None:
                self._none("local_reply")
            else:
                self._engine.counts.local_replies += 1
        if self._waits:
            self._is_known(head.attributes.get(CLUSTER_NAME, ""))

    def _is_known(self, cluster: str) -> None:
        """The head of the response has come, from this cluster where Envoy tells it."""
        if self._waits & Waits.CLUSTER and not self._settled:
            told = self._told._replace(cluster=cluster)
            if told.cluster and self._engine.agreement is not None:
                agreed = self._engine.agreement.decide(self._arrived.request, told, self._number)
                self.routed.decision, self.routed.draw = agreed.decision, agreed.draw
        self._waits &= ~Waits.HEAD
        self.decide()

    def answer_body(self, data: bytes) -> None:
        if self._engine.compares:
            self._answer.add(data)
        else:
            self._answer.size += len(data)

    def answer_end(self, trailers: Fields, now: float) -> None:
        """The response is complete."""
        self._fields = (*self._fields, *trailers)
        self._ended_at = now
        if self._filter is not None and self._waits & Waits.FILTER and self._complete:
            self._apply_filter(self._answered())
        self._finish(now, self._origin.error)

    def _answered(self) -> bool | None:
        """Whether the filter matches the whole exchange."""
        if self._filter is None:
            return None
        self._filter.answered(self._status, self._fields, self._answer.look())
        return self._filter.at_end()

    def over(self, end: End, now: float) -> None:
        """Nothing more comes."""
        reason = "shutdown" if self._engine.closing else "aborted"
        if not self._complete:
            for upload in self._uploads or ():
                upload.abort(reason)
            if not self._settled:
                self._refuse(reason) if self._engine.closing else self._none("aborted")
        elif not self._settled:
            self._waits &= ~Waits.HEAD  # Envoy 1.36 tells no response of its own; the request may have been sent
            if self._waits & Waits.FILTER and self._filter is not None:
                self._apply_filter(self._filter.at_end())
            self.decide()
        if self._primary is not None and not self._primary.answered:
            missing = "" if self._ended_at is not None else "unanswered" if self._status is None else _CUT
            error = self._origin.error or missing
            self._finish(now, error)
        self._body.drop()
        self._answer.drop()

    # Steps

    def _apply_filter(self, wanted: bool | None) -> None:
        if wanted is None:
            return
        self._waits &= ~Waits.FILTER
        if wanted:
            self.decide()
        else:
            self._none("when")

    def _none(self, reason: str | None = None) -> None:
        """There is no shadow. Each mirror is counted with its own reason, else with `reason`."""
        if self._settled:
            return
        self._settled = True
        self._body.drop()
        if self._mirrors and reason:
            for mirror in self._mirrors:
                self._engine.counters.skip(mirror.cluster.label, reason)
        elif reason:
            self._engine.skip(self.routed, reason)

    def _refuse(self, reason: str) -> None:
        """Drop the shadows before they are made."""
        self._settled = True
        self._body.drop()
        mirrors = self._mirrors or self._engine.due(self.routed)
        if mirrors:
            self._primary, due = self._engine.admit(self.routed, mirrors, None, self._start)
            for shadow, _ in due:
                self._engine.dispatcher.refuse(shadow, reason)

    def overload(self) -> None:
        """The processor has no time for this one."""
        self._refuse("overload")

    def _length(self) -> int | None:
        """The length of the body as the shadow's framing tells it; None: it is chunked."""
        return None if self._arrived.streamed else self._body.size

    def _offer(self) -> None:
        """Hand over the shadows with the whole body."""
        self._settled = True
        length, body = self._length(), self._body.take()
        self._primary, due = self._engine.admit(self.routed, self._mirrors, len(body), self._start)
        for shadow, mirror in due:
            request = self._engine.made(self.routed, shadow, mirror, length)
            if request is not None:
                self._engine.dispatcher.offer(shadow, request, body)

    def _open(self) -> None:
        """Begin the shadows with what there is of the body."""
        self._settled = True
        body = self._body.take()
        self._primary, due = self._engine.admit(self.routed, self._mirrors, None, self._start)
        uploads = []
        for shadow, mirror in due:
            request = self._engine.made(self.routed, shadow, mirror, None)
            if request is not None:
                uploads.append(self._engine.dispatcher.open(shadow, request))
        self._uploads = uploads
        for upload in uploads:
            upload.write(body)

    def _finish(self, now: float, error: str) -> None:
        """Give the response to those who compare it; before there is a shadow, keep it for them."""
        primary = self._primary
        if primary is None or primary.answered:
            return
        asked, first = self._asked_at, self._first_at
        timed = asked is not None and first is not None and asked <= first
        ms = (now - asked) * 1000 if timed and asked is not None else None
        first_ms = (first - asked) * 1000 if timed and asked is not None and first is not None else None
        status = None if self._origin.error else self._status
        full, size = self._answer.full, self._answer.size
        body = self._answer.take() if self._engine.compares and not full and status is not None else None
        self._answer.drop()
        primary.status, primary.ms = status, ms
        answer = Answer(
            status, self._fields if status is not None else (), body, size, ms, error, None, first_ms, PROGRAM_CLOCK
        )
        self._engine.answer(primary, answer, _NO_ROOM if full and self._engine.compares else "")
