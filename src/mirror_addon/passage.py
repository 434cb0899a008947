"""A request on its way through the proxy."""

from __future__ import annotations

import weakref

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Fields
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.upload import Upload


class Passage:
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
