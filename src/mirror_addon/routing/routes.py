"""One compiled HTTPRoute: what happens to a request that met one of its matches.

The order is that of Envoy's filter chain as Istio configures it: fault, CORS, router; a redirect or direct response is
a router action (`istio/pilot/pkg/networking/core/route/route.go`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.istio.resources.virtual_service import Headers
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.resources.virtual_service import HTTPRouteDestination
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.cors import compile_cors
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.destinations import ResolvedDestination
from mirror_addon.routing.faults import compile_fault
from mirror_addon.routing.fields import JOINED_REQUEST_FIELDS
from mirror_addon.routing.fields import JOINED_RESPONSE_FIELDS
from mirror_addon.routing.hashing import hash_key
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.header_edits import host_of
from mirror_addon.routing.header_operations import compile_edit
from mirror_addon.routing.local_replies import local_reply
from mirror_addon.routing.mirrors import MirrorPolicy
from mirror_addon.routing.mirrors import mirror_destinations
from mirror_addon.routing.redirects import Local
from mirror_addon.routing.redirects import compile_direct_response
from mirror_addon.routing.redirects import compile_redirect
from mirror_addon.routing.sampling import Sampler
from mirror_addon.routing.uris import Rewrite

_NO_DESTINATION = b"the rule has no destination with a weight above zero; give its route one"


class Targets(Protocol):
    """What finds the clusters of destinations, in a document of a namespace."""

    primary_endpoints: bool

    def target(self, destination: Destination, namespace: str) -> ResolvedDestination: ...


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """One destination of a route with its header edits, in the order in which they are applied."""

    target: ResolvedDestination
    weight: int
    request: tuple[HeaderEdit, ...]
    response: tuple[HeaderEdit, ...]
    authority: bytes
    """The new Host; empty where the request keeps its own."""


class CompiledRoute:
    """The action of a rule."""

    __slots__ = (
        "_bounds", "_plain", "cors", "destinations", "fault", "http", "local", "methods", "mirrors", "missing_status",
        "needs_endpoint", "response_edits", "rule", "sampler", "timeout", "total",
    )  # fmt: skip

    def __init__(
        self,
        http: HTTPRoute,
        rule: Rule,
        clusters: Targets,
        namespace: str,
        sample_seed: bytes = b"",
        missing_status: int = 503,
    ) -> None:
        """`missing_status` is Envoy's `cluster_not_found_response_code`: for a destination that does not exist."""
        self.http = http
        """The source, with inherited fields where the rule was delegated to."""
        self.rule = rule
        self.missing_status = missing_status
        self.needs_endpoint = clusters.primary_endpoints
        self.fault = compile_fault(http.fault)
        self.cors = compile_cors(http.cors_policy)
        self.local: Local | None = None
        if http.redirect is not None:
            self.local = compile_redirect(http.redirect)
        elif http.direct_response is not None:
            self.local = compile_direct_response(http.direct_response)
        response = compile_edit([http.headers.response], JOINED_RESPONSE_FIELDS) if http.headers else None
        self.response_edits = (response,) if response else ()
        self.destinations = _destinations(http, clusters, namespace)
        self._bounds = list(accumulate(destination.weight for destination in self.destinations))
        self.total = self._bounds[-1] if self._bounds else 0
        self.timeout = http.timeout or None
        self.mirrors = tuple(
            MirrorPolicy(clusters.target(destination, namespace), fraction, self.timeout, annotations=rule.annotations)
            for destination, fraction in mirror_destinations(http)
        )
        annotations = rule.annotations if self.mirrors else None
        self.methods = annotations.methods if annotations is not None else None
        sample_by = annotations.sample_by if annotations is not None else None
        self.sampler = Sampler(sample_by, sample_seed) if sample_by is not None else None
        # Most rules have none of these; `decide` then goes straight to the destination.
        self._plain = self.fault is None and self.cors is None and self.local is None

    def decide(
        self, match: int | None, request: Request, target: bytes, path_end: int, rewrite: Rewrite | None, draw: int
    ) -> Decision:
        """Decide what happens to `request`.

        `match` is the index of the match that was met, `target` the request's normalised path with its query,
        `path_end` where the query begins, and `rewrite` the path rewrite that goes with the match.
        """
        if self._plain:
            return self.forward(match, request, target, path_end, rewrite, draw, ())
        delay = 0.0
        if self.fault is not None:
            delay = self.fault.delay_of(draw)
            chosen = self.choose(draw)
            own = self._response_edits(chosen, request)
            if (response := self.fault.abort_of(request, draw, own)) is not None:
                return self._reply(Action.FAULT_ABORT, match, request, response, draw, delay)
        if self.local is not None:
            if rewrite is not None:
                target = rewrite(target, path_end)
            response = self.local.reply(request, target, self._response_edits(None, request))
            return self._reply(self.local.action, match, request, response, draw, delay)
        edits: tuple[HeaderEdit, ...] = ()
        if self.cors is not None:
            if (response := self.cors.preflight(request)) is not None:
                return self._reply(Action.CORS_PREFLIGHT, match, request, response, draw, delay)
            edit = self.cors.response_edit(request)
            edits = (edit,) if edit else ()
        decision = self.forward(match, request, target, path_end, rewrite, draw, edits)
        decision.delay = delay
        return decision

    def obstacle(self, method: bytes) -> str | None:
        """Return `method` where requests with this method are not mirrored, else None.

        Envoy mirrors everything except CONNECT (`router.cc`); `mirror-addon/methods` may exclude more.
        """
        if method == b"CONNECT" or (self.methods is not None and method.upper() not in self.methods):
            return "method"
        return None

    def choose(self, draw: int) -> Weighted | None:
        """Return the destination that a draw falls on; None where no destination has a weight.

        The first destination owns `[0, weight)`, the next begins there, and so on (Envoy's `WeightedClusterEntry`).
        """
        destinations = self.destinations
        if len(destinations) == 1:
            return destinations[0]
        if not self.total:
            return None
        return destinations[bisect_right(self._bounds, draw % self.total)]

    def _response_edits(self, chosen: Weighted | None, request: Request) -> tuple[HeaderEdit, ...]:
        """Return the edits of a response to `request`, of a destination or of the route alone."""
        return self.response_edits if chosen is None else chosen.response

    def forward(
        self,
        match: int | None,
        request: Request,
        target: bytes,
        path_end: int,
        rewrite: Rewrite | None,
        draw: int,
        edits: tuple[HeaderEdit, ...],
    ) -> Decision:
        """Decide where `request` goes, once nothing before the router has answered it: neither a fault nor CORS.

        `edits` are those of the response that come after the destination's; the rest is as for `decide`.
        """
        chosen = self.choose(draw)
        if chosen is None:
            return self._unavailable(match, request, None, _NO_DESTINATION, draw, edits)
        port = request.port
        cluster = chosen.target.sole
        if cluster is None:
            cluster = chosen.target.at(port)
        authority = chosen.authority or request.authority
        if cluster.hash_policy is None:
            endpoint = cluster.pick(draw, authority)
        else:
            endpoint, cookie = _pick_by_hash(cluster, request, authority, draw)
            if cookie is not None:
                edits = (cookie, *edits)
        if endpoint is None and self.needs_endpoint:
            return self._unavailable(match, request, cluster, cluster.missing.encode(), draw, chosen.response + edits)
        headers = request.headers
        for edit in chosen.request:
            headers = edit.apply(headers)
        if rewrite is not None:
            target = rewrite(target, path_end)
        method = request.method
        leaving = Request(method, request.scheme, authority, target, headers, port, request.client)
        obstacle = self.obstacle(method)
        number = self.sampler.number(request) if self.sampler is not None else None
        mirrors = tuple([mirror.decide(draw, port, authority, obstacle, number) for mirror in self.mirrors])
        response_edits = chosen.response + edits if edits else chosen.response
        return Decision(
            Action.ROUTE, self.rule, match, cluster, endpoint, leaving, None, mirrors, 0.0, response_edits, self.timeout
        )

    def answered(self, match: int | None, request: Request, draw: int) -> Decision:
        """Return the decision, without its response, where somebody else has made the local reply of this route."""
        assert self.local is not None
        return Decision(self.local.action, self.rule, match, mirrors=self._unsent(request, draw))

    def status_without(self, cluster: Cluster | None) -> int:
        """Return the status of a response without an endpoint in `cluster`, which is None where there is none."""
        return 503 if cluster is None or cluster.exists else self.missing_status

    def _unavailable(
        self,
        match: int | None,
        request: Request,
        cluster: Cluster | None,
        reason: bytes,
        draw: int,
        edits: tuple[HeaderEdit, ...],
    ) -> Decision:
        response = local_reply(request, self.status_without(cluster), reason + b"\n", (), edits)
        decision = self._reply(Action.UNAVAILABLE, match, request, response, draw, 0.0)
        decision.cluster = cluster
        return decision

    def _reply(
        self,
        action: Action,
        match: int | None,
        request: Request,
        response: LocalResponse,
        draw: int,
        delay: float,
    ) -> Decision:
        mirrors = self._unsent(request, draw)
        return Decision(action, self.rule, match, response=response, mirrors=mirrors, delay=delay)

    def _unsent(self, request: Request, draw: int) -> tuple[Mirror, ...]:
        port, authority = request.port, request.authority
        number = self.sampler.number(request) if self.sampler is not None else None
        return tuple([mirror.decide(draw, port, authority, "local_reply", number) for mirror in self.mirrors])


def _pick_by_hash(
    cluster: Cluster, request: Request, authority: bytes, draw: int
) -> tuple[Endpoint | None, HeaderEdit | None]:
    assert cluster.hash_policy is not None
    key, cookie = hash_key(cluster.hash_policy, request, draw)
    return (cluster.pick(draw, authority) if key is None else cluster.pick_by_hash(key)), cookie


def _destinations(http: HTTPRoute, clusters: Targets, namespace: str) -> tuple[Weighted, ...]:
    """Return the destinations that can be chosen: a single one whatever its weight, of several those with a weight.

    Istio drops destinations without a weight where there are several (`route.go`).
    """
    if len(http.route) == 1:
        return (_weighted(http.route[0], 1, http, clusters, namespace, merged=True),)
    return tuple(
        _weighted(item, item.weight, http, clusters, namespace, merged=False) for item in http.route if item.weight > 0
    )


def _weighted(
    item: HTTPRouteDestination, weight: int, http: HTTPRoute, clusters: Targets, namespace: str, merged: bool
) -> Weighted:
    route, own = http.headers or Headers(), item.headers or Headers()
    authority = http.rewrite.authority if http.rewrite else ""
    authority = authority or host_of(route.request) or host_of(own.request)
    return Weighted(
        target=clusters.target(item.destination or Destination(), namespace),
        weight=weight,
        request=_passes(own.request, route.request, merged, JOINED_REQUEST_FIELDS),
        response=_passes(own.response, route.response, merged, JOINED_RESPONSE_FIELDS),
        authority=authority.encode(),
    )


def _passes(
    own: HeaderOperations | None, route: HeaderOperations | None, merged: bool, joined: frozenset[bytes]
) -> tuple[HeaderEdit, ...]:
    """Return the passes over the header fields.

    A single destination is merged into the route, so its operations follow the route's in one pass. Each of several is
    a weighted cluster of its own, whose pass Envoy makes before the route's.
    """
    levels = [[route, own]] if merged else [[own], [route]]
    edits = [compile_edit(level, joined) for level in levels]
    return tuple(edit for edit in edits if edit is not None)
