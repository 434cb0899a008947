"""The services and subsets that a set of resources declares, for `reference_analysis`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.endpoint_slices import instances_by_service
from mirror_addon.istio.label_index import LabelIndex
from mirror_addon.istio.label_index import Labels
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.pod_labels import labelled_pods
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.kubernetes_workloads import PodControllerSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.visibility import EVERYONE
from mirror_addon.istio.visibility import asking_scopes
from mirror_addon.istio.visibility import scopes


@dataclass(frozen=True, slots=True)
class Service:
    """One host of a ServiceEntry, or a Kubernetes Service.

    `endpoints` are the labels of each endpoint, `pods` those of the pods that it has on the cluster: the Pods and the
    templates of Deployments and the like among the documents. They say which subsets exist, and not where.
    """

    host: str
    declared_by: Resource[Any]
    ports: tuple[int, ...]
    endpoints: tuple[Labels, ...]
    pods: tuple[Labels, ...]
    scopes: frozenset[str]


class Registry:
    """Services by full host and subsets by host, each as visible to a client in a namespace (exportTo)."""

    def __init__(self, resources: Sequence[Resource[Any]]) -> None:
        self._workloads = LabelIndex()
        self.pods = LabelIndex()
        """The labels of pods, and of templates for them."""
        self._index_workloads(resources)
        self._slices = instances_by_service(resources)
        self._services: dict[str, list[Service]] = defaultdict(list)
        self._wildcards: dict[str, dict[str, list[Service]]] = defaultdict(lambda: defaultdict(list))
        """By scope, and by what follows the `*`."""
        for resource in resources:
            for service in self._declared(resource):
                self._services[service.host].append(service)
                if service.host.startswith("*"):
                    for scope in service.scopes:
                        self._wildcards[scope][service.host[1:]].append(service)
        self._subsets: dict[tuple[str, str], list[Resource[Any]]] = defaultdict(list)
        self._wildcard_rules: list[tuple[str, Resource[Any]]] = []
        for resource in resources:
            if resource.kind == "DestinationRule":
                host = resolve_short_name(resource.spec.host, resource.namespace)
                if host.startswith("*"):
                    self._wildcard_rules.append((host, resource))
                for subset in resource.spec.subsets:
                    self._subsets[host, subset.name].append(resource)

    def _index_workloads(self, resources: Sequence[Resource[Any]]) -> None:
        for pod, labels in labelled_pods(resources):
            self.pods.add(pod.namespace, labels)
        for resource in resources:
            if resource.kind == "WorkloadEntry":
                self._workloads.add(resource.namespace, {**resource.spec.labels, **resource.labels})
            elif isinstance(resource.spec, PodControllerSpec) and resource.spec.replicas != 0:
                self.pods.add(resource.namespace, resource.spec.template.metadata.labels)

    def services(self, host: str, namespace: str, export_to: tuple[str, ...] = ()) -> list[Service]:
        """Return the services of a host that a resource in the namespace, exported so, may name."""
        asked = asking_scopes(namespace, export_to)
        return [service for service in self._services.get(host, ()) if service.scopes & asked]

    def owners(self, host: str) -> list[str]:
        """Return the namespaces that declare the host, whoever sees it."""
        return sorted({service.declared_by.namespace for service in self._services.get(host, ())})

    def matching(self, pattern: str, namespace: str, export_to: tuple[str, ...] = ()) -> list[Service]:
        """Return the services of a host or, for a wildcard, of all hosts that it covers."""
        if not pattern.startswith("*"):
            return self.services(pattern, namespace, export_to)
        suffix = pattern[1:]
        hosts = (host for host in self._services if host.endswith(suffix))
        return [service for host in hosts for service in self.services(host, namespace, export_to)]

    def covering(self, host: str, namespace: str) -> list[Service]:
        """Return the services of the longest wildcard that covers the host and that the namespace sees."""
        name = host.removeprefix("*")
        visible = [self._wildcards[scope] for scope in (EVERYONE, namespace) if scope in self._wildcards]
        if not visible:
            return []
        for start in range(len(name) + 1):
            if found := [service for wildcards in visible for service in wildcards.get(name[start:], ())]:
                return found
        return []

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
        spec, namespace = resource.spec, resource.namespace
        if isinstance(spec, ServiceEntrySpec):
            ports = tuple(port.number for port in spec.ports)
            endpoints = self._endpoints(spec, namespace)
            pods = self.pods.select(spec.workload_selector.labels, namespace) if spec.workload_selector else ()
            for host in spec.hosts:
                yield Service(host, resource, ports, endpoints, pods, scopes(resource))
        elif isinstance(spec, KubernetesServiceSpec):
            host = f"{resource.name}.{namespace}.svc.{DOMAIN_SUFFIX}"
            selected = self._workloads.select(spec.selector, namespace) if spec.selector else ()
            sliced = tuple(item.labels for item in self._slices.get((namespace, resource.name), ()))
            external: tuple[Labels, ...] = ({},) if spec.type == "ExternalName" and spec.external_name else ()
            pods = self.pods.select(spec.selector, namespace) if spec.selector else ()
            ports = tuple(port.port for port in spec.ports)
            yield Service(host, resource, ports, (*selected, *sliced, *external), pods, scopes(resource))

    def _endpoints(self, spec: ServiceEntrySpec, namespace: str) -> tuple[Labels, ...]:
        if spec.workload_selector is not None:
            return self._workloads.select(spec.workload_selector.labels, namespace)
        if spec.endpoints:
            return tuple(endpoint.labels for endpoint in spec.endpoints)
        # With DNS the host itself is looked up, and with NONE the request's address is kept: one endpoint, no labels.
        return () if spec.resolution == "STATIC" else ({},)


def _visible(resource: Resource[Any], namespace: str) -> bool:
    return bool(scopes(resource) & {EVERYONE, namespace})
