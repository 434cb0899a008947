"""Workloads: Istio's validation of a ServiceEntry's endpoints and of WorkloadEntries."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.names import validate_labels
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec
from mirror_addon.istio.resources.service_entry import WorkloadEntrySpec
from mirror_addon.istio.values import check_port

UNIX = "unix://"


def validate_workload(workload: WorkloadEntrySpec, path: FieldPath, findings: Findings) -> None:
    """Check what endpoints and WorkloadEntries have in common."""
    address = workload.address
    if not address:
        if not workload.network:
            findings.error((*path, "address"), "address is missing; write an IP address, a host or unix:///path")
    elif address.startswith(UNIX):
        if not address.removeprefix(UNIX).startswith("/"):
            findings.error((*path, "address"), f"{address!r:.80} needs an absolute path: unix:///path")
        if workload.ports:
            findings.error((*path, "ports"), "a Unix socket has no ports; remove them")
    elif not is_ip(address) and (problem := domain_problem(address)):
        findings.error((*path, "address"), f"address {address!r:.80} is neither an IP address nor a host: {problem}")
    for name, port in workload.ports.items():
        if not is_dns_label(name):
            findings.error((*path, "ports", name), f"{name!r:.80} is not a port name (DNS-1123 label)", at_key=True)
        check_port(port, (*path, "ports", name), findings)
    validate_labels(workload.labels, (*path, "labels"), findings)


def validate_endpoints(spec: ServiceEntrySpec, findings: Findings) -> None:
    names = {port.name for port in spec.ports}
    for index, endpoint in enumerate(spec.endpoints):
        here = ("spec", "endpoints", index)
        validate_workload(endpoint, here, findings)
        for name in endpoint.ports:
            if name not in names:
                known = ", ".join(sorted(names)) or "none"
                findings.error(
                    (*here, "ports", name),
                    f"{name!r:.80} is not a port of this service; its port names are: {known}",
                    at_key=True,
                )
        address = endpoint.address
        if address.startswith(UNIX):
            if len(spec.ports) != 1:
                findings.error((*here, "address"), "a Unix socket needs a service with exactly one port")
            if spec.resolution not in ("STATIC", "NONE"):
                findings.error((*here, "address"), f"a Unix socket needs resolution STATIC, not {spec.resolution}")
        elif address and spec.resolution == "STATIC" and not is_ip(address) and not domain_problem(address):
            findings.error((*here, "address"), "resolution STATIC takes IP addresses; write resolution: DNS for a host")
