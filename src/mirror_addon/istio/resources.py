"""Istio's resources as types: field for field istio/api `networking/v1alpha3`.

Every field is accepted in both spellings of the proto layer (`mirrorPercent`, `mirror_percent`); the camelCase one
wins. Absent and zero are kept apart where Istio keeps them apart: an optional field that is absent is `None`.
Types are strict, as in the CRDs: no number is taken for a string, nor the other way round.
Ranges and conflicts between fields are not judged here but in `validation`, so that all findings are collected.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Set
from typing import Annotated
from typing import Any
from typing import Literal
from typing import TypeVar

from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")

_SNAKE_CASE: dict[str, str] = {}


def snake_case(field: str) -> str:
    """The proto layer's other spelling of a field: `mirror_percent` for `mirrorPercent`."""
    return _SNAKE_CASE.get(field, field)


def snake_case_names(keys: Set[str]) -> set[str]:
    """Those of a document's keys that may be fields in snake_case."""
    return {key for key in keys if "_" in key and key in _SNAKE_CASE.values()}


class Message(BaseModel):
    """A protobuf message: strict types, both spellings, no unknown fields."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for name, field in cls.model_fields.items():
            _SNAKE_CASE[field.alias or name] = name


def _list(value: Any) -> Any:
    """A null list is an absent one; a null item is an empty message (jsonpb)."""
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple({} if item is None else item for item in value)
    return value


def _map(value: Any) -> Any:
    """A null map is an absent one; a null value is an empty message (jsonpb)."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return {key: {} if item is None else item for key, item in value.items()}
    return value


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 2**63 / 1e9
"""Go counts nanoseconds in 64 bits."""
_DURATION = re.compile(r"([+-]?)((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: object) -> float:
    """Seconds of a duration as Go's `time.ParseDuration` reads it (`1h`, `1m30s`, `250ms`).

    Raises ValueError for anything else.
    """
    if isinstance(text, str):
        if text in ("0", "+0", "-0"):
            return 0.0
        if match := _DURATION.fullmatch(text):
            total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
            if total <= _LONGEST:
                return -total if match[1] == "-" else total
    raise ValueError(f"{text!r} is not a duration; write it as in '30s', '1m30s' or '250ms'")


def parse_base64(value: object) -> bytes:
    """The bytes of a base64 text; raises ValueError for anything else."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise ValueError(f"{value!r:.40} is not base64")


Items = Annotated[tuple[T, ...], BeforeValidator(_list)]
Map = Annotated[dict[str, T], BeforeValidator(_map)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds."""
Base64 = Annotated[bytes, BeforeValidator(parse_base64)]
UInt32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
UInt64 = Annotated[int, Field(ge=0, le=2**64 - 1)]


class StringMatch(Message):
    """At most one member is set; none asks for presence."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class PortSelector(Message):
    number: UInt32 = 0


class Destination(Message):
    host: str = ""
    subset: str = ""
    port: PortSelector | None = None


class Percent(Message):
    value: float = 0.0


class HeaderOperations(Message):
    set: Map[str] = {}
    add: Map[str] = {}
    remove: Items[str] = ()


class Headers(Message):
    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class HTTPMatchRequest(Message):
    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: Map[StringMatch] = {}
    port: UInt32 = 0
    source_labels: Map[str] = {}
    gateways: Items[str] = ()
    query_params: Map[StringMatch] = {}
    ignore_uri_case: bool = False
    without_headers: Map[StringMatch] = {}
    source_namespace: str = ""
    stat_prefix: str = ""


class HTTPRouteDestination(Message):
    destination: Destination | None = None
    weight: Int32 = 0
    headers: Headers | None = None


class RegexRewrite(Message):
    match: str = ""
    rewrite: str = ""


class HTTPRewrite(Message):
    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None


class HTTPRedirect(Message):
    uri: str = ""
    authority: str = ""
    port: UInt32 | None = None
    derive_port: Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] | None = None
    scheme: str = ""
    redirect_code: UInt32 = 0
    prefix_rewrite: str = ""


class HTTPBody(Message):
    string: str | None = None
    bytes: Base64 | None = None


class HTTPDirectResponse(Message):
    status: UInt32 = 0
    body: HTTPBody | None = None


class Delegate(Message):
    name: str = ""
    namespace: str = ""


class HTTPRetry(Message):
    attempts: Int32 = 0
    per_try_timeout: Duration | None = None
    retry_on: str = ""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: Duration | None = None


class Delay(Message):
    percent: Int32 = 0
    percentage: Percent | None = None
    fixed_delay: Duration | None = None
    exponential_delay: Duration | None = None


class Abort(Message):
    http_status: Int32 | None = None
    grpc_status: str | None = None
    http2_error: str | None = None
    percentage: Percent | None = None


class HTTPFaultInjection(Message):
    delay: Delay | None = None
    abort: Abort | None = None


class HTTPMirrorPolicy(Message):
    destination: Destination | None = None
    percentage: Percent | None = None


class CorsPolicy(Message):
    allow_origin: Items[str] = ()
    allow_origins: Items[StringMatch] = ()
    allow_methods: Items[str] = ()
    allow_headers: Items[str] = ()
    expose_headers: Items[str] = ()
    max_age: Duration | None = None
    allow_credentials: bool | None = None
    unmatched_preflights: Literal["UNSPECIFIED", "FORWARD", "IGNORE"] = "UNSPECIFIED"


class HTTPRoute(Message):
    name: str = ""
    match: Items[HTTPMatchRequest] = ()
    route: Items[HTTPRouteDestination] = ()
    redirect: HTTPRedirect | None = None
    direct_response: HTTPDirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: HTTPRewrite | None = None
    timeout: Duration | None = None
    retries: HTTPRetry | None = None
    fault: HTTPFaultInjection | None = None
    mirror: Destination | None = None
    mirrors: Items[HTTPMirrorPolicy] = ()
    mirror_percent: UInt32 | None = None
    mirror_percentage: Percent | None = None
    cors_policy: CorsPolicy | None = None
    headers: Headers | None = None


class L4MatchAttributes(Message):
    destination_subnets: Items[str] = ()
    port: UInt32 = 0
    source_subnet: str = ""
    source_labels: Map[str] = {}
    gateways: Items[str] = ()
    source_namespace: str = ""


class TLSMatchAttributes(L4MatchAttributes):
    sni_hosts: Items[str] = ()


class RouteDestination(Message):
    destination: Destination | None = None
    weight: Int32 = 0


class TLSRoute(Message):
    match: Items[TLSMatchAttributes] = ()
    route: Items[RouteDestination] = ()


class TCPRoute(Message):
    match: Items[L4MatchAttributes] = ()
    route: Items[RouteDestination] = ()


class VirtualServiceSpec(Message):
    hosts: Items[str] = ()
    gateways: Items[str] = ()
    http: Items[HTTPRoute] = ()
    tls: Items[TLSRoute] = ()
    tcp: Items[TCPRoute] = ()
    export_to: Items[str] = ()


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
    table_size: UInt64 | None = None


class LocalityDistribution(Message):
    """`from` is a Python keyword."""

    from_: str = Field(default="", alias="from")
    to: Map[UInt32] = {}


class LocalityFailover(Message):
    from_: str = Field(default="", alias="from")
    to: str = ""


class LocalityLoadBalancerSetting(Message):
    distribute: Items[LocalityDistribution] = ()
    failover: Items[LocalityFailover] = ()
    failover_priority: Items[str] = ()
    enabled: bool | None = None


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
    zone_aware_lb_setting: dict[str, Any] | None = None
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
    connection_idle_interval: Duration | None = None
    interval_jitter: Percent | None = None


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
    labels: Map[str] = {}
    traffic_policy: TrafficPolicy | None = None


class WorkloadSelector(Message):
    """`matchLabels` in a DestinationRule, `labels` in a ServiceEntry."""

    labels: Map[str] = {}
    match_labels: Map[str] = {}


class DestinationRuleSpec(Message):
    host: str = ""
    traffic_policy: TrafficPolicy | None = None
    subsets: Items[Subset] = ()
    export_to: Items[str] = ()
    workload_selector: WorkloadSelector | None = None


class ServicePort(Message):
    """A port of a ServiceEntry."""

    number: UInt32 = 0
    name: str = ""
    protocol: str = ""
    target_port: UInt32 = 0


class WorkloadEntrySpec(Message):
    address: str = ""
    ports: Map[UInt32] = {}
    labels: Map[str] = {}
    network: str = ""
    locality: str = ""
    weight: UInt32 = 0
    service_account: str = ""


class ServiceEntrySpec(Message):
    hosts: Items[str] = ()
    addresses: Items[str] = ()
    ports: Items[ServicePort] = ()
    location: Literal["MESH_EXTERNAL", "MESH_INTERNAL"] = "MESH_EXTERNAL"
    resolution: Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"] = "NONE"
    endpoints: Items[WorkloadEntrySpec] = ()
    workload_selector: WorkloadSelector | None = None
    export_to: Items[str] = ()
    subject_alt_names: Items[str] = ()


class PartialMessage(Message):
    """A message of which only some fields are read; the others are not judged."""

    model_config = ConfigDict(extra="ignore")


class KubernetesServicePort(PartialMessage):
    """A port of a core/v1 Service; `target_port` may be a container port's name."""

    name: str = ""
    port: Int32 = 0
    protocol: str = "TCP"
    app_protocol: str = ""
    target_port: int | str | None = None


class KubernetesServiceSpec(PartialMessage):
    """What is read of a core/v1 Service: its ports. Its pods are not on this machine."""

    ports: Items[KubernetesServicePort] = ()
    selector: Map[str] = {}
    type: str = ""
    external_name: str = ""


class GatewayServer(PartialMessage):
    hosts: Items[str] = ()


class GatewaySpec(PartialMessage):
    """What is read of a Gateway: the hosts it lets in. This proxy listens where its options say."""

    servers: Items[GatewayServer] = ()


Spec = (
    VirtualServiceSpec
    | DestinationRuleSpec
    | ServiceEntrySpec
    | WorkloadEntrySpec
    | KubernetesServiceSpec
    | GatewaySpec
)
