"""The services and subsets that a set of resources declares, for `reference_analysis`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.host_index import HostIndex
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Service:
    """One host of a ServiceEntry, or a Kubernetes Service. `endpoints` are the labels of each endpoint."""

    host: str
    declared_by: Resource[Any]
    ports: tuple[int, ...]
    endpoints: tuple[Labels, ...]


class Registry:
    """Services by full host and subsets by host, each as visible to a client in a namespace (exportTo)."""

    def __init__(self, resources: Sequence[Resource[Any]]) -> None:
        self._workloads: dict[str, list[Labels]] = defaultdict(list)
        for resource in resources:
            if resource.kind == "WorkloadEntry":
                self._workloads[resource.namespace].append({**resource.spec.labels, **resource.labels})
        self._services: dict[str, list[Service]] = defaultdict(list)
        for resource in resources:
            for service in self._declared(resource):
                self._services[service.host].append(service)
        self._wildcards = HostIndex(host for host in self._services if host.startswith("*"))
        self._subsets: dict[tuple[str, str], list[Resource[Any]]] = defaultdict(list)
        self._wildcard_rules: list[tuple[str, Resource[Any]]] = []
        for resource in resources:
            if resource.kind == "DestinationRule":
                host = resolve_short_name(resource.spec.host, resource.namespace)
                if host.startswith("*"):
                    self._wildcard_rules.append((host, resource))
                for subset in resource.spec.subsets:
                    self._subsets[host, subset.name].append(resource)

    def services(self, host: str, namespace: str) -> list[Service]:
        """Return the services of a host that are visible to a client in the namespace."""
        return [service for service in self._services.get(host, ()) if _visible(service.declared_by, namespace)]

    def matching(self, pattern: str, namespace: str) -> list[Service]:
        """Return the services of a host or, for a wildcard, of all hosts that it covers."""
        if not pattern.startswith("*"):
            return self.services(pattern, namespace)
        suffix = pattern[1:]
        hosts = (host for host in self._services if host.endswith(suffix))
        return [service for host in hosts for service in self.services(host, namespace)]

    def knows(self, host: str, namespace: str) -> bool:
        """Return whether a service has the host, or a wildcard ServiceEntry covers it.

        Source: istio `pkg/config/analysis/analyzers/util/service_lookup.go`.
        """
        return bool(self.services(host, namespace)) or self._wildcards.overlaps(host)

    def has_subset(self, host: str, subset: str, namespace: str) -> bool:
        rules: Iterable[Resource[Any]] = self._subsets.get((host, subset), ())
        if any(_visible(rule, namespace) for rule in rules):
            return True
        return any(
            host.endswith(pattern[1:]) and any(known.name == subset for known in rule.spec.subsets)
            for pattern, rule in self._wildcard_rules
            if _visible(rule, namespace)
        )

    def _declared(self, resource: Resource[Any]) -> Iterable[Service]:
        spec = resource.spec
        if isinstance(spec, ServiceEntrySpec):
            ports = tuple(port.number for port in spec.ports)
            endpoints = self._endpoints(spec, resource.namespace)
            for host in spec.hosts:
                yield Service(host, resource, ports, endpoints)
        elif isinstance(spec, KubernetesServiceSpec):
            host = f"{resource.name}.{resource.namespace}.svc.{DOMAIN_SUFFIX}"
            selected = self._select(spec.selector, resource.namespace) if spec.selector else ()
            yield Service(host, resource, tuple(port.port for port in spec.ports), selected)

    def _endpoints(self, spec: ServiceEntrySpec, namespace: str) -> tuple[Labels, ...]:
        if spec.workload_selector is not None:
            return self._select(spec.workload_selector.labels, namespace)
        if spec.endpoints:
            return tuple(endpoint.labels for endpoint in spec.endpoints)
        # With DNS the host itself is looked up, and with NONE the request's address is kept: one endpoint, no labels.
        return () if spec.resolution == "STATIC" else ({},)

    def _select(self, selector: Labels, namespace: str) -> tuple[Labels, ...]:
        return tuple(labels for labels in self._workloads.get(namespace, ()) if selects(selector, labels))


def selects(selector: Labels, labels: Labels) -> bool:
    """Return whether the labels include all those of the selector."""
    return selector.items() <= labels.items()


def _visible(resource: Resource[Any], namespace: str) -> bool:
    export_to = getattr(resource.spec, "export_to", ())
    if not export_to or "*" in export_to or namespace in export_to:
        return True
    return "." in export_to and resource.namespace == namespace
