"""TrafficPolicy: Istio's validation of connection pools, outlier detection and TLS; says what is not emulated."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.load_balancer_validation import validate_load_balancer
from mirror_addon.istio.resources.destination_rule import ClientTLSSettings
from mirror_addon.istio.resources.destination_rule import ConnectionPoolSettings
from mirror_addon.istio.resources.destination_rule import HTTPSettings
from mirror_addon.istio.resources.destination_rule import OutlierDetection
from mirror_addon.istio.resources.destination_rule import PortTrafficPolicy
from mirror_addon.istio.resources.destination_rule import TCPSettings
from mirror_addon.istio.resources.destination_rule import TrafficPolicy
from mirror_addon.istio.values import check_duration
from mirror_addon.istio.values import check_selector


def validate_traffic_policy(policy: TrafficPolicy, path: FieldPath, findings: Findings) -> None:
    if not policy.model_fields_set:
        findings.error(path, "is empty; set loadBalancer, connectionPool, outlierDetection or tls, or remove it")
    _validate_common(policy, path, findings)
    for index, port in enumerate(policy.port_level_settings):
        here = (*path, "portLevelSettings", index)
        if port.port is None:
            findings.error(here, "port is missing; write port: {number: ...}")
        check_selector(port.port, (*here, "port"), findings)
        if not port.model_fields_set - {"port"}:
            findings.error(here, "has no policy; set loadBalancer, connectionPool, outlierDetection or tls")
        _validate_common(port, here, findings)
    if policy.tunnel is not None and policy.proxy_protocol is not None:
        findings.error((*path, "tunnel"), "cannot be combined with proxyProtocol; keep one")
    for name, value in (
        ("tunnel", policy.tunnel),
        ("proxyProtocol", policy.proxy_protocol),
        ("retryBudget", policy.retry_budget),
    ):
        if value is not None:
            findings.info((*path, name), f"not emulated: {name}", at_key=True)


def _validate_common(policy: TrafficPolicy | PortTrafficPolicy, path: FieldPath, findings: Findings) -> None:
    if policy.load_balancer is not None:
        validate_load_balancer(policy.load_balancer, (*path, "loadBalancer"), findings)
    if policy.connection_pool is not None:
        _validate_connection_pool(policy.connection_pool, (*path, "connectionPool"), findings)
    if policy.outlier_detection is not None:
        _validate_outliers(policy.outlier_detection, (*path, "outlierDetection"), findings)
    if policy.tls is not None:
        _validate_tls(policy.tls, (*path, "tls"), findings)


def _validate_connection_pool(pool: ConnectionPoolSettings, path: FieldPath, findings: Findings) -> None:
    if pool.tcp is None and pool.http is None:
        findings.error(path, "is empty; set tcp or http, or remove it")
    if pool.tcp is not None:
        _validate_tcp(pool.tcp, (*path, "tcp"), findings)
    if pool.http is not None:
        _validate_http(pool.http, (*path, "http"), findings)
    findings.info(path, "not emulated: connectionPool", at_key=True)


def _validate_tcp(tcp: TCPSettings, path: FieldPath, findings: Findings) -> None:
    _check_not_negative(path, findings, maxConnections=tcp.max_connections)
    check_duration(tcp.connect_timeout, (*path, "connectTimeout"), findings)
    check_duration(tcp.max_connection_duration, (*path, "maxConnectionDuration"), findings)
    if tcp.idle_timeout:
        check_duration(tcp.idle_timeout, (*path, "idleTimeout"), findings)
    if tcp.tcp_keepalive is not None:
        check_duration(tcp.tcp_keepalive.time, (*path, "tcpKeepalive", "time"), findings)
        check_duration(tcp.tcp_keepalive.interval, (*path, "tcpKeepalive", "interval"), findings)


def _validate_http(http: HTTPSettings, path: FieldPath, findings: Findings) -> None:
    _check_not_negative(
        path,
        findings,
        http1MaxPendingRequests=http.http1_max_pending_requests,
        http2MaxRequests=http.http2_max_requests,
        maxRequestsPerConnection=http.max_requests_per_connection,
        maxRetries=http.max_retries,
        maxConcurrentStreams=http.max_concurrent_streams,
    )
    check_duration(http.idle_timeout, (*path, "idleTimeout"), findings)
    if http.h2_upgrade_policy == "UPGRADE" and http.use_client_protocol:
        findings.error(path, "h2UpgradePolicy UPGRADE cannot be combined with useClientProtocol; keep one")
    keep_alive = http.http2_keep_alive
    if keep_alive is not None:
        for name, value in (("interval", keep_alive.interval), ("timeout", keep_alive.timeout)):
            if value is None:
                findings.error((*path, "http2KeepAlive"), f"{name} is missing; set it")
            check_duration(value, (*path, "http2KeepAlive", name), findings)


def _validate_outliers(outliers: OutlierDetection, path: FieldPath, findings: Findings) -> None:
    check_duration(outliers.interval, (*path, "interval"), findings)
    check_duration(outliers.base_ejection_time, (*path, "baseEjectionTime"), findings)
    for name, percent in (
        ("maxEjectionPercent", outliers.max_ejection_percent),
        ("minHealthPercent", outliers.min_health_percent),
    ):
        if not 0 <= percent <= 100:
            findings.error((*path, name), f"must be from 0 to 100; it is {percent}")
    if outliers.consecutive_local_origin_failures and not outliers.split_external_local_origin_errors:
        findings.error(
            (*path, "consecutiveLocalOriginFailures"), "needs splitExternalLocalOriginErrors: true", at_key=True
        )
    if outliers.consecutive_errors:
        findings.warning(
            (*path, "consecutiveErrors"),
            "is deprecated; write consecutive5xxErrors or consecutiveGatewayErrors",
            at_key=True,
        )
    findings.info(path, "not emulated: outlierDetection", at_key=True)


def _validate_tls(tls: ClientTLSSettings, path: FieldPath, findings: Findings) -> None:
    files = tls.client_certificate or tls.private_key or tls.ca_certificates
    if tls.credential_name and files:
        findings.error(
            (*path, "credentialName"),
            "cannot be combined with clientCertificate, privateKey or caCertificates; keep one",
        )
    elif tls.mode == "MUTUAL" and not tls.credential_name:
        for name, value in (("clientCertificate", tls.client_certificate), ("privateKey", tls.private_key)):
            if not value:
                findings.error(path, f"mode MUTUAL needs {name}; name the file")
    if tls.insecure_skip_verify and (tls.ca_certificates or tls.subject_alt_names):
        findings.error(
            (*path, "insecureSkipVerify"), "cannot be combined with caCertificates or subjectAltNames; keep one"
        )
    if tls.mode == "ISTIO_MUTUAL":
        findings.info((*path, "mode"), "not emulated: ISTIO_MUTUAL (no mesh certificates here: plain text is sent)")
    if tls.credential_name:
        findings.info((*path, "credentialName"), "not emulated: credentialName (name certificate files instead)")


def _check_not_negative(path: FieldPath, findings: Findings, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 0:
            findings.error((*path, name), f"must not be negative; it is {number}")
