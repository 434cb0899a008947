"""TCPRoute and TLSRoute: Istio's validation of one `tcp` or `tls` item. They are checked, and not routed here."""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.http_route_validation import validate_destination
from mirror_addon.istio.names import covers
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.names import is_subnet
from mirror_addon.istio.names import sni_domain_problem
from mirror_addon.istio.names import validate_labels
from mirror_addon.istio.resources.virtual_service import L4MatchAttributes
from mirror_addon.istio.resources.virtual_service import RouteDestination
from mirror_addon.istio.resources.virtual_service import TCPRoute
from mirror_addon.istio.resources.virtual_service import TLSMatchAttributes
from mirror_addon.istio.resources.virtual_service import TLSRoute
from mirror_addon.istio.resources.virtual_service import VirtualServiceSpec
from mirror_addon.istio.values import check_gateway_names
from mirror_addon.istio.values import check_port


def validate_l4_routes(spec: VirtualServiceSpec, on_gateways: bool, findings: Findings) -> None:
    """Check `tcp` and `tls`. `on_gateways`: the virtual service does not name the gateway `mesh`."""
    for name, section in (("tls", spec.tls), ("tcp", spec.tcp)):
        if section:
            findings.info(("spec", name), f"not emulated: {name} (only http is routed here)", at_key=True)
    for index, tls in enumerate(spec.tls):
        _validate_tls(tls, spec.hosts, ("spec", "tls", index), on_gateways, findings)
    for index, tcp in enumerate(spec.tcp):
        _validate_tcp(tcp, ("spec", "tcp", index), findings)


def _validate_tls(tls: TLSRoute, hosts: Sequence[str], path: FieldPath, on_gateways: bool, findings: Findings) -> None:
    if not tls.match:
        findings.error(path, "has no match; add match: [{sniHosts: [...]}]")
    for index, match in enumerate(tls.match):
        here: FieldPath = (*path, "match", index)
        if not match.sni_hosts:
            findings.error(here, "sniHosts is missing; name at least one host")
        for number, host in enumerate(match.sni_hosts):
            _validate_sni_host(host, hosts, (*here, "sniHosts", number), on_gateways, findings)
        _validate_match(match, here, findings)
    _validate_destinations(tls.route, path, findings)


def _validate_sni_host(host: str, hosts: Sequence[str], path: FieldPath, on_gateways: bool, findings: Findings) -> None:
    problem = sni_domain_problem(host) if on_gateways else domain_problem(host, True)
    if problem and is_ip(host):
        findings.warning(path, f"{host} is an IP address: most clients send none as SNI; name a host")
    elif problem:
        findings.error(path, f"host {host!r:.80} {problem}")
    elif not any(covers(pattern, host) for pattern in hosts):
        findings.error(path, f"{host!r:.80} is none of the virtual service's hosts; add it to spec.hosts")


def _validate_tcp(tcp: TCPRoute, path: FieldPath, findings: Findings) -> None:
    for index, match in enumerate(tcp.match):
        _validate_match(match, (*path, "match", index), findings)
    _validate_destinations(tcp.route, path, findings)


def _validate_match(match: L4MatchAttributes | TLSMatchAttributes, path: FieldPath, findings: Findings) -> None:
    for index, subnet in enumerate(match.destination_subnets):
        if not is_subnet(subnet):
            findings.error((*path, "destinationSubnets", index), f"{subnet!r:.80} is neither an IP address nor a CIDR")
    if match.port:
        check_port(match.port, (*path, "port"), findings)
    validate_labels(match.source_labels, (*path, "sourceLabels"), findings)
    check_gateway_names(match.gateways, path, findings)


def _validate_destinations(route: Sequence[RouteDestination], path: FieldPath, findings: Findings) -> None:
    if not route:
        findings.error(path, "has no route; add route: [{destination: {host: ...}}]")
    for index, item in enumerate(route):
        here: FieldPath = (*path, "route", index)
        validate_destination(item.destination, here, findings)
        if item.weight < 0:
            findings.error((*here, "weight"), f"must not be negative; it is {item.weight}")
    if len(route) > 1 and sum(item.weight for item in route) == 0:
        findings.error((*path, "route"), "the weights of several destinations must not all be 0")
