"""What is known of a request that goes through the proxy, and where it is kept."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Sequence

from mitmproxy import http

from mirror_addon.dispatch.upload import BodySink
from mirror_addon.flows.body_copy import BodyCopy
from mirror_addon.flows.leaving import Head
from mirror_addon.flows.leaving import Response
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.table import RouteTable


class Exchange:
    """One routed request: what is needed to send its shadows, and to explain the decision later."""

    __slots__ = (
        "__weakref__", "_table", "answer", "answer_fields", "decision", "draw", "grpc", "leaving", "request",
        "request_copy", "response_copy", "settled", "trailers", "uploads", "written",
    )  # fmt: skip

    def __init__(
        self, table: RouteTable, request: Request, draw: int, decision: Decision, *, settled: bool = False
    ) -> None:
        self._table = weakref.ref(table)
        self.request = request
        """As the client sent it."""
        self.draw = draw
        """The random number, of 64 bits, that served all choices of the decision."""
        self.decision = decision
        self.settled = settled
        """Whether its shadows have been handed over, or it gets none."""
        self.trailers: Fields = ()
        """Of the request, when its body has been gathered."""
        self.written: Head | None = None
        """The head of the flow's request once the decision was applied to it; None until then."""
        self.leaving: Request | None = None
        """The request as it left the proxy, changed by whatever addon; None until then, and if it was not sent."""
        self.uploads: Sequence[BodySink] | None = None
        """The shadows of a streamed body; None until the first byte of it."""
        self.grpc = False
        """Whether it is gRPC over HTTP/2."""
        self.request_copy: BodyCopy | None = None
        """Of a body that is passed on as it flows because it is gRPC."""
        self.response_copy: BodyCopy | None = None
        self.answer_fields: Fields | None = None
        """The header fields of the primary's response as it came; None if that is not known."""
        self.answer: Response | None = None
        """The rest of the primary's response as it came; None if that is not known."""

    @property
    def sent(self) -> Request:
        """The request of which shadows are copies: as it left, else as the decision has it."""
        request = self.leaving or self.decision.request
        assert request is not None
        return request

    @property
    def table(self) -> RouteTable | None:
        """The table that made the decision, None if it no longer exists.

        The reference is weak, because a view keeps every flow, and each flow would keep its table.
        """
        return self._table()


class Exchanges:
    """The exchanges of flows, each for as long as its flow exists.

    They are attributes of the flows, which takes a quarter of the time of a mapping of weak references. The attribute's
    name is random, because after a reload of the script the next addon must not find the exchanges of the one before.
    """

    def __init__(self) -> None:
        self._name = f"_mirror_exchange_{uuid.uuid4().hex}"

    def get(self, flow: http.HTTPFlow) -> Exchange | None:
        """Return the exchange of a flow, None if this addon did not route it."""
        return flow.__dict__.get(self._name)

    def __getitem__(self, flow: http.HTTPFlow) -> Exchange:
        """Return the exchange of a flow. Raises KeyError if this addon did not route it."""
        exchange: Exchange = flow.__dict__[self._name]
        return exchange

    def __setitem__(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        flow.__dict__[self._name] = exchange
