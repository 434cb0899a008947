"""The service registry: hosts with their ports and instances.

They come from ServiceEntry, WorkloadEntry, Kubernetes Service and EndpointSlice.

Rules are those of `istio/pilot/pkg/serviceregistry/serviceentry/conversion.go`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import cast

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.endpoint_slices import SliceInstance
from mirror_addon.istio.endpoint_slices import instances_by_service
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServicePort
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.routing import names

_UNIX = "unix:"
_LOCALITY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a service. `protocol` is Istio's name in lower case, `http` where none is given."""

    number: int
    name: str
    protocol: str


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One workload of a service. `ports` maps the service's port numbers to the workload's own."""

    address: str
    labels: dict[str, str]
    weight: int
    ports: dict[int, int]


@dataclass(slots=True, eq=False)
class MeshService:
    """A host of the registry. Several documents with the same host are added up."""

    host: str
    namespace: str
    resolution: str
    ports: dict[int, Port] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    subject_alt_names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """The kinds of the documents that declare it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Workload:
    namespace: str
    spec: WorkloadEntrySpec
    labels: dict[str, str]


def build_services(resources: Sequence[Resource[Spec]], domain: str) -> dict[str, MeshService]:
    """Return all services by host name."""
    services: dict[str, MeshService] = {}
    workloads = [
        _Workload(resource.namespace, resource.spec, workload_labels(resource.spec, resource.labels))
        for resource in resources
        if isinstance(resource.spec, WorkloadEntrySpec)
    ]
    # ServiceEntries come first: a Kubernetes Service for the same host adds only ports that no entry declares.
    for resource in resources:
        if isinstance(resource.spec, ServiceEntrySpec):
            _add_service_entry(services, cast(Resource[ServiceEntrySpec], resource), workloads)
    slices = instances_by_service(resources)
    for resource in resources:
        if isinstance(resource.spec, KubernetesServiceSpec):
            service = _add_kubernetes_service(
                services, cast(Resource[KubernetesServiceSpec], resource), workloads, domain
            )
            _add_slices(service, resource.spec, slices.get((resource.namespace, resource.name), ()))
    return services


def _add_slices(service: MeshService, spec: KubernetesServiceSpec, found: Iterable[SliceInstance]) -> None:
    """Add the endpoints of EndpointSlices, except where a ServiceEntry for the host says where it listens here."""
    if "ServiceEntry" in service.kinds and service.instances:
        return
    for instance in found:
        ports = {port.port: instance.ports[port.name] for port in spec.ports if port.name in instance.ports}
        service.instances.append(Instance(instance.address, instance.labels, 1, ports))


def workload_labels(spec: WorkloadEntrySpec, metadata: dict[str, str]) -> dict[str, str]:
    """Return a workload's labels: metadata over spec, and labels for locality and network, as in Istio."""
    parts = [part for part in spec.locality.split("/") if part]
    labels = dict(zip(_LOCALITY, parts, strict=False))
    if spec.network:
        labels["topology.istio.io/network"] = spec.network
    return {**labels, **spec.labels, **metadata}


def _add_service_entry(
    services: dict[str, MeshService], resource: Resource[ServiceEntrySpec], workloads: Iterable[_Workload]
) -> None:
    spec = resource.spec
    endpoints = [(endpoint, workload_labels(endpoint, {})) for endpoint in spec.endpoints]
    selector = spec.workload_selector.labels if spec.workload_selector else {}
    if selector and not spec.endpoints:
        endpoints = [
            (workload.spec, workload.labels)
            for workload in workloads
            if workload.namespace == resource.namespace
            and selector.items() <= workload.labels.items()
            and (spec.resolution.startswith("DNS") or names.is_address(workload.spec.address))
        ]
    for host in spec.hosts:
        service = services.setdefault(host, MeshService(host, resource.namespace, spec.resolution))
        service.kinds.append("ServiceEntry")
        service.addresses += [address for address in spec.addresses if names.is_address(address)]
        service.subject_alt_names += spec.subject_alt_names
        own = [(Port(port.number, port.name, port.protocol.lower() or "http"), port.target_port) for port in spec.ports]
        for port, _ in own:
            service.ports.setdefault(port.number, port)
        found = endpoints
        if not found and not selector and spec.resolution.startswith("DNS") and "*" not in host:
            found = [(WorkloadEntrySpec(address=host), {})]  # Istio resolves the host itself, without labels
        service.instances += [_instance(endpoint, labels, own) for endpoint, labels in found if endpoint.address]


def _instance(endpoint: WorkloadEntrySpec, labels: dict[str, str], ports: list[tuple[Port, int]]) -> Instance:
    unix = endpoint.address.startswith(_UNIX)
    numbers = {
        port.number: 0 if unix else endpoint.ports.get(port.name) or target or port.number for port, target in ports
    }
    return Instance(endpoint.address, labels, endpoint.weight or 1, numbers)


def _add_kubernetes_service(
    services: dict[str, MeshService],
    resource: Resource[KubernetesServiceSpec],
    workloads: Iterable[_Workload],
    domain: str,
) -> MeshService:
    spec = resource.spec
    host = names.qualified(resource.name, resource.namespace, domain)
    service = services.setdefault(host, MeshService(host, resource.namespace, "STATIC"))
    service.kinds.append("Service")
    own = [
        (Port(port.port, port.name, _protocol(port)), port.target_port if isinstance(port.target_port, int) else 0)
        for port in spec.ports
        if port.protocol != "UDP"
    ]
    for port, _ in own:
        service.ports.setdefault(port.number, port)
    if spec.type == "ExternalName" and spec.external_name:
        external = WorkloadEntrySpec(address=spec.external_name)
        service.instances.append(_instance(external, {}, [(port, 0) for port, _ in own]))
    if spec.selector:
        service.instances += [
            _instance(workload.spec, workload.labels, own)
            for workload in workloads
            if workload.namespace == resource.namespace and spec.selector.items() <= workload.labels.items()
        ]
    return service


def _protocol(port: KubernetesServicePort) -> str:
    """Return a port's protocol: `appProtocol`, else the port's name up to a dash (Istio's protocol selection)."""
    explicit = port.app_protocol.lower()
    if explicit in ("kubernetes.io/h2c", "h2c"):
        return "http2"
    known = ("http", "http2", "https", "grpc", "grpc-web", "tls", "tcp", "mongo", "mysql", "redis")
    if explicit in known:
        return explicit
    name = port.name.lower()
    if name == "grpc-web" or name.startswith("grpc-web-"):
        return "grpc-web"
    return name.partition("-")[0] if name.partition("-")[0] in known else "http"
