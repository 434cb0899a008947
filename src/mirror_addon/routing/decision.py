"""The values that go into routing and come out of it. Bytes are as on the wire."""

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
    """What happens to a request."""

    ROUTE = "route"
    REDIRECT = "redirect"
    DIRECT_RESPONSE = "direct_response"
    FAULT_ABORT = "fault_abort"
    CORS_PREFLIGHT = "cors_preflight"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True, slots=True)
class Facts:
    """What `%OPERATORS%` in header values say of a request beside its head. Addresses are IP address and port."""

    peer: tuple[str, int]
    local: tuple[str, int]
    protocol: str
    """`HTTP/1.1`, `HTTP/2`."""
    start: float
    """When it began, in seconds since the epoch."""
    hostname: str


@dataclass(slots=True)
class Request:
    """A request without its body.

    `authority` is Host or `:authority` as sent, with its port; `path` the origin-form target with its query. `port` is
    the listener's. `client` is the peer's IP address as text, which is appended to X-Forwarded-For on an edge; this
    machine's own address for a loopback peer, empty where the address is not known. `facts` are there only where the
    table has header values with operators.
    """

    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    headers: Fields
    port: int
    client: bytes = b""
    facts: Facts | None = None


@dataclass(slots=True)
class LocalResponse:
    """A response that the proxy makes itself."""

    status: int
    headers: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class Rule:
    """The names of the rule that a request met: of a virtual service, or of a route of the Gateway API."""

    virtual_service: str
    """`namespace/name`; empty for a rule of another kind."""
    rule: str
    """`http[0]` or `rules[0]`, the index in its own document."""
    name: str
    """The route's own name, or empty."""
    location: str
    """`FILE:LINE`, or empty for a rule made from options."""
    annotations: MirrorAnnotations | None = None
    """The annotations of its document; None where there are none."""
    route: str = ""
    """`namespace/name` of an HTTPRoute or GRPCRoute; empty for a rule of another kind."""

    def __str__(self) -> str:
        return f"{self.owner} {self.rule}".lstrip()

    @property
    def owner(self) -> str:
        """`namespace/name` of its document; empty for a rule made from options."""
        return self.virtual_service or self.route

    @property
    def ignore(self) -> str:
        """What is not compared in its mirrors' responses: the annotation `mirror-addon/ignore`."""
        return self.annotations.ignore if self.annotations is not None else ""

    @property
    def twin(self) -> bool | None:
        """Whether its mirrors' state is kept in step: the annotation `mirror-addon/twin`; None without it."""
        return self.annotations.twin if self.annotations is not None else None


@dataclass(slots=True)
class Mirror:
    """One mirror of the rule that was met.

    `percent` is the number as written, 100 where there is none. `sampled`: the draw selected it. `skipped`: why no
    shadow is sent although `sampled` (a counter's name: `no_endpoint`, `local_reply`, `method`), else None.
    """

    cluster: Cluster
    endpoint: Endpoint | None
    percent: float
    sampled: bool
    skipped: str | None
    timeout: float | None = None
    """Seconds for the whole shadow; None where the route has no timeout (in Envoy a shadow has its route's)."""
    path_prefix: bytes = b""
    """Put before the shadow's path: the path of a `mirror_to` URL."""
    annotations: MirrorAnnotations | None = None
    """The annotations of the virtual service, some of which are limits in time or number; None where there are none."""
    edit: HeaderEdit | None = None
    """Edits the shadow's header fields only, before Host and X-Forwarded-For are set."""
    number: int | None = None
    """The user's number that decided `sampled`; None where the draw did."""


@dataclass(slots=True)
class Decision:
    """What happens to one request.

    `request` is the request as it leaves (actions `route` and `passthrough`), before the shadow's own edits;
    `response` is the local reply of all other actions.
    """

    action: Action
    rule: Rule | None = None
    match: int | None = None
    """The index in the rule's `match` list; None where the rule has no matches."""
    cluster: Cluster | None = None
    endpoint: Endpoint | None = None
    request: Request | None = None
    response: LocalResponse | None = None
    mirrors: tuple[Mirror, ...] = ()
    delay: float = 0.0
    """Seconds for which the request is held first (fault injection)."""
    response_headers: tuple[HeaderEdit, ...] = ()
    """Edits of the primary's response header fields, in order. A local `response` has them already."""
    timeout: float | None = None
    """Seconds for the primary's whole response, from the end of the request; None: no limit."""


def as_drawn(mirror: Mirror) -> Mirror:
    """The mirror as if the random draw had selected it, whatever its percentage."""
    if mirror.sampled:
        return mirror
    return replace(mirror, sampled=True, skipped=None if mirror.endpoint else "no_endpoint")
