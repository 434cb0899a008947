"""The route table: Istio resources are compiled into a table, and the table decides what happens to a request.

Theory of operation. This room does what Istio's pilot and Envoy's router do together: pilot turns resources, virtual
services and routes of the Gateway API alike, into routes (`istio/pilot/pkg/networking/core/route/route.go`; comments in
this room say only `route.go`), the router picks one for each request. Everything here is pure: values in, values out,
without sockets, clocks, threads or mitmproxy. A table is built once for a set of rules (`rules/`). It never changes
afterwards, except for round-robin positions and clusters of ports that are seen for the first time. It decides in the
proxy's event loop, once for each request, when the request's header is complete.

`RouteTable.route` decides in Envoy's order:

1. `hosts` picks one virtual host by the Host header: exact name, then the longest wildcard, then `*`. A request that no
   host claims passes through, with the mirrors of the option `mirror_to` (`mirror_to`); at the port of a Gateway that
   this proxy acts as it gets a 404 (`gateways`), and one over plain HTTP may be redirected (`https_redirect`).
2. The path is normalised (`normalization`) and on an edge the client is appended to X-Forwarded-For (`forwarded`), both
   before matching, as Envoy's connection manager does.
3. `index` finds the first entry (one match of one rule, `virtual_services`) whose uri and conditions are met. It finds
   what a scan in document order would find, but tests only the candidates that the path leaves. No entry: 404, never
   the next host.
4. `routes` carries out the rule: fault, redirect or direct response, CORS, then destination, endpoint, header edits,
   rewrite and mirrors. The result is a `decision.Decision`.

One 64-bit draw, made by the caller, serves the weights and every mirror of a request, because Envoy uses its stream id
for both (`WeightedClusterSpecifierPlugin`, `FilterUtility::shouldShadow` in `router.cc`): two mirrors at 50 % get the
same requests. Faults and endpoints, for which Envoy draws again, take numbers derived from the draw (`randomness`), so
that the draw alone explains a decision. For the same reason no trace is kept: `trace.explain` repeats the decision from
request and draw when somebody asks, and the hot path does not pay for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.destinations import Clusters
from mirror_addon.routing.formatted_routes import FormattedRoute
from mirror_addon.routing.forwarded import forwarded_scheme
from mirror_addon.routing.forwarded import with_client
from mirror_addon.routing.gateway_routes import compile_gateway_routes
from mirror_addon.routing.gateway_routes import left_out_routes
from mirror_addon.routing.gateways import Gateways
from mirror_addon.routing.hosts import Entries
from mirror_addon.routing.hosts import VirtualHost
from mirror_addon.routing.hosts import build_hosts
from mirror_addon.routing.https_redirect import HttpsRedirect
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.local_replies import local_reply
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.mesh_headers import add_leaving
from mirror_addon.routing.mesh_headers import with_expectations
from mirror_addon.routing.mesh_headers import with_received
from mirror_addon.routing.mirror_to import MirrorTo
from mirror_addon.routing.mirror_to import Passthrough
from mirror_addon.routing.normalization import LEVELS
from mirror_addon.routing.paths import path_end
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.virtual_services import RouteEntry
from mirror_addon.routing.virtual_services import compile_virtual_services
from mirror_addon.routing.virtual_services import left_out

__all__ = ["MirrorTo", "RouteTable"]


class RouteTable:
    """All compiled rules of a proxy. `mirroring` lists the rules that have a mirror, `mirror_to` among them."""

    def __init__(
        self,
        resources: Sequence[Resource[Spec]],
        identity: Identity,
        endpoint_overrides: Mapping[tuple[str, str], Endpoint],
        mirror_to: Sequence[MirrorTo],
        primary_endpoints: bool,
    ) -> None:
        self.identity = identity
        self.clusters = Clusters(resources, identity, endpoint_overrides, primary_endpoints)
        services = compile_virtual_services(resources, identity, self.clusters)
        services += compile_gateway_routes(resources, identity, self.clusters)
        services.sort(key=lambda service: service.order)
        self.gateways = Gateways(resources, identity)
        self.hosts, self.virtual_hosts = build_hosts(services, identity, self.clusters, self.gateways)
        self.left_out = [*left_out(resources, identity), *left_out_routes(resources, identity)]
        """The virtual services and routes that do not apply to this proxy, for a trace."""
        self.has_namespaces = len({resource.namespace for resource in resources}) > 1
        self.passthrough = Passthrough(mirror_to)
        routes = {id(entry.route): entry.route for service in services for entry in service.entries}
        self.mirroring = tuple(route.rule for route in routes.values() if route.mirrors)
        if self.passthrough.rule is not None:
            self.mirroring += (self.passthrough.rule,)
        formatted = any(isinstance(route, FormattedRoute) for route in routes.values())
        self.wants_facts = formatted or identity.mesh_headers
        """Whether requests need `facts`, because of operators in header values or the client's own address."""
        self._normalize = LEVELS[identity.path_normalization]
        self._edge = identity.use_remote_address
        self._mesh_headers = identity.mesh_headers

    @classmethod
    def build(
        cls,
        resources: Sequence[Resource[Spec]],
        identity: Identity,
        *,
        endpoint_overrides: Mapping[tuple[str, str], Endpoint] | None = None,
        mirror_to: Sequence[MirrorTo] = (),
        primary_endpoints: bool = True,
    ) -> RouteTable:
        """Return the table of these resources for the proxy that `identity` describes.

        `endpoint_overrides` are by fully qualified host and subset and take precedence over the resources; an empty
        subset stands for every subset without an override of its own. Faulty resources raise no error: a rule that a
        cluster would ignore is ignored. `primary_endpoints`: a destination without endpoints is a 503; False where
        nothing is sent to a primary, and only its mirrors matter.
        """
        return cls(resources, identity, endpoint_overrides or {}, mirror_to, primary_endpoints)

    def route(self, request: Request, draw: int) -> Decision:
        """Decide what happens to a request. `draw` is its 64-bit random number, the only source of chance."""
        host = self.hosts.find(request.authority)
        if host is None:
            return self.unclaimed(request, draw)
        entries = host.at(request.port)
        if entries is None:
            entries = self._elsewhere(request)
            if entries is None:
                return self.unclaimed(request, draw)
        arrived = self.arrived(request)
        target = arrived.path
        end = path_end(target)  # found once, because matching and rewriting both need it
        entry = entries.find(RequestLookup(arrived, target[:end]))
        if entry is None:
            return Decision(Action.NOT_FOUND, response=local_reply(arrived, 404))
        if self._mesh_headers:
            return self._in_the_mesh(entry, arrived, target, end, draw)
        return entry.route.decide(entry.match, arrived, target, end, entry.rewrite, draw)

    def _in_the_mesh(
        self, entry: RouteEntry | HttpsRedirect, arrived: Request, target: bytes, end: int, draw: int
    ) -> Decision:
        """Decide with the fields that Envoy's router adds."""
        if isinstance(entry.route, CompiledRoute):
            arrived.headers = with_expectations(arrived.headers, entry.route)
        decision = entry.route.decide(entry.match, arrived, target, end, entry.rewrite, draw)
        add_leaving(decision, arrived)
        return decision

    def arrived(self, request: Request) -> Request:
        """Return a request as rules see it: path normalised, on an edge with the client in X-Forwarded-For."""
        path = self._normalize(request.path)
        headers = with_client(request.headers, request.client if self._edge else b"")
        if self._mesh_headers:
            headers = with_received(request, headers, self._edge)
        scheme = request.scheme if self._edge else forwarded_scheme(headers, request.scheme)
        port, client, facts = request.port, request.client, request.facts
        return Request(request.method, scheme, request.authority, path, headers, port, client, facts)

    def virtual_host(self, request: Request) -> VirtualHost | None:
        """Return the virtual host that claims a request; None where it passes through."""
        for host in self.hosts.candidates(request.authority):
            if host.at(request.port) is not None:
                return host
        return None

    def unclaimed(self, request: Request, draw: int) -> Decision:
        """Decide about a request to a host that no rule names: at the port of a Gateway's server it is not found."""
        if request.port in self.gateways.closed:
            return Decision(Action.NOT_FOUND, response=local_reply(request, 404))
        return self.passthrough.decide(request, draw)

    def _elsewhere(self, request: Request) -> Entries | None:
        """Return the entries of a less specific host.

        Istio builds no virtual host for a port where a virtual service has no route, so the next wildcard claims it.
        """
        host = self.virtual_host(request)
        return host.at(request.port) if host else None
