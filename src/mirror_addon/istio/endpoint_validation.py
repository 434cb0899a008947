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


def unix_problem(address: str) -> str | None:
    """Return why what follows `unix://` is no socket (`ValidateUnixAddress`), or None; `@name` is an abstract one."""
    if not address:
        return "has no path"
    if address.startswith("@") or (address.startswith("/") and not address.endswith("/")):
        return None
    return "needs the absolute path of a file, or @name"


def validate_workload(workload: WorkloadEntrySpec, path: FieldPath, findings: Findings, *, dns: bool = True) -> None:
    """Check what endpoints and WorkloadEntries have in common. With `dns` the address may be a host."""
    address = workload.address
    if not address:
        if not workload.network:
            findings.error((*path, "address"), "address is missing; write an IP address, a host or unix:///path")
            return
        findings.warning((*path, "network"), "without an address it is reached through the network's gateway only")
    elif address.startswith(UNIX):
        if problem := unix_problem(address.removeprefix(UNIX)):
            findings.error((*path, "address"), f"{address!r:.80} {problem}: unix:///path")
        if workload.ports:
            findings.error((*path, "ports"), "a Unix socket has no ports; remove them")
    elif not is_ip(address):
        if problem := domain_problem(address):
            findings.error(
                (*path, "address"), f"address {address!r:.80} is neither an IP address nor a host: {problem}"
            )
        elif not dns:
            findings.error((*path, "address"), "resolution STATIC takes IP addresses; write resolution: DNS for a host")
    _validate_ports_and_labels(workload, path, findings)


def _validate_ports_and_labels(workload: WorkloadEntrySpec, path: FieldPath, findings: Findings) -> None:
    for name, port in workload.ports.items():
        if not is_dns_label(name):
            findings.error((*path, "ports", name), f"{name!r:.80} is not a port name (DNS-1123 label)", at_key=True)
        check_port(port, (*path, "ports", name), findings)
    validate_labels(workload.labels, (*path, "labels"), findings)


def validate_endpoints(spec: ServiceEntrySpec, findings: Findings) -> None:
    """Check a service's endpoints; there is nothing to check where the resolution takes none."""
    if spec.resolution not in ("STATIC", "DNS", "DNS_ROUND_ROBIN"):
        return
    names = {port.name for port in spec.ports}
    for index, endpoint in enumerate(spec.endpoints):
        here = ("spec", "endpoints", index)
        address = endpoint.address
        if spec.resolution == "STATIC":
            validate_workload(endpoint, here, findings, dns=False)
            if address.startswith(UNIX) and len(spec.ports) != 1:
                findings.error((*here, "address"), "a Unix socket needs a service with exactly one port")
        else:
            if address.startswith(UNIX):
                findings.error((*here, "address"), f"a Unix socket needs resolution STATIC, not {spec.resolution}")
            elif not is_ip(address) and (problem := domain_problem(address)):
                findings.error(
                    (*here, "address"), f"address {address!r:.80} is neither an IP address nor a host: {problem}"
                )
            _validate_ports_and_labels(endpoint, here, findings)
        for name in endpoint.ports:
            if name not in names:
                known = ", ".join(sorted(names)) or "none"
                findings.error(
                    (*here, "ports", name),
                    f"{name!r:.80} is not a port of this service; its port names are: {known}",
                    at_key=True,
                )
