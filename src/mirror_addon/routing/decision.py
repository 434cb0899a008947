"""What goes into routing and what comes out: plain values, bytes as on the wire."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror_addon.routing.fields import Fields

if TYPE_CHECKING:
    from mirror_addon.istio.mirror_annotations import MirrorAnnotations
    from mirror_addon.routing.clusters import Cluster
    from mirror_addon.routing.clusters import Endpoint
    from mirror_addon.routing.header_edits import HeaderEdit


class Action(enum.StrEnum):
    """What becomes of a request."""

    ROUTE = "route"
    REDIRECT = "redirect"
    DIRECT_RESPONSE = "direct_response"
    FAULT_ABORT = "fault_abort"
    CORS_PREFLIGHT = "cors_preflight"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    PASSTHROUGH = "passthrough"


@dataclass(slots=True)
class Request:
    """A request's head.

    `authority` is Host or `:authority` as sent, port included; `path` the origin-form target with its query.
    `port` is the listener's. `client` is the address to append to X-Forwarded-For on an edge (text form of the peer's
    IP, a loopback peer already replaced by this machine's own address), empty where none is known.
    """

    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    headers: Fields
    port: int
    client: bytes = b""


@dataclass(slots=True)
class LocalResponse:
    """An answer that the proxy gives itself."""

    status: int
    headers: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class Rule:
    """Names the rule that a request met, for people: one HTTPRoute of one virtual service."""

    virtual_service: str
    """`namespace/name`."""
    rule: str
    """`http[0]`, counted inside its own document."""
    name: str
    """The route's own name, or empty."""
    location: str
    """`FILE:LINE`, or empty for a rule made from options."""
    annotations: MirrorAnnotations | None = None
    """Of its virtual service; None: there are none."""

    def __str__(self) -> str:
        return f"{self.virtual_service} {self.rule}".lstrip()

    @property
    def ignore(self) -> str:
        """What is not compared of its mirrors' answers: the annotation `mirror-addon/ignore`."""
        return self.annotations.ignore if self.annotations is not None else ""


@dataclass(slots=True)
class Mirror:
    """One mirror of the rule that was met, in document order.

    `percent` is the number as written (100 where none is). `sampled`: the draw fell below the threshold. `skipped`:
    why there is no shadow although `sampled` (a word of the counters: `no_endpoint`, `local_reply`), else None.
    """

    cluster: Cluster
    endpoint: Endpoint | None
    percent: float
    sampled: bool
    skipped: str | None
    timeout: float | None = None
    """Seconds for the whole shadow where the route says so (Envoy: a shadow has the route's timeout), else None."""
    path_prefix: bytes = b""
    """Prepended to the shadow's path: the path of a `mirror_to` URL."""
    annotations: MirrorAnnotations | None = None
    """Of the virtual service, for whoever knows the time and what was sent; None: there are none."""
    edit: HeaderEdit | None = None
    """What is done to the shadow's header fields alone, before Host and X-Forwarded-For are made."""
    number: int | None = None
    """The user's number, which decided `sampled` in place of the draw; None: the draw did."""


@dataclass(slots=True)
class Decision:
    """Everything that becomes of one request.

    `request` is the request as it leaves (`route`, `passthrough`), before the shadow's own edits; `response` the
    local reply of all other actions.
    """

    action: Action
    rule: Rule | None = None
    match: int | None = None
    """Index in the rule's `match` list; None where the rule has none."""
    cluster: Cluster | None = None
    endpoint: Endpoint | None = None
    request: Request | None = None
    response: LocalResponse | None = None
    mirrors: tuple[Mirror, ...] = ()
    delay: float = 0.0
    """Seconds to hold the request first (fault injection)."""
    response_headers: tuple[HeaderEdit, ...] = ()
    """What is done to the header fields of the primary's response, in order. Already done to `response`."""


def as_drawn(mirror: Mirror) -> Mirror:
    """The mirror as if the random draw had selected it, whatever its percentage."""
    if mirror.sampled:
        return mirror
    return replace(mirror, sampled=True, skipped=None if mirror.endpoint else "no_endpoint")
