"""ServiceEntry and WorkloadEntry: Istio's validation of services, their ports and their resolution."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.endpoint_validation import validate_endpoints
from mirror_addon.istio.endpoint_validation import validate_workload
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import is_subnet
from mirror_addon.istio.names import validate_selector
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.istio.values import check_export_to
from mirror_addon.istio.values import check_port

ADDRESSES_REQUIRED = "IST0134"
PROTOCOLS = ["tcp", "udp", "grpc", "grpc-web", "http", "http_proxy", "http2", "https", "tls", "mongo", "redis", "mysql"]
_TCP_LIKE = frozenset({"", "tcp"})
_MANY_HOSTS = frozenset(["http", "http2", "grpc", "grpc-web", "http_proxy", "https", "tls"])
_TLS = frozenset(["https", "tls"])
_USE_WAYPOINT = "istio.io/use-waypoint"
_DYNAMIC = frozenset({"http", "http2", "grpc", "tls"})


def validate_service_entry(resource: Resource[ServiceEntrySpec], findings: Findings) -> None:
    spec = resource.spec
    _validate_selector(spec, findings)
    _validate_hosts(spec, findings)
    _validate_addresses(spec, findings)
    _validate_ports(spec, findings)
    if not spec.addresses and not resource.status.get("addresses"):
        _find_missing_addresses(spec, findings)
    _validate_resolution(resource, findings)
    validate_endpoints(spec, findings)
    _validate_several_hosts(spec, findings)
    check_export_to(spec.export_to, resource.namespace, ("spec",), findings, nobody=True)


def validate_workload_entry(resource: Resource[WorkloadEntrySpec], findings: Findings) -> None:
    validate_workload(resource.spec, ("spec",), findings)


def _validate_selector(spec: ServiceEntrySpec, findings: Findings) -> None:
    selector = spec.workload_selector
    if selector is None:
        return
    path: FieldPath = ("spec", "workloadSelector")
    if spec.endpoints:
        findings.error(path, "cannot be combined with endpoints; keep one")
    validate_selector(selector.labels, path, "labels", findings)


def _validate_hosts(spec: ServiceEntrySpec, findings: Findings) -> None:
    if not spec.hosts:
        findings.error(("spec", "hosts"), "hosts is missing; name the service's hosts")
    for index, host in enumerate(spec.hosts):
        here = ("spec", "hosts", index)
        if host == "*":
            findings.error(here, "'*' is not a service's host; name it")
        elif problem := domain_problem(host, True):
            findings.error(here, f"host {host!r:.80} {problem}")
        elif host.startswith("*") and not host.startswith("*.") and spec.resolution != "DYNAMIC_DNS":
            findings.warning(here, f"{host!r} is a partial wildcard; write '*.' and complete labels")


def _validate_addresses(spec: ServiceEntrySpec, findings: Findings) -> None:
    for index, address in enumerate(spec.addresses):
        here = ("spec", "addresses", index)
        if not is_subnet(address):
            findings.error(here, f"{address!r:.80} is neither an IP address nor a CIDR")
        elif "/" in address and spec.resolution not in ("NONE", "STATIC"):
            findings.error(here, f"a CIDR needs resolution NONE or STATIC, not {spec.resolution}")


def _validate_ports(spec: ServiceEntrySpec, findings: Findings) -> None:
    names: set[str] = set()
    numbers: set[int] = set()
    for index, port in enumerate(spec.ports):
        here = ("spec", "ports", index)
        check_port(port.number, (*here, "number"), findings)
        if port.target_port:
            check_port(port.target_port, (*here, "targetPort"), findings)
        if port.number in numbers:
            findings.error((*here, "number"), f"the port {port.number} is repeated; remove one")
        if port.name in names:
            findings.error((*here, "name"), f"the port name {port.name!r:.80} is repeated; rename one")
        names.add(port.name)
        numbers.add(port.number)
        if not is_dns_label(port.name):
            what = f"{port.name!r:.80} is not a port name (DNS-1123 label)" if port.name else "name is missing"
            findings.error((*here, "name"), f"{what}; write it as in 'name: http'")
        protocol = port.protocol.lower()
        if protocol and protocol not in PROTOCOLS:
            findings.error(
                (*here, "protocol"), f"unknown protocol {port.protocol!r:.40}; {nearest(protocol, PROTOCOLS)}"
            )


def _find_missing_addresses(spec: ServiceEntrySpec, findings: Findings) -> None:
    """Find TCP services without an address (istio `analyzers/serviceentry/protocoladdresses.go`).

    An export from a cluster has the addresses that Istio allocated in `status`.
    """
    for index, port in enumerate(spec.ports):
        if port.protocol.lower() in _TCP_LIKE:
            findings.warning(
                ("spec", "ports", index, "protocol"),
                "a TCP service is recognised by its address; set addresses, or an HTTP protocol",
                code=ADDRESSES_REQUIRED,
            )


def _validate_resolution(resource: Resource[ServiceEntrySpec], findings: Findings) -> None:
    spec = resource.spec
    path: FieldPath = ("spec", "resolution")
    match spec.resolution:
        case "NONE":
            if spec.endpoints:
                findings.error(("spec", "endpoints"), "resolution NONE takes no endpoints; write resolution: STATIC")
            if spec.workload_selector is not None:
                findings.warning(path, "with NONE the workloadSelector has no effect; write STATIC")
        case "DNS" | "DNS_ROUND_ROBIN":
            if not spec.endpoints:
                for index, host in enumerate(spec.hosts):
                    if domain_problem(host) and not domain_problem(host, True):
                        findings.error(
                            ("spec", "hosts", index),
                            f"resolution {spec.resolution} without endpoints looks the host up, which is "
                            "impossible for a wildcard or a number; add endpoints",
                        )
            if spec.resolution == "DNS_ROUND_ROBIN" and len(spec.endpoints) > 1:
                findings.error(("spec", "endpoints"), "resolution DNS_ROUND_ROBIN takes one endpoint; write DNS")
        case "DYNAMIC_DNS":
            _validate_dynamic(resource, findings)


def _validate_dynamic(resource: Resource[ServiceEntrySpec], findings: Findings) -> None:
    spec = resource.spec
    for index, host in enumerate(spec.hosts):
        if not host.startswith("*"):
            findings.error(("spec", "hosts", index), "resolution DYNAMIC_DNS is for wildcard hosts; write DNS")
    for name, value in (("addresses", spec.addresses), ("endpoints", spec.endpoints)):
        if value:
            findings.error(("spec", name), f"resolution DYNAMIC_DNS takes no {name}; remove them")
    for index, port in enumerate(spec.ports):
        if port.protocol.lower() not in _DYNAMIC:
            findings.error(
                ("spec", "ports", index, "protocol"), "resolution DYNAMIC_DNS takes HTTP, HTTP2, GRPC or TLS"
            )
    waypoint = resource.labels.get(_USE_WAYPOINT, "")
    if spec.location == "MESH_INTERNAL" and waypoint and waypoint.lower() != "none":
        findings.error(
            ("spec", "location"),
            f"MESH_INTERNAL with resolution DYNAMIC_DNS is not for waypoints; remove the label {_USE_WAYPOINT}",
        )


def _validate_several_hosts(spec: ServiceEntrySpec, findings: Findings) -> None:
    """Several hosts of one port can be told apart by the authority or the SNI only."""
    if len(spec.hosts) < 2 or spec.resolution == "NONE":
        return
    for index, port in enumerate(spec.ports):
        here = ("spec", "ports", index, "protocol")
        protocol = port.protocol.lower()
        if protocol not in _MANY_HOSTS:
            what = port.protocol or "port without protocol, which is a TCP"
            findings.error(here, f"several hosts cannot share a {what} port; write one ServiceEntry for each")
        elif protocol in _TLS and spec.addresses and spec.resolution in ("DNS", "DNS_ROUND_ROBIN"):
            findings.warning(here, "several hosts share an address and a TCP port: they cannot be distinguished")
