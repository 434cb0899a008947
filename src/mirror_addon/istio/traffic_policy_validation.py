"""TrafficPolicy: Istio's validation of connection pools, outlier detection and tunnels; says what is not emulated."""

from __future__ import annotations

from mirror_addon.istio.client_tls_validation import validate_client_tls
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.load_balancer_validation import validate_load_balancer
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.resources.destination_rule import ConnectionPoolSettings
from mirror_addon.istio.resources.destination_rule import HTTPSettings
from mirror_addon.istio.resources.destination_rule import OutlierDetection
from mirror_addon.istio.resources.destination_rule import PortTrafficPolicy
from mirror_addon.istio.resources.destination_rule import RetryBudget
from mirror_addon.istio.resources.destination_rule import TCPSettings
from mirror_addon.istio.resources.destination_rule import TrafficPolicy
from mirror_addon.istio.resources.destination_rule import TunnelSettings
from mirror_addon.istio.values import check_duration
from mirror_addon.istio.values import check_port
from mirror_addon.istio.values import check_selector

_MILLISECOND = 0.001


def validate_traffic_policy(policy: TrafficPolicy, path: FieldPath, namespace: str, findings: Findings) -> None:
    """Check a policy of a DestinationRule in `namespace`."""
    if not policy.model_fields_set:
        findings.error(path, "is empty; set loadBalancer, connectionPool, outlierDetection or tls, or remove it")
    _validate_common(policy, path, namespace, findings)
    for index, port in enumerate(policy.port_level_settings):
        here = (*path, "portLevelSettings", index)
        if port.port is None:
            findings.error(here, "port is missing; write port: {number: ...}")
        check_selector(port.port, (*here, "port"), findings)
        if not port.model_fields_set - {"port"}:
            findings.error(here, "has no policy; set loadBalancer, connectionPool, outlierDetection or tls")
        _validate_common(port, here, namespace, findings)
    if policy.tunnel is not None:
        _validate_tunnel(policy.tunnel, (*path, "tunnel"), findings)
        if policy.proxy_protocol is not None:
            findings.error((*path, "tunnel"), "cannot be combined with proxyProtocol; keep one")
    if policy.retry_budget is not None:
        _validate_retry_budget(policy.retry_budget, (*path, "retryBudget"), findings)
    for name, value in (
        ("tunnel", policy.tunnel),
        ("proxyProtocol", policy.proxy_protocol),
        ("retryBudget", policy.retry_budget),
    ):
        if value is not None:
            findings.info((*path, name), f"not emulated: {name}", at_key=True)


def _validate_tunnel(tunnel: TunnelSettings, path: FieldPath, findings: Findings) -> None:
    if tunnel.protocol not in ("", "CONNECT", "POST"):
        findings.error((*path, "protocol"), f"must be CONNECT or POST; it is {tunnel.protocol!r:.40}")
    if not is_ip(tunnel.target_host) and (problem := domain_problem(tunnel.target_host)):
        findings.error((*path, "targetHost"), f"targetHost {tunnel.target_host!r:.80} {problem}")
    check_port(tunnel.target_port, (*path, "targetPort"), findings)


def _validate_retry_budget(budget: RetryBudget, path: FieldPath, findings: Findings) -> None:
    """Check what an API server refuses (istio `manifests/charts/base/files/crd-all.gen.yaml`)."""
    if budget.percent is not None and not 0 <= budget.percent <= 100:
        findings.error((*path, "percent"), f"must be from 0 to 100; it is {budget.percent:g}")


def _validate_common(
    policy: TrafficPolicy | PortTrafficPolicy, path: FieldPath, namespace: str, findings: Findings
) -> None:
    if policy.load_balancer is not None:
        has_outliers = policy.outlier_detection is not None
        validate_load_balancer(policy.load_balancer, (*path, "loadBalancer"), has_outliers, findings)
    if policy.connection_pool is not None:
        validate_connection_pool(policy.connection_pool, (*path, "connectionPool"), findings)
    if policy.outlier_detection is not None:
        _validate_outliers(policy.outlier_detection, (*path, "outlierDetection"), findings)
    if policy.tls is not None:
        validate_client_tls(policy.tls, (*path, "tls"), namespace, findings)


def validate_connection_pool(pool: ConnectionPoolSettings, path: FieldPath, findings: Findings) -> None:
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
    if tcp.idle_timeout and tcp.idle_timeout >= _MILLISECOND:  # less is no timeout, as in Istio
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
    for index, status in enumerate(outliers.outlier_detection_http_error_codes):
        if not 100 <= status <= 599:  # an API server refuses it, by the CRD
            findings.error((*path, "outlierDetectionHttpErrorCodes", index), f"must be from 100 to 599; it is {status}")
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


def _check_not_negative(path: FieldPath, findings: Findings, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 0:
            findings.error((*path, name), f"must not be negative; it is {number}")
