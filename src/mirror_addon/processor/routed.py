"""A request that was routed, and what is not known of it yet."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields


class Waits(enum.Flag):
    """What is not known yet."""

    NOTHING = 0
    CLUSTER = enum.auto()
    ENDPOINT = enum.auto()
    FILTER = enum.auto()
    HEAD = CLUSTER | ENDPOINT
    """It is known with the head of the response."""


@dataclass(slots=True)
class Routed:
    """The request and what was decided; what `ShadowMaker` makes shadows of."""

    request: Request
    decision: Decision
    draw: int
    client: str
    grpc: bool
    trailers: Fields = ()

    @property
    def sent(self) -> Request:
        assert self.decision.request is not None
        return self.decision.request
