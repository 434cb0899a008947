"""HTTPRoute: the types of `apis/v1/httproute_types.go`."""

from __future__ import annotations

from typing import Annotated
from typing import Literal

from pydantic import Field

from mirror_addon.gateway_api.resources.filters import HTTPRouteFilter
from mirror_addon.gateway_api.resources.messages import Count
from mirror_addon.gateway_api.resources.messages import Duration
from mirror_addon.gateway_api.resources.messages import Experimental
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import HeaderName
from mirror_addon.gateway_api.resources.messages import Hostname
from mirror_addon.gateway_api.resources.messages import Required
from mirror_addon.gateway_api.resources.messages import SectionName
from mirror_addon.gateway_api.resources.messages import Text
from mirror_addon.gateway_api.resources.references import BackendRef
from mirror_addon.gateway_api.resources.references import ParentReference
from mirror_addon.istio.resources.messages import Items


class HTTPPathMatch(GatewayMessage):
    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    value: Annotated[str, Text(1024, least=0)] = "/"


class HTTPHeaderMatch(GatewayMessage):
    type: Literal["Exact", "RegularExpression"] = "Exact"
    name: Annotated[HeaderName, Required()] = ""
    value: Annotated[str, Text(4096), Required()] = ""


class HTTPQueryParamMatch(GatewayMessage):
    type: Literal["Exact", "RegularExpression"] = "Exact"
    name: Annotated[HeaderName, Required()] = ""
    value: Annotated[str, Text(1024), Required()] = ""


class HTTPRouteMatch(GatewayMessage):
    hints = {"uri": "write path: {type: PathPrefix, value: ...}"}

    path: HTTPPathMatch = HTTPPathMatch()
    headers: Annotated[Items[HTTPHeaderMatch], Count(16, key="name")] = ()
    query_params: Annotated[Items[HTTPQueryParamMatch], Count(16, key="name")] = ()
    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] | None = None


class HTTPBackendRef(BackendRef):
    filters: Annotated[Items[HTTPRouteFilter], Count(16)] = ()


class HTTPRouteTimeouts(GatewayMessage):
    request: Duration | None = None
    backend_request: Duration | None = None


class HTTPRouteRetry(GatewayMessage):
    codes: Items[Annotated[int, Field(ge=400, le=599)]] = ()
    attempts: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    backoff: Duration | None = None


class CookieConfig(GatewayMessage):
    name: HeaderName | None = None
    path: Annotated[str, Text(1024, least=0)] = "/"
    lifetime_type: Literal["Permanent", "Session"] = "Session"


class HeaderConfig(GatewayMessage):
    name: Annotated[HeaderName, Required()] = ""


class SessionPersistence(GatewayMessage):
    absolute_timeout: Duration | None = None
    type: Literal["Cookie", "Header"] = "Cookie"
    cookie: CookieConfig | None = None
    header: HeaderConfig | None = None


_MIRROR = "a mirror is a filter: write filters: [{type: RequestMirror, requestMirror: {backendRef: ...}}]"
RULE_HINTS = {
    "mirror": _MIRROR,
    "mirrors": _MIRROR,
    "requestMirror": _MIRROR,
    "mirrorPercentage": "write percent (a whole number) or fraction in the filter's requestMirror",
    "match": "did you mean 'matches'?",
    "route": "write backendRefs",
    "rewrite": "a rewrite is a filter: write filters: [{type: URLRewrite, urlRewrite: ...}]",
    "redirect": "a redirect is a filter: write filters: [{type: RequestRedirect, requestRedirect: ...}]",
    "headers": "write filters: [{type: RequestHeaderModifier, requestHeaderModifier: ...}]",
    "timeout": "write timeouts: {request: ...}",
    "retries": "did you mean 'retry'?",
}
"""Fields of a VirtualService's route."""


class HTTPRouteRule(GatewayMessage):
    hints = RULE_HINTS

    name: SectionName | None = None
    matches: Annotated[Items[HTTPRouteMatch], Count(64)] = (HTTPRouteMatch(),)
    filters: Annotated[Items[HTTPRouteFilter], Count(16)] = ()
    backend_refs: Annotated[Items[HTTPBackendRef], Count(16)] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: Annotated[HTTPRouteRetry | None, Experimental("only `export envoy` has retries")] = None
    session_persistence: Annotated[
        SessionPersistence | None, Experimental("Istio does not read it, and neither does this proxy")
    ] = None


SPEC_HINTS = {
    "hosts": "did you mean 'hostnames'?",
    "gateways": "write parentRefs: [{name: ...}]",
    "http": "did you mean 'rules'?",
}


class HTTPRouteSpec(GatewayMessage):
    hints = SPEC_HINTS

    parent_refs: Annotated[Items[ParentReference], Count(32)] = ()
    use_default_gateways: Annotated[
        Literal["All", "None"] | None, Experimental("it is not read; name the parents in parentRefs")
    ] = None
    hostnames: Annotated[Items[Hostname], Count(16)] = ()
    rules: Annotated[Items[HTTPRouteRule], Count(16, least=1)] = (HTTPRouteRule(),)
