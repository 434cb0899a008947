"""The endpoints of Kubernetes Services, from EndpointSlices.

Source: istio `pilot/pkg/serviceregistry/kube/controller/endpointslice.go`. A slice belongs to the Service in its own
namespace that its label `kubernetes.io/service-name` names; several slices add up. Labels are those of the endpoint's
Pod. Istio waits for the Pod where `targetRef` names one; here its endpoint is used without labels, because an export
seldom has all Pods.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.pod_labels import labelled_pods
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.istio.resources.kubernetes_workloads import SERVICE_NAME
from mirror_addon.istio.resources.kubernetes_workloads import EndpointSliceSpec
from mirror_addon.istio.resources.kubernetes_workloads import SliceEndpoint

Name = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class SliceInstance:
    """A ready address of a Service. `ports` has the number on which it listens by the name of the Service's port."""

    address: str
    labels: dict[str, str]
    ports: Mapping[str, int]
    hostname: str
    """The instance's name in a headless Service, or empty."""


def instances_by_service(resources: Iterable[Resource[Spec]]) -> dict[Name, list[SliceInstance]]:
    """Return the ready addresses of each Service, each address once for a set of ports."""
    resources = list(resources)
    pods = {(pod.namespace, pod.name): labels for pod, labels in labelled_pods(resources)}
    found: dict[Name, dict[tuple[str, tuple[tuple[str, int], ...]], SliceInstance]] = defaultdict(dict)
    for resource in resources:
        spec, service = resource.spec, resource.labels.get(SERVICE_NAME)
        # Istio uses no slice of DNS names either.
        if not service or not isinstance(spec, EndpointSliceSpec) or spec.address_type == "FQDN":
            continue
        ports = {port.name: port.port for port in spec.ports if port.port and port.protocol != "UDP"}
        for endpoint in spec.endpoints:
            labels = _labels(endpoint, resource.namespace, pods)
            for address in endpoint.addresses if endpoint.ready else ():
                key = (address, tuple(ports.items()))
                instance = SliceInstance(address, labels, ports, endpoint.hostname)
                found[resource.namespace, service].setdefault(key, instance)
    return {service: list(instances.values()) for service, instances in found.items()}


def _labels(endpoint: SliceEndpoint, namespace: str, pods: Mapping[Name, dict[str, str]]) -> dict[str, str]:
    target = endpoint.target_ref
    if target is None or target.kind != "Pod":
        return {}
    return pods.get((target.namespace or namespace, target.name), {})
