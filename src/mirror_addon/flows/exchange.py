"""A request on its way through the proxy."""

from __future__ import annotations

import uuid
import weakref

from mitmproxy import http

from mirror_addon.dispatch.upload import Upload
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.table import RouteTable


class Exchange:
    """What the proxy knows of one request: enough to send its shadows, and to explain it later."""

    __slots__ = ("__weakref__", "_table", "answer_fields", "decision", "draw", "request", "settled", "uploads")

    def __init__(
        self, table: RouteTable, request: Request, draw: int, decision: Decision, *, settled: bool = False
    ) -> None:
        self._table = weakref.ref(table)
        self.request = request
        """As the client sent it."""
        self.draw = draw
        self.decision = decision
        self.settled = settled
        """Its shadows are handed over, or there will be none."""
        self.uploads: list[Upload] | None = None
        """The shadows of a streamed body, or None while nothing is streamed."""
        self.answer_fields: Fields | None = None
        """The header fields of the primary's answer before the route's edits, where it edits them."""

    @property
    def table(self) -> RouteTable | None:
        """The rules that it met; None once they are gone. A view keeps every flow: each would keep its rules."""
        return self._table()


class Exchanges:
    """The passages of flows, each for as long as its flow lives.

    On the flow itself, where it is found four times as fast as in a mapping of weak references; by a name of its own,
    for the addon that comes when the script is loaded anew is not to meet the flows of the one before.
    """

    def __init__(self) -> None:
        self._name = f"_mirror_passage_{uuid.uuid4().hex}"

    def get(self, flow: http.HTTPFlow) -> Exchange | None:
        """The exchange, None for a flow that this addon did not route."""
        return flow.__dict__.get(self._name)

    def __getitem__(self, flow: http.HTTPFlow) -> Exchange:
        """The exchange. Raises KeyError."""
        exchange: Exchange = flow.__dict__[self._name]
        return exchange

    def __setitem__(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        flow.__dict__[self._name] = exchange
