"""Sidecar: Istio's validation of its listeners (`ValidateSidecar`)."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.endpoint_validation import UNIX
from mirror_addon.istio.endpoint_validation import unix_problem
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.http_route_validation import validate_target
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.names import validate_selector
from mirror_addon.istio.resources.sidecar import IstioEgressListener
from mirror_addon.istio.resources.sidecar import IstioIngressListener
from mirror_addon.istio.resources.sidecar import OutboundTrafficPolicy
from mirror_addon.istio.resources.sidecar import SidecarPort
from mirror_addon.istio.resources.sidecar import SidecarSpec
from mirror_addon.istio.server_tls_validation import validate_server_tls
from mirror_addon.istio.service_entry_validation import PROTOCOLS
from mirror_addon.istio.traffic_policy_validation import validate_connection_pool
from mirror_addon.istio.values import check_port

_LOCAL = ("", "127.0.0.1", "0.0.0.0", "::1", "::")
_HTTP = frozenset(["http", "http2", "http_proxy", "grpc", "grpc-web"])
_TLS = frozenset(["https", "tls"])
_UNSUPPORTED = (
    ("subjectAltNames", "subject_alt_names"),
    ("httpsRedirect", "https_redirect"),
    ("credentialName", "credential_name"),
    ("credentialNames", "credential_names"),
    ("tlsCertificates", "tls_certificates"),
)


def validate_sidecar(resource: Resource[SidecarSpec], findings: Findings) -> None:
    spec, path = resource.spec, ("spec",)
    findings.info(
        ("kind",),
        "not emulated: Sidecar: its egress hosts and the ports of its listeners do not limit what is known here",
    )
    if spec.workload_selector is not None:
        validate_selector(spec.workload_selector.labels, (*path, "workloadSelector"), "labels", findings)
    pool = spec.inbound_connection_pool
    if not spec.egress and not spec.ingress and spec.outbound_traffic_policy is None and pool is None:
        findings.error(path, "is empty; add egress, ingress, outboundTrafficPolicy or inboundConnectionPool")
    if pool is not None:
        validate_connection_pool(pool, (*path, "inboundConnectionPool"), findings)
    _validate_ingress(spec, findings)
    _validate_egress(spec, resource.namespace, findings)
    if spec.outbound_traffic_policy is not None:
        _validate_outbound(spec.outbound_traffic_policy, findings)


def _validate_ingress(spec: SidecarSpec, findings: Findings) -> None:
    numbers: set[int] = set()
    for index, listener in enumerate(spec.ingress):
        path: FieldPath = ("spec", "ingress", index)
        port = listener.port
        if port is None:
            findings.error(path, "port is missing; write port: {number: 8080, name: http, protocol: HTTP}")
            continue
        _validate_port(port, path, findings)
        check_port(port.number, (*path, "port", "number"), findings)
        if listener.bind and not is_ip(listener.bind):
            findings.error((*path, "bind"), f"{listener.bind!r:.80} is not an IP address")
        _check_unique(port.number, numbers, path, findings)
        if listener.default_endpoint:
            _validate_default_endpoint(listener.default_endpoint, (*path, "defaultEndpoint"), findings)
        _validate_tls(listener, port.protocol.lower(), path, findings)
        pool = listener.connection_pool
        if pool is not None:
            validate_connection_pool(pool, (*path, "connectionPool"), findings)
            if pool.http is not None and port.protocol.lower() not in _HTTP:
                findings.warning((*path, "connectionPool", "http"), "has no effect on a port that is not HTTP")


def _validate_port(port: SidecarPort, path: FieldPath, findings: Findings) -> None:
    here = (*path, "port")
    if port.target_port:
        findings.error((*here, "targetPort"), "has no effect on a Sidecar, Istio refuses it; remove it")
    if port.name and not is_dns_label(port.name):
        findings.error((*here, "name"), f"{port.name!r:.80} is not a port name (DNS-1123 label)")
    protocol = port.protocol.lower()
    if protocol and protocol not in PROTOCOLS:
        findings.error((*here, "protocol"), f"unknown protocol {port.protocol!r:.40}; {nearest(protocol, PROTOCOLS)}")


def _check_unique(number: int, numbers: set[int], path: FieldPath, findings: Findings) -> None:
    if number in numbers:
        findings.error((*path, "port", "number"), f"the port {number} is repeated; remove one")
    numbers.add(number)


def _validate_default_endpoint(text: str, path: FieldPath, findings: Findings) -> None:
    if text.startswith(UNIX):
        if problem := unix_problem(text.removeprefix(UNIX)):
            findings.error(path, f"{text!r:.80} {problem}: unix:///path")
        return
    host, colon, number = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or bare not in _LOCAL or (":" in bare) is not (host.startswith("[") and host.endswith("]")):
        findings.error(path, f"{text!r:.80} is not of the form 127.0.0.1:PORT, [::1]:PORT, :PORT or unix:///path")
    if not number.isdecimal():
        findings.error(path, f"{number!r:.80} is not a port")
    else:
        check_port(int(number), path, findings)


def _validate_tls(listener: IstioIngressListener, protocol: str, path: FieldPath, findings: Findings) -> None:
    tls, here = listener.tls, (*path, "tls")
    if tls is None:
        return
    for name, field in _UNSUPPORTED:
        if getattr(tls, field):
            findings.error((*here, name), "is not for a Sidecar; remove it")
    if tls.mode in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH"):
        findings.error((*here, "mode"), f"{tls.mode} is not for a Sidecar; write SIMPLE or MUTUAL")
    if protocol not in _TLS:
        findings.error(here, "is for ports with the protocol HTTPS or TLS only")
    validate_server_tls(tls, here, findings)


def _validate_egress(spec: SidecarSpec, namespace: str, findings: Findings) -> None:
    numbers: set[int] = set()
    sockets: set[str] = set()
    for index, listener in enumerate(spec.egress):
        path: FieldPath = ("spec", "egress", index)
        if listener.port is None:
            if index < len(spec.egress) - 1:
                findings.error(path, "only the last listener may be without port; add one, or move it to the end")
        elif listener.port.number:
            _validate_port(listener.port, path, findings)
            check_port(listener.port.number, (*path, "port", "number"), findings)
            if listener.bind and not is_ip(listener.bind):
                findings.error((*path, "bind"), f"{listener.bind!r:.80} is not an IP address")
            _check_unique(listener.port.number, numbers, path, findings)
        else:
            _validate_port(listener.port, path, findings)
            _validate_socket(listener, sockets, path, findings)
        _validate_hosts(listener, namespace, path, findings)


def _validate_socket(listener: IstioEgressListener, sockets: set[str], path: FieldPath, findings: Findings) -> None:
    here = (*path, "bind")
    if not listener.bind.startswith(UNIX):
        findings.error(here, "a listener on port 0 needs a Unix socket; write bind: unix:///path, or a port")
    elif problem := unix_problem(listener.bind.removeprefix(UNIX)):
        findings.error(here, f"{listener.bind!r:.80} {problem}: unix:///path")
    if listener.capture_mode == "IPTABLES":
        findings.error((*path, "captureMode"), "a Unix socket cannot be captured; write NONE")
    if listener.bind in sockets:
        findings.error(here, f"the socket {listener.bind!r:.80} is repeated; remove one")
    sockets.add(listener.bind)


def _validate_hosts(listener: IstioEgressListener, namespace: str, path: FieldPath, findings: Findings) -> None:
    if not listener.hosts:
        findings.error((*path, "hosts"), "hosts is missing; write NAMESPACE/HOST, or ./* for this namespace")
    known: dict[str, set[str]] = {}
    for index, text in enumerate(listener.hosts):
        here = (*path, "hosts", index)
        scope, slash, host = text.partition("/")
        if not slash:
            findings.error(here, f"{text!r:.80} has no namespace; write NAMESPACE/HOST, ./HOST or */HOST")
            continue
        _validate_host(scope, host, here, findings)
        if scope.startswith("~"):
            continue
        hosts = known.setdefault(namespace if scope == "." else scope, set())
        if hosts if host == "*" else hosts & {host, "*"}:
            findings.warning(here, f"{text!r:.80} is covered by another host of the listener; remove one")
        hosts.add(host)
    if len(known) > 1 and "*" in known.get("*", ()):
        findings.warning((*path, "hosts"), "'*/*' includes all hosts; remove it or the others")


def _validate_host(scope: str, host: str, path: FieldPath, findings: Findings) -> None:
    name = scope.removeprefix("~")
    if not scope or (name not in ("", "*", ".") and not is_dns_label(name)):
        findings.error(path, f"{scope!r:.80} is not a namespace; write NAMESPACE/HOST, ./HOST or */HOST")
    if problem := domain_problem(host, True):
        findings.error(path, f"host {host!r:.80} {problem}")
    elif host != "*" and "." not in host:
        findings.error(path, f"{host!r:.80} is a short name; write the full one")
    elif host.startswith("*") and host != "*" and not host.startswith("*."):
        findings.error(path, f"{host!r:.80} is a partial wildcard; write '*.' and complete labels")


def _validate_outbound(policy: OutboundTrafficPolicy, findings: Findings) -> None:
    proxy, path = policy.egress_proxy, ("spec", "outboundTrafficPolicy", "egressProxy")
    if proxy is None:
        return
    if policy.mode != "ALLOW_ANY":
        findings.error(path, "needs mode: ALLOW_ANY")
    elif proxy.port is None:
        findings.error(path, "port is missing; write port: {number: 443}")
    elif domain_problem(proxy.host):
        findings.error((*path, "host"), f"host {proxy.host!r:.80} {domain_problem(proxy.host)}")
    else:
        validate_target(proxy, path, findings)
