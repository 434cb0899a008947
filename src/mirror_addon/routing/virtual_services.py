"""Virtual services as they apply to this proxy: ordered, filtered, with delegates resolved.

Istio does this in pilot before Envoy sees a route (`istio/pilot/pkg/model/virtualservice.go`, `push_context.go`).
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.istio.mirror_annotations import read_annotations
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import HTTPRoute
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.routing import names
from mirror_addon.routing.conditions import Condition
from mirror_addon.routing.conditions import compile_conditions
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.delegation import Matches
from mirror_addon.routing.delegation import merge_route
from mirror_addon.routing.delegation import numbered
from mirror_addon.routing.destinations import Clusters
from mirror_addon.routing.formatted_routes import compile_route
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.redirects import redirect_rewrite
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.uris import Rewrite
from mirror_addon.routing.uris import Uri
from mirror_addon.routing.uris import compile_rewrite
from mirror_addon.routing.uris import compile_uri
from mirror_addon.routing.uris import is_catch_all

VirtualService = Resource[VirtualServiceSpec]
OWN_ROUTES, OTHERS = 2, 3
"""Ranks: routes of the Gateway API in the client's own namespace come before what is exported to all."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteEntry:
    """One match of one rule; each becomes a route of its own in Envoy."""

    route: CompiledRoute
    match: int | None
    uri: Uri
    conditions: tuple[Condition, ...]
    rewrite: Rewrite | None
    port: int
    """The listener's port to which it applies; 0: every port."""
    catch_all: bool
    excluded: str = ""
    """Why it does not apply to this proxy (gateways, source labels); empty where it does."""
    gateways: tuple[str, ...] = ()
    """The gateways to which its match is limited, as `namespace/name`; empty: all."""
    source: HTTPMatchRequest | None = None
    """The match it was compiled from, merged with the root's where it is a delegate's; None: every request."""

    lost: bool = False
    """It is excluded, but its host is claimed all the same, as by a route that Istio accepts and makes nothing of."""

    def __str__(self) -> str:
        rule = str(self.route.rule)
        return rule if self.match is None else f"{rule} match[{self.match}]"

    def holds(self, lookup: RequestLookup) -> bool:
        """Whether a request meets all conditions except the uri's."""
        for condition in self.conditions:  # noqa: SIM110 - a generator costs more than the conditions
            if not condition.test(lookup):
                return False
        return True

    @property
    def methods(self) -> frozenset[bytes] | None:
        """The one method that it requires; None where it does not require a particular one."""
        source = self.source
        method = source.method if source is not None else None
        return frozenset({method.exact.encode()}) if method is not None and method.exact else None

    def words(self) -> str:
        """Return the match in words."""
        parts = [self.uri.words, *(condition.words for condition in self.conditions)]
        return " and ".join([*parts, f"port is {self.port}"] if self.port else parts)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledVirtualService:
    """What applies to this proxy together: the hosts that are claimed, and the entries in their order.

    It is a virtual service, or all routes of the Gateway API that are attached to one host of a listener.
    """

    hosts: tuple[str, ...]
    entries: tuple[RouteEntry, ...]
    namespace: str = ""
    gateways: tuple[str, ...] = ()
    """The gateways of this proxy to which it is bound, as `namespace/name` or `mesh`; empty: all that there are."""
    order: tuple[int, str, str, str] = (OTHERS, "", "", "")
    """The sort key among those that claim the same host."""
    mesh: bool = False
    """Routes of a Service of the mesh: of several claims to the host only the first with entries applies."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A virtual service, or a route with one of its parents, that does not apply to this proxy, and why."""

    name: str
    """`namespace/name`."""
    hosts: tuple[str, ...]
    why: str
    kind: str = "virtual service"


def virtual_services(resources: Sequence[Resource[Spec]], identity: Identity) -> list[VirtualService]:
    """Return all virtual services in the order in which they compete for a host.

    It is creation time, then name, then namespace (`istio/pilot/pkg/model/config.go`). What is exported to the proxy's
    own namespace alone comes first, then what is exported to it by name (`push_context.go`,
    `VirtualServicesForGateway`); the default identity, which sees everything, makes no difference between them.
    """
    every = [cast(VirtualService, item) for item in resources if isinstance(item.spec, VirtualServiceSpec)]
    every.sort(key=lambda item: (_rank(item, identity), item.creation_timestamp, item.name, item.namespace))
    return every


def _rank(item: VirtualService, identity: Identity) -> int:
    if not identity.gateways or not item.spec.export_to or "*" in item.spec.export_to:
        return OTHERS
    return 0 if item.namespace == identity.namespace else 1


def left_out(resources: Sequence[Resource[Spec]], identity: Identity) -> list[LeftOut]:
    """Return the virtual services that do not apply to this proxy."""
    found = []
    for item in virtual_services(resources, identity):
        if item.spec.hosts and (why := _why_not(item, identity)):
            hosts = tuple(names.qualified(host, item.namespace, identity.domain) for host in item.spec.hosts)
            found.append(LeftOut(f"{item.namespace}/{item.name}", hosts, why))
    return found


def _why_not(item: VirtualService, identity: Identity) -> str:
    if not identity.serves(item.spec.gateways, item.namespace):
        return f"it is for gateways {', '.join(item.spec.gateways or (names.MESH,))}"
    if not identity.sees(item.spec.export_to, item.namespace):
        return f"it is not exported to namespace {identity.namespace}"
    return ""


def compile_virtual_services(
    resources: Sequence[Resource[Spec]], identity: Identity, clusters: Clusters
) -> list[CompiledVirtualService]:
    """Return the virtual services that apply to this proxy, in the order in which they compete for a host."""
    every = virtual_services(resources, identity)
    delegates = {(item.namespace, item.name): item for item in every if not item.spec.hosts}
    compiled = []
    for item in every:
        spec = item.spec
        if not spec.hosts or not spec.http or _why_not(item, identity):
            continue
        hosts = tuple(names.qualified(host, item.namespace, identity.domain) for host in spec.hosts)
        entries = tuple(_entries(item, delegates, identity, clusters))
        gateways = identity.shared(spec.gateways, item.namespace)
        order = (_rank(item, identity), item.creation_timestamp, item.name, item.namespace)
        compiled.append(CompiledVirtualService(hosts, entries, item.namespace, gateways, order))
    return compiled


def _rule(item: VirtualService, index: int, name: str, annotations: MirrorAnnotations | None) -> Rule:
    line, _ = item.document.locate(("spec", "http", index))
    return Rule(f"{item.namespace}/{item.name}", f"http[{index}]", name, f"{item.document.file}:{line}", annotations)


def _annotations(item: VirtualService) -> MirrorAnnotations | None:
    return read_annotations(item.annotations, item.document.changed) if item.annotations else None


def _entries(
    item: VirtualService, delegates: dict[tuple[str, str], VirtualService], identity: Identity, clusters: Clusters
) -> Iterator[RouteEntry]:
    annotations = _annotations(item)
    for index, http in enumerate(item.spec.http):
        if http.delegate is None:
            rule = _rule(item, index, http.name, annotations)
            yield from _route_entries(http, numbered(http), rule, item.namespace, identity, clusters)
            continue
        namespace = http.delegate.namespace or item.namespace
        delegate = delegates.get((namespace, http.delegate.name))
        if delegate is None or not names.exported(delegate.spec.export_to, namespace, item.namespace):
            continue
        own = _annotations(delegate)
        both = annotations if own is None else own.within(annotations)
        for inner, route in enumerate(delegate.spec.http):
            merged = merge_route(http, route, item.namespace, namespace, identity.domain)
            if merged is not None and route.delegate is None:
                rule = _rule(delegate, inner, merged[0].name, both)
                yield from _route_entries(*merged, rule, namespace, identity, clusters)


def _route_entries(
    http: HTTPRoute, matches: Matches, rule: Rule, namespace: str, identity: Identity, clusters: Clusters
) -> Iterator[RouteEntry]:
    route = compile_route(http, rule, clusters, namespace, identity)
    for match, index in matches or ((None, None),):
        uri = compile_uri(match)
        rewrite = compile_rewrite(uri, http.rewrite)
        if http.redirect is not None:
            rewrite = redirect_rewrite(uri, http.redirect)
        yield RouteEntry(
            route=route,
            match=index,
            uri=uri,
            conditions=compile_conditions(match) if match else (),
            rewrite=rewrite,
            port=match.port if match else 0,
            catch_all=is_catch_all(uri, match),
            excluded=_excluded(match, namespace, identity) if match else "",
            gateways=tuple(names.gateway(name, namespace) for name in match.gateways) if match else (),
            source=match,
        )


def _excluded(match: HTTPMatchRequest, namespace: str, identity: Identity) -> str:
    """Return why the match does not apply to this proxy; empty where it does.

    Where a match names gateways, Istio tests those alone, not source labels or namespace (`route.go`,
    `sourceMatchHTTP`).
    """
    if match.gateways:
        return "" if identity.serves(match.gateways, namespace) else f"it is for gateways {', '.join(match.gateways)}"
    if not identity.has_labels(match.source_labels):
        return f"it is for clients with labels {_labels(match.source_labels)}"
    if match.source_namespace and match.source_namespace != identity.namespace:
        return f"it is for clients in namespace {match.source_namespace}"
    return ""


def _labels(labels: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items())
