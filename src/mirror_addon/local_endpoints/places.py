"""Which destinations of the rules have no endpoint on this machine, and what an endpoint of each would need.

Pure. The route table says what a destination means, so that what is found here is what would get a 503.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.routing import names
from mirror_addon.routing.destinations import ResolvedDestination
from mirror_addon.routing.routes import CompiledRoute
from mirror_addon.routing.services import Port
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.lost_endpoints import routes_of

HTTP_PORT = 80


@dataclass(slots=True)
class Place:
    """A subset of a host that needs an endpoint. `subset` is empty where the host has none.

    `uses` says which rules send there, a line each; empty for a subset that only a DestinationRule names.
    """

    subset: str
    labels: Mapping[str, str]
    uses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class HostPlaces:
    """The places of one host, and the service's ports that they need.

    `of_routes`: only routes of the Gateway API send there, so that EndpointSlices do. `known`: the rules declare the
    service, so that its ports have names.
    """

    host: str
    namespace: str
    of_routes: bool = False
    known: bool = False
    ports: dict[int, Port] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """`missing` are in the order of the rules. `placed` are the destinations that have an endpoint, with the first.

    `problems` are destinations that would have none on a cluster either, a line each.
    """

    missing: Sequence[HostPlaces]
    placed: Mapping[str, str]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Use:
    target: ResolvedDestination
    route: CompiledRoute
    words: str


def find_places(table: RouteTable, resources: Sequence[Resource[Spec]]) -> Found:
    """Return the destinations of all rules of a table. `resources` are those that it was built from."""
    namespaces = _rule_namespaces(resources, table.identity.domain)
    placed: dict[str, str] = {}
    problems: dict[str, None] = {}
    by_host: dict[str, list[_Use]] = {}
    for use in _uses(table):
        ports = _ports(use.target)
        clusters = [use.target.at(port) for port in ports]
        found = next((cluster for cluster in clusters if cluster.endpoints or cluster.resolves_request_host), None)
        if found is not None:
            placed.setdefault(use.target.label, str(found.endpoints[0]) if found.endpoints else "the request's host")
        elif problem := _problem(table, use, namespaces):
            problems[problem] = None
        else:
            by_host.setdefault(use.target.host, []).append(use)
    missing = [_host_places(table, host, uses, namespaces) for host, uses in by_host.items()]
    return Found(missing, placed, tuple(problems))


def _uses(table: RouteTable) -> Iterator[_Use]:
    """All destinations: of each rule its routes, then its mirrors. Those with the weight 0 may get one tomorrow."""
    for route in routes_of(table):
        name = str(route.rule)
        for destination in route.destinations if route.local is None else ():
            yield _Use(destination.target, route, name)
        for item in route.http.route if len(route.http.route) > 1 else ():
            if item.destination is not None and item.destination.host and not item.weight:
                yield _Use(table.clusters.target(item.destination, _owner(route)), route, f"{name}, weight 0")
        for mirror in route.mirrors:
            if mirror.target is not None:
                yield _Use(mirror.target, route, f"mirror of {name}")


def _ports(target: ResolvedDestination) -> tuple[int, ...]:
    return (target.port,) if target.port else target.ports or (HTTP_PORT,)


def _problem(table: RouteTable, use: _Use, namespaces: Mapping[str, str]) -> str:
    """Why an endpoint alone would not help; empty where it would."""
    target = use.target
    if target.host == "*" or (why := domain_problem(target.host)):
        why = "names every host" if target.host == "*" else why
        return f"{use.words}: the destination {target.label} {why}; name a service there"
    service = table.clusters.services.get(target.host)
    sole = target.sole
    # A reference that is not permitted, or names no Service, has a cluster of its own, which stays without endpoints.
    refused = sole is not None and sole is not table.clusters.cluster(target.host, target.subset, target.port, "")
    if sole is not None and (refused or (service is not None and service.alias_for)):
        return f"{use.words}: {sole.missing.partition('; give it')[0]}"
    if service is not None and target.port and target.port not in service.ports:
        return f"{use.words}: {target.at(target.port).missing.partition('; give it')[0]}; correct the port"
    rule = table.clusters.destination_rule(target.host, _namespace(table, use.target.host, use, namespaces))
    if target.subset and (rule is None or target.subset not in rule.subsets):
        there = f"; there are {', '.join(rule.subsets)}" if rule and rule.subsets else ""
        return f"{use.words}: no DestinationRule declares the subset {target.label}{there}; add it to spec.subsets"
    return ""


def _namespace(table: RouteTable, host: str, use: _Use, namespaces: Mapping[str, str]) -> str:
    """The namespace of a host's service: its own, that of its DestinationRule, that of the rule that sends there."""
    service = table.clusters.services.get(host)
    if service is not None:
        return service.namespace
    domain = table.identity.domain
    if (own := names.service_namespace(host, domain)) is not None:
        return own
    return namespaces.get(host) or _owner(use.route)


def _rule_namespaces(resources: Sequence[Resource[Spec]], domain: str) -> dict[str, str]:
    """The namespace of the first DestinationRule of each host."""
    found: dict[str, str] = {}
    for resource in resources:
        if isinstance(resource.spec, DestinationRuleSpec):
            host = names.qualified(resource.spec.host, resource.namespace, domain)
            found.setdefault(host, resource.namespace)
    return found


def _owner(route: CompiledRoute) -> str:
    """The namespace of a rule's document."""
    return route.rule.owner.partition("/")[0]


def _host_places(table: RouteTable, host: str, uses: Sequence[_Use], namespaces: Mapping[str, str]) -> HostPlaces:
    service = table.clusters.services.get(host)
    found = HostPlaces(
        host,
        _namespace(table, host, uses[0], namespaces),
        of_routes=all(use.route.rule.route for use in uses),
        known=service is not None,
    )
    numbers = [number for use in uses if use.target.port for number in (use.target.port,)]
    if not numbers or any(not use.target.port for use in uses):
        numbers += (service.ports if service else ()) or ([] if numbers else [HTTP_PORT])
    for number in numbers:
        declared = service.ports.get(number) if service else None
        found.ports.setdefault(
            number, declared or Port(number, f"http-{number}" if number != HTTP_PORT else "http", "http")
        )
    rule = table.clusters.destination_rule(host, found.namespace)
    subsets = rule.subsets if rule else {}
    places: dict[str, Place] = {}
    for use in uses:
        subset = use.target.subset
        place = places.setdefault(subset, Place(subset, subsets[subset].labels if subset else {}))
        if use.words not in place.uses:
            place.uses.append(use.words)
    if service is None or not service.instances:
        for name, chosen in subsets.items():
            places.setdefault(name, Place(name, chosen.labels))
    found.places = list(places.values())
    return found
