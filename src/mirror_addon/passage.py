"""A request on its way through the proxy."""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.upload import Upload


@dataclass(slots=True, weakref_slot=True)
class Passage:
    """What the proxy knows of one request: enough to send its shadows, and to explain it later."""

    table: RouteTable
    request: Request
    """As the client sent it."""
    draw: int
    decision: Decision
    uploads: list[Upload] | None = None
    """The shadows of a streamed body, or None while nothing is streamed."""
    settled: bool = False
    """Its shadows are handed over, or there will be none."""
