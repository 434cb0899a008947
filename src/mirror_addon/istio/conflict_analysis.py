"""Conflicts between resources that are each valid by themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.host_index import HostIndex
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.reference_analysis import NOT_FOUND
from mirror_addon.istio.resources.gateway import GatewaySpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.istio.virtual_service_validation import MESH
from mirror_addon.istio.virtual_service_validation import applies_to_mesh

CONFLICTING_MESH_HOSTS = "IST0109"
HOST_NOT_IN_GATEWAY = "IST0132"
SUBSET_NOT_FOR_INGRESS = "IST0140"
PORT_PROTOCOLS_DIFFER = "IST0177"

FindingsOf = Callable[[Resource[Any]], Findings]
VirtualService = Resource[VirtualServiceSpec]
_MOST_NAMED = 5


def find_duplicates(resources: Sequence[Resource[Any]], findings_of: FindingsOf) -> None:
    """Warn of a second object with the same kind, namespace and name: an API server keeps the one applied last."""
    first: dict[tuple[str, str, str], Resource[Any]] = {}
    for resource in resources:
        earlier = first.setdefault((resource.kind, resource.namespace, resource.name), resource)
        if earlier is not resource:
            line, _ = earlier.document.locate(("metadata", "name"))
            findings_of(resource).warning(
                ("metadata", "name"),
                f"the {resource.kind} {resource.namespace}/{resource.name} is also in "
                f"{earlier.document.file}:{line} too; an API server keeps only one of them",
            )


def find_mesh_conflicts(virtual_services: Sequence[VirtualService], findings_of: FindingsOf) -> None:
    """Find hosts of several virtual services for the mesh whose exportTo overlaps: sidecars use only the oldest.

    Source: istio `pilot/pkg/networking/core/httproute.go`, where the first virtual service keeps a domain.
    """
    claims: dict[str, list[tuple[VirtualService, int]]] = defaultdict(list)
    for resource in virtual_services:
        if resource.spec.hosts and applies_to_mesh(resource.spec):
            for index, host in enumerate(resource.spec.hosts):
                claims[resolve_short_name(host, resource.namespace)].append((resource, index))
    for host, claimants in claims.items():
        if len(claimants) < 2:
            continue
        for resource, index in claimants:
            others = []
            for other, _ in claimants:
                if other is not resource and _scopes_meet(resource, other):
                    others.append(f"{other.namespace}/{other.name}")
                    if len(others) == _MOST_NAMED:
                        break
            if others:
                findings_of(resource).error(
                    ("spec", "hosts", index),
                    f"{host} is claimed by {', '.join(others)} too, and a sidecar uses only the oldest; "
                    "merge them into one VirtualService",
                    code=CONFLICTING_MESH_HOSTS,
                )


def _scopes_meet(one: VirtualService, other: VirtualService) -> bool:
    first, second = _scope(one), _scope(other)
    return "*" in first or "*" in second or bool(first & second)


def _scope(resource: VirtualService) -> set[str]:
    return {resource.namespace if name == "." else name for name in resource.spec.export_to} or {"*"}


def find_gateway_problems(
    virtual_services: Sequence[VirtualService], gateways: Sequence[Resource[GatewaySpec]], findings_of: FindingsOf
) -> None:
    """Find gateways that are missing, and hosts that they do not accept; nothing where there is no Gateway document."""
    if not gateways:
        return
    known = {
        (gateway.namespace, gateway.name): HostIndex(
            host.rpartition("/")[2] for server in gateway.spec.servers for host in server.hosts
        )
        for gateway in gateways
    }
    for resource in virtual_services:
        for index, name in enumerate(resource.spec.gateways):
            if name == MESH:
                continue
            path: FieldPath = ("spec", "gateways", index)
            hosts = known.get(_gateway_key(name, resource.namespace))
            if hosts is None:
                findings_of(resource).error(
                    path, f"the Gateway {name} is not among the documents; correct its name", code=NOT_FOUND
                )
                continue
            for number, host in enumerate(resource.spec.hosts):
                if not hosts.overlaps(host):
                    findings_of(resource).warning(
                        ("spec", "hosts", number),
                        f"the Gateway {name} does not accept this host; add it to the hosts of one of its servers",
                        code=HOST_NOT_IN_GATEWAY,
                    )


def _gateway_key(name: str, namespace: str) -> tuple[str, str]:
    """Return namespace and name of `namespace/name`, `name`, or the old form `name.namespace.svc...`."""
    if "/" in name:
        before, _, after = name.partition("/")
        return before, after
    parts = name.split(".")
    return (parts[1], parts[0]) if len(parts) > 1 else (namespace, name)


def find_ineffective_subsets(virtual_services: Sequence[VirtualService], findings_of: FindingsOf) -> None:
    """Find gateway routes to a host for which another, mesh-only virtual service selects subsets.

    A gateway routes to the host directly, so the other virtual service is not applied.
    """
    split: dict[str, VirtualService] = {}
    for resource in virtual_services:
        if resource.spec.hosts and applies_to_mesh(resource.spec) and _has_subsets(resource.spec):
            for host in resource.spec.hosts:
                split.setdefault(resolve_short_name(host, resource.namespace), resource)
    if not split:
        return
    for resource in virtual_services:
        if not any(name != MESH for name in resource.spec.gateways):
            continue
        for index, route in enumerate(resource.spec.http):
            for number, item in enumerate(route.route):
                if item.destination is None or item.destination.subset:
                    continue
                other = split.get(resolve_short_name(item.destination.host, resource.namespace))
                if other is not None and other is not resource:
                    findings_of(resource).warning(
                        ("spec", "http", index, "route", number, "destination", "host"),
                        f"the subset rules of {other.namespace}/{other.name} for this host have no effect on requests "
                        "through a gateway; name the subset here",
                        code=SUBSET_NOT_FOR_INGRESS,
                    )


def _has_subsets(spec: VirtualServiceSpec) -> bool:
    return any(item.destination is not None and item.destination.subset for route in spec.http for item in route.route)


def find_protocol_conflicts(entries: Sequence[Resource[ServiceEntrySpec]], findings_of: FindingsOf) -> None:
    """Find ServiceEntries that have a host and port in common, with different protocols."""
    first: dict[tuple[str, int], tuple[Resource[ServiceEntrySpec], str]] = {}
    for resource in entries:
        for host in resource.spec.hosts:
            for index, port in enumerate(resource.spec.ports):
                other, protocol = first.setdefault((host, port.number), (resource, port.protocol.upper()))
                if other is not resource and protocol != port.protocol.upper():
                    line, _ = other.document.locate(("spec", "ports"))
                    findings_of(resource).warning(
                        ("spec", "ports", index, "protocol"),
                        f"{host}:{port.number} is {protocol or 'without protocol'} in {other.document.file}:{line}; "
                        "use the same protocol in both",
                        code=PORT_PROTOCOLS_DIFFER,
                    )
