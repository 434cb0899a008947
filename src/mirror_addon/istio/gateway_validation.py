"""Gateway: Istio's validation of its servers (`ValidateGateway`). TLS to clients is mitmproxy's, and only checked."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.endpoint_validation import UNIX
from mirror_addon.istio.endpoint_validation import unix_problem
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.resources.gateway import GatewayPort
from mirror_addon.istio.resources.gateway import GatewayServer
from mirror_addon.istio.resources.gateway import GatewaySpec
from mirror_addon.istio.server_tls_validation import validate_server_tls
from mirror_addon.istio.service_entry_validation import PROTOCOLS
from mirror_addon.istio.values import check_port

_HTTP = frozenset(["http", "http2", "http_proxy", "grpc", "grpc-web"])
_TLS = frozenset(["https", "tls"])


def validate_gateway(resource: Resource[GatewaySpec], findings: Findings) -> None:
    spec = resource.spec
    if not is_dns_label(resource.name):
        findings.error(("metadata", "name"), f"{resource.name!r:.80} is not a gateway's name (DNS-1123 label)")
    if not spec.servers:
        findings.error(("spec", "servers"), "has no server; add one with a port and hosts")
    names: set[str] = set()
    for index, server in enumerate(spec.servers):
        here: FieldPath = ("spec", "servers", index)
        _validate_hosts(server, here, findings)
        if server.bind:
            _validate_bind(server, here, findings)
        if server.tls is not None:
            validate_server_tls(server.tls, (*here, "tls"), findings)
        if server.port is None:
            findings.error(here, "port is missing; write port: {number: 80, name: http, protocol: HTTP}")
            continue
        if server.port.name and server.port.name in names:
            findings.error((*here, "port", "name"), f"the port name {server.port.name!r:.80} is repeated; rename one")
        names.add(server.port.name)
        _validate_port(server.port, server.bind, (*here, "port"), findings)
        if server.port.protocol.lower() in PROTOCOLS:
            _validate_protocol(server, server.port.protocol.lower(), here, findings)


def _validate_hosts(server: GatewayServer, path: FieldPath, findings: Findings) -> None:
    if not server.hosts:
        findings.error((*path, "hosts"), "hosts is missing; name the hosts that the server accepts, or '*'")
    for index, text in enumerate(server.hosts):
        here = (*path, "hosts", index)
        namespace, slash, host = text.partition("/") if "/" in text else ("", "", text)
        if slash and namespace not in ("*", ".") and not is_dns_label(namespace):
            findings.error(here, f"{namespace!r:.80} is not a namespace; write NAMESPACE/HOST, ./HOST or HOST")
        problem = domain_problem(host, True)
        if problem and not is_ip(host):
            findings.error(here, f"host {host!r:.80} {problem}")
        elif host != "*" and "." not in host:
            findings.error(here, f"{host!r:.80} is a short name; write the full one")
        elif host.startswith("*") and host != "*" and not host.startswith("*."):
            findings.error(here, f"{host!r:.80} is a partial wildcard; write '*.' and complete labels")


def _validate_bind(server: GatewayServer, path: FieldPath, findings: Findings) -> None:
    here = (*path, "bind")
    if not server.bind.startswith(UNIX):
        if not is_ip(server.bind):
            findings.error(here, f"{server.bind!r:.80} is neither an IP address nor unix:///path")
        return
    if problem := unix_problem(server.bind.removeprefix(UNIX)):
        findings.error(here, f"{server.bind!r:.80} {problem}: unix:///path")
    if server.port is not None and server.port.number:
        findings.error((*path, "port", "number"), "a Unix socket has no port; write 0")


def _validate_port(port: GatewayPort, bind: str, path: FieldPath, findings: Findings) -> None:
    if port.protocol.lower() not in PROTOCOLS:
        what = f"unknown protocol {port.protocol!r:.40}" if port.protocol else "protocol is missing"
        findings.error((*path, "protocol"), f"{what}; {nearest(port.protocol, PROTOCOLS)}")
    if port.number or not bind.startswith(UNIX):
        check_port(port.number, (*path, "number"), findings)
    if port.target_port:
        findings.error((*path, "targetPort"), "has no effect on a Gateway, Istio refuses it; remove it")
    if not port.name:
        findings.error((*path, "name"), "name is missing; write it as in 'name: http'")


def _validate_protocol(server: GatewayServer, protocol: str, path: FieldPath, findings: Findings) -> None:
    tls = server.tls
    if tls is None:
        if protocol in _TLS:
            findings.error(path, f"a server for {protocol.upper()} needs tls; add it")
        return
    if protocol in _HTTP:
        certificates = tls.ca_certificates or tls.private_key or tls.server_certificate
        if certificates or tls.mode not in ("PASSTHROUGH", "AUTO_PASSTHROUGH"):
            findings.error((*path, "tls"), "a server for plain HTTP takes httpsRedirect only; write protocol: HTTPS")
        return
    if tls.https_redirect:
        findings.warning((*path, "tls", "httpsRedirect"), "has an effect on servers for plain HTTP only")
    if protocol not in _TLS:
        findings.error((*path, "tls"), f"a server for {protocol.upper()} has no TLS; write protocol: TLS")
