"""VirtualService: the messages of istio/api `networking/v1alpha3/virtual_service.proto`."""

from __future__ import annotations

from typing import Literal

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Base64
from mirror_addon.istio.resources.messages import Duration
from mirror_addon.istio.resources.messages import Int32
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.istio.resources.messages import PortSelector
from mirror_addon.istio.resources.messages import UInt32


class StringMatch(Message):
    """At most one member is set; none asks for presence."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class Destination(Message):
    host: str = ""
    subset: str = ""
    port: PortSelector | None = None


class HeaderOperations(Message):
    set: Map[str] = EMPTY_MAP
    add: Map[str] = EMPTY_MAP
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
    headers: Map[StringMatch] = EMPTY_MAP
    port: UInt32 = 0
    source_labels: Map[str] = EMPTY_MAP
    gateways: Items[str] = ()
    query_params: Map[StringMatch] = EMPTY_MAP
    ignore_uri_case: bool = False
    without_headers: Map[StringMatch] = EMPTY_MAP
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
    source_labels: Map[str] = EMPTY_MAP
    gateways: Items[str] = ()
    source_namespace: str = ""


class TLSMatchAttributes(Message):
    sni_hosts: Items[str] = ()
    destination_subnets: Items[str] = ()
    port: UInt32 = 0
    source_labels: Map[str] = EMPTY_MAP
    gateways: Items[str] = ()
    source_namespace: str = ""


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
