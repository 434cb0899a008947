"""DestinationRule: the messages of istio/api `networking/v1alpha3/destination_rule.proto`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Duration
from mirror_addon.istio.resources.messages import Int32
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import PortSelector
from mirror_addon.istio.resources.messages import UInt32
from mirror_addon.istio.resources.messages import UInt64


class HTTPCookieAttribute(Message):
    name: str = ""
    value: str = ""


class HTTPCookie(Message):
    name: str = ""
    path: str = ""
    ttl: Duration | None = None
    attributes: Items[HTTPCookieAttribute] = ()


class RingHash(Message):
    minimum_ring_size: UInt64 = 0


class MagLev(Message):
    table_size: UInt64 = 0


class LocalityDistribution(Message):
    """`from` is a Python keyword."""

    from_: str = Field(default="", alias="from")
    to: Map[UInt32] = EMPTY_MAP


class LocalityFailover(Message):
    from_: str = Field(default="", alias="from")
    to: str = ""


class LocalityLoadBalancerSetting(Message):
    distribute: Items[LocalityDistribution] = ()
    failover: Items[LocalityFailover] = ()
    failover_priority: Items[str] = ()
    enabled: bool | None = None


class ZoneAwareLoadBalancerSetting(Message):
    failover: Items[LocalityFailover] = ()
    failover_priority: Items[str] = ()
    enabled: bool | None = None
    min_cluster_size: UInt64 | None = None


class BackendUtilization(Message):
    error_utilization_penalty_percent: float | None = None
    metric_names_for_computing_utilization: Items[str] = ()
    weight_expiration_period: Duration | None = None
    weight_stabilization_period: Duration | None = None
    weight_update_period: Duration | None = None


class ConsistentHashLB(Message):
    http_header_name: str | None = None
    http_cookie: HTTPCookie | None = None
    use_source_ip: bool | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: MagLev | None = None
    minimum_ring_size: UInt64 = 0


class WarmupConfiguration(Message):
    duration: Duration | None = None
    minimum_percent: float | None = None
    aggression: float | None = None


class LoadBalancerSettings(Message):
    simple: Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"] | None = None
    consistent_hash: ConsistentHashLB | None = None
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    zone_aware_lb_setting: ZoneAwareLoadBalancerSetting | None = None
    backend_utilization: BackendUtilization | None = None
    warmup_duration_secs: Duration | None = None
    warmup: WarmupConfiguration | None = None


class TcpKeepalive(Message):
    probes: UInt32 = 0
    time: Duration | None = None
    interval: Duration | None = None


class TCPSettings(Message):
    max_connections: Int32 = 0
    connect_timeout: Duration | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: Duration | None = None
    idle_timeout: Duration | None = None


class HTTP2Keepalive(Message):
    interval: Duration | None = None
    timeout: Duration | None = None


class HTTPSettings(Message):
    http1_max_pending_requests: Int32 = 0
    http2_max_requests: Int32 = 0
    max_requests_per_connection: Int32 = 0
    max_retries: Int32 = 0
    idle_timeout: Duration | None = None
    h2_upgrade_policy: Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"] = "DEFAULT"
    use_client_protocol: bool = False
    max_concurrent_streams: Int32 = 0
    http2_keep_alive: HTTP2Keepalive | None = None


class ConnectionPoolSettings(Message):
    tcp: TCPSettings | None = None
    http: HTTPSettings | None = None


class OutlierDetection(Message):
    consecutive_errors: Int32 = 0
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failures: UInt32 | None = None
    consecutive_gateway_errors: UInt32 | None = None
    consecutive_5xx_errors: UInt32 | None = Field(default=None, alias="consecutive5xxErrors")
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: Int32 = 0
    min_health_percent: Int32 = 0
    outlier_detection_http_error_codes: Items[UInt32] = ()


class ClientTLSSettings(Message):
    mode: Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] = "DISABLE"
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    credential_name: str = ""
    subject_alt_names: Items[str] = ()
    sni: str = ""
    insecure_skip_verify: bool | None = None
    ca_crl: str = ""


class PortTrafficPolicy(Message):
    port: PortSelector | None = None
    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None


class TunnelSettings(Message):
    protocol: str = ""
    target_host: str = ""
    target_port: UInt32 = 0


class ProxyProtocol(Message):
    version: Literal["V1", "V2"] = "V1"


class RetryBudget(Message):
    percent: float | None = None
    min_retry_concurrency: UInt32 = 0
    budget_interval: Duration | None = None


class TrafficPolicy(Message):
    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None
    port_level_settings: Items[PortTrafficPolicy] = ()
    tunnel: TunnelSettings | None = None
    proxy_protocol: ProxyProtocol | None = None
    retry_budget: RetryBudget | None = None


class Subset(Message):
    name: str = ""
    labels: Map[str] = EMPTY_MAP
    traffic_policy: TrafficPolicy | None = None


class WorkloadSelector(Message):
    """istio/api `type/v1beta1/selector.proto`; a ServiceEntry's selector is another message, with `labels`."""

    match_labels: Map[str] = EMPTY_MAP


class DestinationRuleSpec(Message):
    host: str = ""
    traffic_policy: TrafficPolicy | None = None
    subsets: Items[Subset] = ()
    export_to: Items[str] = ()
    workload_selector: WorkloadSelector | None = None
