"""VirtualService: Istio's validation of the whole object."""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.http_route_validation import validate_route
from mirror_addon.istio.l4_route_validation import validate_l4_routes
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.names import sni_domain_problem
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.istio.unreachable_rules import find_unreachable
from mirror_addon.istio.unreachable_rules import find_unreachable_l4
from mirror_addon.istio.values import check_export_to
from mirror_addon.istio.values import check_gateway_names

MESH = "mesh"


def applies_to_mesh(spec: VirtualServiceSpec) -> bool:
    """Return whether it applies to sidecars: without gateways, or with `mesh` among them."""
    return not spec.gateways or MESH in spec.gateways


def validate_virtual_service(resource: Resource[VirtualServiceSpec], findings: Findings) -> None:
    spec = resource.spec
    is_delegate, in_mesh = not spec.hosts, applies_to_mesh(spec)
    if is_delegate:
        for name, value in (("gateways", spec.gateways), ("tls", spec.tls), ("tcp", spec.tcp)):
            if value:
                findings.error(
                    ("spec", name), "a virtual service without hosts is a delegate, which cannot have this field"
                )
    if not (spec.http or spec.tls or spec.tcp):
        findings.error(("spec",), "has no rules; add http, tls or tcp")
    _validate_hosts(spec, in_mesh, findings)
    check_gateway_names(spec.gateways, ("spec",), findings)
    check_export_to(spec.export_to, resource.namespace, ("spec",), findings)
    for index, route in enumerate(spec.http):
        validate_route(route, ("spec", "http", index), is_delegate=is_delegate, in_mesh=in_mesh, findings=findings)
    # Istio takes a virtual service without gateways for one of the mesh, except in its SNI hosts (`validateSniHost`).
    validate_l4_routes(spec, MESH not in spec.gateways, findings)
    find_unreachable(spec.http, findings)
    find_unreachable_l4("tls", spec.tls, findings)
    find_unreachable_l4("tcp", spec.tcp, findings)


def _validate_hosts(spec: VirtualServiceSpec, in_mesh: bool, findings: Findings) -> None:
    # A gateway that passes TLS on to other clusters is told apart by names that it makes itself.
    of_gateway = not in_mesh and any(match.sni_hosts for route in spec.tls for match in route.match)
    valid = True
    for index, host in enumerate(spec.hosts):
        here = ("spec", "hosts", index)
        problem = sni_domain_problem(host) if of_gateway else domain_problem(host, True)
        if host == "*" and in_mesh:
            findings.error(here, "'*' is for gateways only; name gateways (without mesh), or a host")
            valid = False
        elif problem and not is_ip(host):
            findings.error(here, f"host {host!r:.80} {problem}")
            valid = False
    if valid:
        _find_overlaps(spec.hosts, findings)


def _find_overlaps(hosts: Sequence[str], findings: Findings) -> None:
    """Find hosts that are repeated or covered by a wildcard (`*.foo.com` covers `a.foo.com`)."""
    seen: dict[str, int] = {}
    suffixes: dict[str, int] = {}
    for index, host in enumerate(hosts):
        first = seen.setdefault(host, index)
        if first != index:
            findings.error(("spec", "hosts", index), f"{host!r} is repeated; remove one")
        elif host.startswith("*"):
            suffixes[host[1:]] = index
    lengths = {len(suffix) for suffix in suffixes}
    for index, host in enumerate(hosts):
        if seen[host] != index:
            continue
        name = host.removeprefix("*")
        for length in lengths:
            covering = suffixes.get(name[len(name) - length :]) if length <= len(name) else None
            if covering is not None and covering != index:
                findings.error(
                    ("spec", "hosts", index), f"{host!r} is covered by {hosts[covering]!r} in this list; remove one"
                )
                break
