"""Routes of the Gateway API as entries of the same table as virtual services.

Pilot makes one internal virtual service of each listener and host, or in the mesh of each namespace, Service and port,
with the rules of all routes attached there, sorted (istio `pilot/pkg/config/kube/gateway/route_collections.go`). Each
match is an entry that knows its route, rule and place among the rule's matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from mirror_addon.gateway_api.attachment import MESH
from mirror_addon.gateway_api.attachment import Attacher
from mirror_addon.gateway_api.attachment import Attachment
from mirror_addon.gateway_api.backends import Backend
from mirror_addon.gateway_api.backends import Resolver
from mirror_addon.gateway_api.grants import Grants
from mirror_addon.gateway_api.precedence import Rank
from mirror_addon.gateway_api.precedence import match_request
from mirror_addon.gateway_api.precedence import oldest_first
from mirror_addon.gateway_api.precedence import rank
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec
from mirror_addon.gateway_api.resources.references import BackendObjectReference
from mirror_addon.gateway_api.resources.routes import RouteSpec
from mirror_addon.gateway_api.resources.routes import matches_of
from mirror_addon.gateway_api.resources.routes import rules_of
from mirror_addon.gateway_api.translation import RouteLost
from mirror_addon.gateway_api.translation import translate_rule
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.mirror_annotations import read_annotations
from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.routing.conditions import Condition
from mirror_addon.routing.conditions import compile_conditions
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.destinations import Clusters
from mirror_addon.routing.destinations import ResolvedDestination
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.redirects import redirect_rewrite
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.uris import Rewrite
from mirror_addon.routing.uris import Uri
from mirror_addon.routing.uris import compile_rewrite
from mirror_addon.routing.uris import compile_uri
from mirror_addon.routing.uris import is_catch_all
from mirror_addon.routing.virtual_services import OTHERS
from mirror_addon.routing.virtual_services import OWN_ROUTES
from mirror_addon.routing.virtual_services import CompiledVirtualService
from mirror_addon.routing.virtual_services import LeftOut
from mirror_addon.routing.virtual_services import RouteEntry

_UNRESOLVED = 500
"""The response for a backend that does not exist (`route.go`, `ClusterNotFoundResponseCode`)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """One match of one rule, before it is known at which ports it is tried."""

    route: CompiledRoute
    index: int | None
    uri: Uri
    conditions: tuple[Condition, ...]
    rewrite: Rewrite | None
    source: HTTPMatchRequest | None
    rank: Rank
    lost: str

    def at(self, port: int) -> RouteEntry:
        return RouteEntry(
            route=self.route,
            match=self.index,
            uri=self.uri,
            conditions=self.conditions,
            rewrite=self.rewrite,
            port=port,
            catch_all=is_catch_all(self.uri, self.source),
            excluded=self.lost,
            source=self.source,
            lost=bool(self.lost),
        )


@dataclass(slots=True, eq=False)
class _Group:
    """The matches of all routes with one attachment; `first` is the oldest of these routes."""

    first: Resource[RouteSpec]
    matches: list[_Match] = field(default_factory=list)


def compile_gateway_routes(
    resources: Sequence[Resource[Any]], identity: Identity, clusters: Clusters
) -> list[CompiledVirtualService]:
    """Return what the HTTPRoutes and GRPCRoutes that apply to this proxy claim, one for each attachment."""
    routes = [item for item in resources if isinstance(item.spec, HTTPRouteSpec | GRPCRouteSpec)]
    if not routes:
        return []
    attacher, grants = Attacher(resources, identity.domain), Grants(resources)
    groups: dict[Attachment, _Group] = {}
    for route in sorted(routes, key=oldest_first):
        compiler = _RouteCompiler(route, grants, identity, clusters)
        for attachment in attacher.attach(route).attachments:
            if _applies(attachment, route, identity):
                group = groups.setdefault(attachment, _Group(route))
                group.matches += compiler.matches(mesh=attachment.gateway == MESH)
    return [_compiled(attachment, group, identity) for attachment, group in groups.items()]


def left_out_routes(resources: Sequence[Resource[Any]], identity: Identity) -> list[LeftOut]:
    """Return the routes that do not apply to this proxy, once for each parent that does not admit them."""
    found: list[LeftOut] = []
    routes = [item for item in resources if isinstance(item.spec, HTTPRouteSpec | GRPCRouteSpec)]
    attacher = Attacher(resources if routes else (), identity.domain)
    for route in routes:
        attached = attacher.attach(route)
        reasons = [problem.message for problem in attached.refused.values()]
        if attached.attachments and not any(_applies(each, route, identity) for each in attached.attachments):
            gateways = ", ".join(dict.fromkeys(each.gateway for each in attached.attachments))
            reasons.append(f"it is for {gateways}, or for clients in another namespace")
        hosts = tuple(route.spec.hostnames) or tuple(each.host for each in attached.attachments) or ("*",)
        found += [LeftOut(f"{route.namespace}/{route.name}", hosts, why, route.kind) for why in reasons]
    return found


def _applies(attachment: Attachment, route: Resource[RouteSpec], identity: Identity) -> bool:
    """Whether this proxy is the Gateway, or a client in the mesh that sees the route.

    A route in the namespace of its Service is for all clients, one in another namespace for the clients there
    (`route.go`, `buildSidecarVirtualHostsForVirtualService`).
    """
    if not identity.serves((attachment.gateway,), route.namespace):
        return False
    return attachment.gateway != MESH or route.namespace in (attachment.namespace, identity.namespace)


def _compiled(attachment: Attachment, group: _Group, identity: Identity) -> CompiledVirtualService:
    mesh, first = attachment.gateway == MESH, group.first
    entries = tuple(match.at(attachment.port) for match in sorted(group.matches, key=lambda match: match.rank))
    # In the mesh, routes of the client's own namespace come before all others (`push_context.go`,
    # `VirtualServicesForGateway`). The name is that of the virtual service that pilot makes.
    place = OWN_ROUTES if mesh and first.namespace == identity.namespace else OTHERS
    name = f"{attachment.scope}~{attachment.host}".replace("/", "~")
    order = (place, first.creation_timestamp, name, first.namespace)
    return CompiledVirtualService((attachment.host,), entries, first.namespace, (), order, mesh)


class _RouteCompiler:
    """Compiles the rules of one route, for Gateways and for the mesh, each once."""

    def __init__(self, route: Resource[RouteSpec], grants: Grants, identity: Identity, clusters: Clusters) -> None:
        self._route = route
        self._grants = grants
        self._identity = identity
        self._clusters = clusters
        self._made: dict[bool, list[_Match]] = {}

    def matches(self, mesh: bool) -> list[_Match]:
        """Return the matches of all rules. References from the mesh need no ReferenceGrant, as in Istio."""
        found = self._made.get(mesh)
        if found is None:
            found = self._made[mesh] = list(self._compile(mesh))
        return found

    def _compile(self, mesh: bool) -> Iterator[_Match]:
        route, lost = self._route, ""
        rules = rules_of(route.spec)
        targets = _Targets(
            self._clusters,
            Resolver(self._grants, route.kind, route.namespace, self._identity.domain, enforced=not mesh),
        )
        translated: list[HTTPRoute] = []
        try:
            translated = [translate_rule(rule, targets.resolve) for rule in rules]
        except RouteLost as error:
            lost = f"Istio makes nothing of this route: {error}"
            translated = [HTTPRoute() for _ in rules]
        annotations = read_annotations(route.annotations, route.document.changed) if route.annotations else None
        for index, (rule, http) in enumerate(zip(rules, translated, strict=True)):
            line, _ = route.document.locate(("spec", "rules", index))
            names = Rule(
                "",
                f"rules[{index}]",
                rule.name or "",
                f"{route.document.file}:{line}",
                annotations,
                f"{route.namespace}/{route.name}",
            )
            compiled = CompiledRoute(
                http, names, targets, route.namespace, self._identity.sample_seed, missing_status=_UNRESOLVED
            )
            for number, match in enumerate(matches_of(rule) or (None,)):
                yield _match(compiled, http, match_request(match), None if match is None else number, lost)


def _match(
    route: CompiledRoute, http: HTTPRoute, source: HTTPMatchRequest | None, index: int | None, lost: str
) -> _Match:
    uri = compile_uri(source, elements=True)
    rewrite = redirect_rewrite(uri, http.redirect) if http.redirect is not None else compile_rewrite(uri, http.rewrite)
    conditions = compile_conditions(source) if source is not None else ()
    return _Match(route, index, uri, conditions, rewrite, source, rank(source), lost)


class _Targets:
    """The clusters that one route may use. The host of a Destination is the key of a backend here."""

    def __init__(self, clusters: Clusters, resolver: Resolver) -> None:
        self._clusters = clusters
        self._resolver = resolver
        self.primary_endpoints = clusters.primary_endpoints
        self._backends: dict[str, Backend] = {}

    def resolve(self, reference: BackendObjectReference) -> Backend:
        backend = self._resolver.resolve(reference)
        return self._backends.setdefault(f"{backend.key}:{backend.port}", backend)

    def target(self, destination: Destination, namespace: str) -> ResolvedDestination:
        port = destination.port.number if destination.port is not None else 0
        backend = self._backends[f"{destination.host}:{port}"]
        if backend.problem is not None:
            return self._clusters.refused(backend.host, port, backend.label, backend.problem.message)
        return self._clusters.backend(backend.host, port, backend.label)
