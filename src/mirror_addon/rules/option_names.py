"""Which service an entry of `mirror_endpoints` means, and entries of options that name nothing in the rules.

A host is found as in a rule of the proxy's own namespace. A short name that is not there is the one service with that
name in any other namespace: rules seldom live in `default`. Whatever names nothing, or several services, is reported,
because an entry without effect looks like one that works.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirror_addon.gateway_api.attachment import gateway_names
from mirror_addon.gateway_api.backends import backend_hosts
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.gateway import GatewaySpec
from mirror_addon.istio.resources.kubernetes_gateway import KubernetesGatewaySpec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.virtual_service import Destination
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.options.settings import Settings
from mirror_addon.options.values import EndpointOverride
from mirror_addon.routing import names
from mirror_addon.routing.clusters import Endpoint

SHOWN = 5
"""Names that a message lists."""
LONGEST = 300
"""Characters of a name for which something near is looked for."""
_SERVICES = f".svc.{DOMAIN_SUFFIX}"

Known = Mapping[str, Collection[str]]
"""The subsets of each host that the rules name, by its full name."""


@dataclass(frozen=True, slots=True)
class NamedEndpoints:
    """`overrides` are by full host, or `HOST:PORT`, and subset.

    `problems` are the entries that name nothing, a line each."""

    overrides: Mapping[tuple[str, str], Endpoint]
    problems: Sequence[str]


def known_hosts(resources: Sequence[Resource[Any]]) -> dict[str, set[str]]:
    """Return the hosts that the rules route to or declare, with their subsets. Wildcards of ServiceEntries are kept."""
    found: dict[str, set[str]] = {}
    for resource in resources:
        spec, namespace = resource.spec, resource.namespace
        if isinstance(spec, VirtualServiceSpec):
            for destination in _destinations(spec):
                subsets = found.setdefault(resolve_short_name(destination.host, namespace), set())
                subsets |= {destination.subset} - {""}
        elif isinstance(spec, DestinationRuleSpec):
            subsets = found.setdefault(resolve_short_name(spec.host, namespace), set())
            subsets |= {subset.name for subset in spec.subsets}
        elif isinstance(spec, ServiceEntrySpec):
            for host in spec.hosts:
                found.setdefault(host, set())
        elif isinstance(spec, KubernetesServiceSpec):
            found.setdefault(resolve_short_name(resource.name, namespace), set())
        elif isinstance(spec, HTTPRouteSpec | GRPCRouteSpec):
            for host in backend_hosts(resource):
                found.setdefault(host, set())
    return found


def _destinations(spec: VirtualServiceSpec) -> Iterator[Destination]:
    for route in spec.http:
        found = [item.destination for item in route.route] + [route.mirror]
        found += [mirror.destination for mirror in route.mirrors]
        yield from (destination for destination in found if destination is not None and destination.host)


def resolve_endpoints(
    entries: Sequence[EndpointOverride], resources: Sequence[Resource[Any]], namespace: str
) -> NamedEndpoints:
    """Find the service that each entry of `mirror_endpoints` names; `namespace` is the proxy's own."""
    overrides: dict[tuple[str, str], Endpoint] = {}
    problems = []
    known = known_hosts(resources) if entries else {}
    for entry in entries:
        fitting = _fitting(entry.host, known, namespace)
        subsets = set[str]().union(*(known.get(host, ()) for host in fitting))
        port = f":{entry.service_port}" if entry.service_port else ""
        named = f"mirror_endpoints: {entry.host}{port}{'/' if entry.subset else ''}{entry.subset}"
        if len(fitting) > 1:
            problems.append(f"{named} has no effect: {_list(fitting)} have this name; write one of them")
            continue
        if not fitting:
            problems.append(f"{named} has no effect: no rule names this host; {_nearest(entry.host, known)}")
        elif entry.subset and entry.subset not in subsets:
            there = f"there {'is' if len(subsets) == 1 else 'are'} {_list(sorted(subsets)) or 'none'}"
            near = difflib.get_close_matches(entry.subset[:LONGEST], subsets, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{named} has no effect: no rule names this subset; {there}{meant}")
        host = fitting[0] if fitting else resolve_short_name(entry.host, namespace)
        overrides[host + port, entry.subset] = Endpoint(entry.address, entry.port)
    return NamedEndpoints(overrides, problems)


def _fitting(host: str, known: Known, namespace: str) -> list[str]:
    """Return the hosts that a name may mean: the one that is it, else all whose name begins with it."""
    for exact in (host, resolve_short_name(host, namespace)):
        if exact in known:
            return [exact]
    fitting = sorted(each for each in known if each.startswith(f"{host}.") and each.endswith(_SERVICES))
    if not fitting and any(each.startswith("*") and host.endswith(each[1:]) for each in known):
        return [host]
    return fitting


def unknown_names(settings: Settings, resources: Sequence[Resource[Any]]) -> Iterator[str]:
    """Yield a line for each of `mirror_gateways` that no rule names, and for a `mirror_namespace` that is misspelt."""
    gateways = {names.MESH}
    for resource in resources:
        if isinstance(resource.spec, GatewaySpec | KubernetesGatewaySpec):
            gateways.add(f"{resource.namespace}/{resource.name}")
        elif isinstance(resource.spec, HTTPRouteSpec | GRPCRouteSpec):
            gateways |= gateway_names(resource)
        elif isinstance(resource.spec, VirtualServiceSpec):
            given = [*resource.spec.gateways, *(name for route in resource.spec.http for name in _gateways(route))]
            gateways |= {names.gateway(name, resource.namespace) for name in given}
    for name in settings.gateways:
        if resources and names.gateway(name, settings.namespace) not in gateways:
            yield f"mirror_gateways: no rule names the gateway {name}; {_nearest(name, gateways)}"
    namespaces = {resource.namespace for resource in resources}
    if settings.namespace not in namespaces and difflib.get_close_matches(settings.namespace, namespaces, 1, 0.7):
        yield f"mirror_namespace: no rule is in {settings.namespace}; {_nearest(settings.namespace, namespaces)}"


def _gateways(route: Any) -> Iterator[str]:
    for match in route.match:
        yield from match.gateways


def _nearest(name: str, known: Collection[str]) -> str:
    """`did you mean X?`, with a full name that is found from anywhere; else what there is."""
    if not known:
        return "there is none"
    by_name = {each: each for each in known}
    by_name |= {each.partition(".")[0]: each for each in known if each.endswith(_SERVICES)}
    by_name |= {each.rpartition("/")[2]: each for each in known if "/" in each}
    near = difflib.get_close_matches(name[:LONGEST], by_name, n=1)
    if near:
        return f"did you mean {by_name[near[0]]}?"
    return f"there {'is' if len(known) == 1 else 'are'} {_list(sorted(known))}"


def _list(items: Sequence[str]) -> str:
    shown = ", ".join(items[:SHOWN])
    return f"{shown} and {len(items) - SHOWN} more" if len(items) > SHOWN else shown
