"""Conflicts between resources that are each valid by themselves."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.host_index import HostIndex
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.istio.virtual_service_validation import MESH
from mirror_addon.istio.virtual_service_validation import applies_to_mesh
from mirror_addon.istio.visibility import EVERYONE
from mirror_addon.istio.visibility import scopes

CONFLICTING_MESH_HOSTS = "IST0109"
SUBSET_NOT_FOR_INGRESS = "IST0140"
PORT_PROTOCOLS_DIFFER = "IST0177"

FindingsOf = Callable[[Resource[Any]], Findings]
VirtualService = Resource[VirtualServiceSpec]
_MOST_NAMED = 5
_MOST_COMPARED = 100
"""Claimants that are looked at to name five: some may be one object that stands there several times."""


def find_duplicates(resources: Sequence[Resource[Any]], findings_of: FindingsOf) -> None:
    """Warn of a second object with the same kind, namespace and name: an API server keeps the one applied last."""
    first: dict[tuple[str, str, str, str], Resource[Any]] = {}
    for resource in resources:
        group = resource.api_version.rpartition("/")[0]
        earlier = first.setdefault((group, resource.kind, resource.namespace, resource.name), resource)
        if earlier is not resource:
            line, _ = earlier.document.locate(("metadata", "name"))
            findings_of(resource).warning(
                ("metadata", "name"),
                f"the {resource.kind} {resource.namespace}/{resource.name} is also in "
                f"{earlier.document.file}:{line} too; an API server keeps only one of them",
            )


def find_mesh_conflicts(virtual_services: Sequence[VirtualService], findings_of: FindingsOf) -> None:
    """Find hosts of several virtual services for the mesh whose exportTo overlaps: sidecars use only the oldest.

    A host that is exported to some namespaces conflicts with those that are exported to all and match it, wildcards
    included; otherwise hosts must be equal. Source: istio `analyzers/virtualservice/conflictingmeshgatewayhosts.go`.
    """
    claims = _Claims()
    for resource in virtual_services:
        if resource.spec.hosts and applies_to_mesh(resource.spec):
            for host in resource.spec.hosts:
                claims.add(resolve_short_name(host, resource.namespace), resource)
    for resource in virtual_services:
        if resource.spec.hosts and applies_to_mesh(resource.spec):
            for index, host in enumerate(resource.spec.hosts):
                _report_rivals(resolve_short_name(host, resource.namespace), resource, index, claims, findings_of)


def _report_rivals(host: str, resource: VirtualService, index: int, claims: _Claims, findings_of: FindingsOf) -> None:
    others: dict[str, str] = {}
    for other, claimed in itertools.islice(claims.rivals(host, resource), _MOST_COMPARED):
        others.setdefault(f"{other.namespace}/{other.name}", claimed)
        if len(others) == _MOST_NAMED:
            break
    if others:
        named = (name if claimed == host else f"{name} (as {claimed})" for name, claimed in others.items())
        findings_of(resource).error(
            ("spec", "hosts", index),
            f"{host} is claimed by {', '.join(named)} too, and a sidecar uses only the oldest; "
            "merge them into one VirtualService",
            code=CONFLICTING_MESH_HOSTS,
        )


class _Claims:
    """The virtual services that claim a host, by the namespaces that see them."""

    def __init__(self) -> None:
        self._by_scope: dict[tuple[str, str], list[VirtualService]] = defaultdict(list)
        """By scope and host."""
        self._scoped: dict[str, list[VirtualService]] = defaultdict(list)
        """Those that are not exported to all, by host."""
        self._everyones: HostIndex | None = None
        self._some: HostIndex | None = None

    def add(self, host: str, resource: VirtualService) -> None:
        for scope in scopes(resource):
            self._by_scope[scope, host].append(resource)
            if scope != EVERYONE:
                self._scoped[host].append(resource)

    def rivals(self, host: str, resource: VirtualService) -> Iterator[tuple[VirtualService, str]]:
        """Yield the other virtual services that claim the host, each with the host as it claims it."""
        own = scopes(resource)
        for scope in own:
            yield from self._others(self._by_scope[scope, host], host, resource)
        if EVERYONE in own:
            if self._some is None:
                self._some = HostIndex(self._scoped)
            for claimed in self._some.overlapping(host):
                yield from self._others(self._scoped[claimed], claimed, resource)
        else:
            if self._everyones is None:
                self._everyones = HostIndex(claimed for scope, claimed in self._by_scope if scope == EVERYONE)
            for claimed in self._everyones.overlapping(host):
                yield from self._others(self._by_scope[EVERYONE, claimed], claimed, resource)

    @staticmethod
    def _others(
        claimants: list[VirtualService], host: str, resource: VirtualService
    ) -> Iterator[tuple[VirtualService, str]]:
        return ((other, host) for other in claimants if other is not resource)


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
    """Find ServiceEntries that have a host and port in common, with different protocols, and are seen together.

    Source: istio `analyzers/serviceentry/conflictingserviceentries.go`.
    """
    claims: dict[tuple[str, str, int], dict[str, Resource[ServiceEntrySpec]]] = defaultdict(dict)
    """By scope, host and port: the first entry of each protocol."""
    everyones: dict[tuple[str, int], dict[str, Resource[ServiceEntrySpec]]] = defaultdict(dict)
    """The same for those whom an entry for all meets: everyone."""
    for resource in entries:
        for host in resource.spec.hosts:
            for port in resource.spec.ports:
                for scope in scopes(resource):
                    claims[scope, host, port.number].setdefault(port.protocol.upper(), resource)
                everyones[host, port.number].setdefault(port.protocol.upper(), resource)
    for resource in entries:
        for host in resource.spec.hosts:
            for index, port in enumerate(resource.spec.ports):
                own = scopes(resource)
                met = [claims[scope, host, port.number] for scope in (*own, EVERYONE)]
                if EVERYONE in own:
                    met = [everyones[host, port.number]]
                others = _other_protocol(port.protocol.upper(), met)
                if others is not None:
                    protocol, other = others
                    line, _ = other.document.locate(("spec", "ports"))
                    findings_of(resource).warning(
                        ("spec", "ports", index, "protocol"),
                        f"{host}:{port.number} is {protocol or 'without protocol'} in {other.document.file}:{line} "
                        f"({other.namespace}/{other.name}); use the same protocol in both",
                        code=PORT_PROTOCOLS_DIFFER,
                    )


def _other_protocol(
    protocol: str, claims: Iterable[dict[str, Resource[ServiceEntrySpec]]]
) -> tuple[str, Resource[ServiceEntrySpec]] | None:
    return next((item for first in claims for item in first.items() if item[0] != protocol), None)
