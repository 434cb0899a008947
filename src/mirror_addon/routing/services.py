"""The services that documents declare: hosts with their ports and instances.

They come from ServiceEntry, WorkloadEntry, Kubernetes Service and EndpointSlice. The rules are those of
`istio/pilot/pkg/serviceregistry/serviceentry/conversion.go` and `serviceregistry/kube/conversion.go`. Which of several
services with one host a proxy uses is decided in `service_registry`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
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

EXPORT_TO = "networking.istio.io/exportTo"
"""The annotation of a Kubernetes Service that has the meaning of a ServiceEntry's `exportTo`."""
_UNIX = "unix:"
_PRIOR = {"h2c": "http2", "kubernetes.io/h2c": "http2"}
"""Names of plaintext HTTP/2 with prior knowledge, which Istio reads as `http2`."""
_KNOWN = frozenset({"http", "http2", "https", "grpc", "grpc-web", "tls", "tcp", "mongo", "mysql", "redis", *_PRIOR})
_LOCALITY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a service. `protocol` is Istio's name in lower case, `http` where none is given; `declared`: one is."""

    number: int
    name: str
    protocol: str
    declared: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One workload of a service. `ports` maps the service's port numbers to the workload's own."""

    address: str
    labels: dict[str, str]
    weight: int
    ports: dict[int, int]


@dataclass(slots=True, eq=False)
class MeshService:
    """A service: one host of one document, or several documents of a namespace merged."""

    host: str
    namespace: str
    resolution: str
    ports: dict[int, Port] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    subject_alt_names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """The kinds of the documents that declare it."""
    export_to: tuple[str, ...] = ()
    name: str = ""
    """Orders services of the same age: the host of a ServiceEntry, the name of a Kubernetes Service."""
    created: str = ""
    """RFC 3339 text, empty where it is not known."""
    labels: dict[str, str] = field(default_factory=dict)
    selector: dict[str, str] = field(default_factory=dict)
    alias_for: str = ""
    """The host for which an ExternalName Service stands; empty for any other service."""
    headless: bool = False
    """A Kubernetes Service with `clusterIP: None`: its instances have names below its own."""
    aliases: tuple[str, ...] = ()
    """The hosts of the ExternalName Services that stand for it."""
    chosen: str = ""
    """Why a proxy uses the service of this namespace; empty where no other namespace has one for the host."""

    @property
    def is_kubernetes(self) -> bool:
        return self.kinds[0] == "Service"


@dataclass(frozen=True, slots=True, eq=False)
class _Workload:
    namespace: str
    spec: WorkloadEntrySpec
    labels: dict[str, str]


def declared_services(resources: Sequence[Resource[Spec]], domain: str) -> Iterator[MeshService]:
    """Yield a service for each host of each document. Several can have the same host."""
    workloads = [
        _Workload(resource.namespace, resource.spec, workload_labels(resource.spec, resource.labels))
        for resource in resources
        if isinstance(resource.spec, WorkloadEntrySpec)
    ]
    slices = instances_by_service(resources)
    placed: set[tuple[str, str]] = set()
    for resource in resources:
        if isinstance(resource.spec, ServiceEntrySpec):
            for service in _service_entry(cast(Resource[ServiceEntrySpec], resource), workloads):
                if service.instances:
                    placed.add((service.host, service.namespace))
                yield service
    for resource in resources:
        if isinstance(resource.spec, KubernetesServiceSpec):
            service = _kubernetes_service(cast(Resource[KubernetesServiceSpec], resource), workloads, domain)
            # The addresses of an exported slice are those of pods: a ServiceEntry says where the host listens here.
            if (service.host, service.namespace) not in placed and not service.alias_for:
                found = slices.get((resource.namespace, resource.name), ())
                service.instances += [_of_slice(instance, service) for instance in found]
            yield service


def workload_labels(spec: WorkloadEntrySpec, metadata: dict[str, str]) -> dict[str, str]:
    """Return a workload's labels: metadata over spec, and labels for locality and network, as in Istio."""
    parts = [part for part in spec.locality.split("/") if part]
    labels = dict(zip(_LOCALITY, parts, strict=False))
    if spec.network:
        labels["topology.istio.io/network"] = spec.network
    return {**labels, **spec.labels, **metadata}


def _service_entry(resource: Resource[ServiceEntrySpec], workloads: Iterable[_Workload]) -> Iterator[MeshService]:
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
    own = [(_port(port.number, port.name, port.protocol.lower()), port.target_port) for port in spec.ports]
    for host in spec.hosts:
        found = endpoints
        if not found and not selector and spec.resolution.startswith("DNS") and "*" not in host:
            found = [(WorkloadEntrySpec(address=host), {})]  # Istio resolves the host itself, without labels
        service = MeshService(
            host,
            resource.namespace,
            spec.resolution,
            instances=[_instance(endpoint, labels, own) for endpoint, labels in found if endpoint.address],
            addresses=[address for address in spec.addresses if names.is_address(address)],
            subject_alt_names=list(spec.subject_alt_names),
            kinds=["ServiceEntry"],
            export_to=spec.export_to,
            name=host,
            created=resource.creation_timestamp,
            labels=resource.labels,
            selector=selector,
        )
        for port, _ in own:
            service.ports.setdefault(port.number, port)
        yield service


def _instance(endpoint: WorkloadEntrySpec, labels: dict[str, str], ports: list[tuple[Port, int]]) -> Instance:
    unix = endpoint.address.startswith(_UNIX)
    numbers = {
        port.number: 0 if unix else endpoint.ports.get(port.name) or target or port.number for port, target in ports
    }
    return Instance(endpoint.address, labels, endpoint.weight or 1, numbers)


def _of_slice(instance: SliceInstance, service: MeshService) -> Instance:
    ports = {port.number: instance.ports[port.name] for port in service.ports.values() if port.name in instance.ports}
    return Instance(instance.address, instance.labels, 1, ports)


def _kubernetes_service(
    resource: Resource[KubernetesServiceSpec], workloads: Iterable[_Workload], domain: str
) -> MeshService:
    spec = resource.spec
    own = [
        (_port(port.port, port.name, _protocol(port)), port.target_port if isinstance(port.target_port, int) else 0)
        for port in spec.ports
        if port.protocol != "UDP"
    ]
    exported = resource.annotations.get(EXPORT_TO, "")
    service = MeshService(
        names.qualified(resource.name, resource.namespace, domain),
        resource.namespace,
        "STATIC",
        addresses=_cluster_addresses(spec),
        kinds=["Service"],
        export_to=tuple(item.strip() for item in exported.split(",")) if exported else (),
        name=resource.name,
        created=resource.creation_timestamp,
        labels=resource.labels,
        selector=spec.selector,
        alias_for=spec.external_name if spec.type == "ExternalName" else "",
        headless=spec.cluster_ip == "None",
    )
    for port, _ in own:
        service.ports.setdefault(port.number, port)
    if spec.selector and not service.alias_for:
        service.instances = [
            _instance(workload.spec, workload.labels, own)
            for workload in workloads
            if workload.namespace == resource.namespace and spec.selector.items() <= workload.labels.items()
        ]
    return service


def _cluster_addresses(spec: KubernetesServiceSpec) -> list[str]:
    """Return the addresses of a Service in its cluster (istio `pilot/pkg/serviceregistry/kube/conversion.go`)."""
    if spec.type == "ExternalName" or spec.cluster_ip == "None":
        return []
    addresses = spec.cluster_ips if spec.cluster_ip and len(spec.cluster_ips) > 1 else (spec.cluster_ip,)
    return [address for address in addresses if names.is_address(address)]


def _port(number: int, name: str, protocol: str) -> Port:
    return Port(number, name, _PRIOR.get(protocol, protocol) or "http", bool(protocol))


def _protocol(port: KubernetesServicePort) -> str:
    """Return a port's protocol: `appProtocol`, else the port's name up to a dash (Istio's protocol selection); empty
    where neither says one."""
    explicit = port.app_protocol.lower()
    if explicit in _KNOWN:
        return explicit
    name = port.name.lower()
    if name == "grpc-web" or name.startswith("grpc-web-"):
        return "grpc-web"
    prefix = name.partition("-")[0]
    return prefix if prefix in _KNOWN else ""
