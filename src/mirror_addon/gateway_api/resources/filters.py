"""The filters of HTTPRoute and GRPCRoute: what a rule does to a request besides choosing a backend."""

from __future__ import annotations

import re
from typing import Annotated
from typing import Literal

from pydantic import Field

from mirror_addon.gateway_api.resources.messages import Count
from mirror_addon.gateway_api.resources.messages import Experimental
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import HeaderName
from mirror_addon.gateway_api.resources.messages import PortNumber
from mirror_addon.gateway_api.resources.messages import PreciseHostname
from mirror_addon.gateway_api.resources.messages import Required
from mirror_addon.gateway_api.resources.messages import Text
from mirror_addon.gateway_api.resources.references import BackendObjectReference
from mirror_addon.gateway_api.resources.references import LocalObjectReference
from mirror_addon.istio.resources.messages import Items

_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*")
_ORIGIN = re.compile(r"\*|https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?")
_COUNT_31 = Annotated[int, Field(ge=0, le=2**31 - 1)]


class HTTPHeader(GatewayMessage):
    name: Annotated[HeaderName, Required()] = ""
    value: Annotated[str, Text(4096), Required()] = ""


class HTTPHeaderFilter(GatewayMessage):
    set: Annotated[Items[HTTPHeader], Count(16, key="name")] = ()
    add: Annotated[Items[HTTPHeader], Count(16, key="name")] = ()
    remove: Annotated[Items[str], Count(16, key="itself")] = ()


class HTTPPathModifier(GatewayMessage):
    type: Annotated[Literal["ReplaceFullPath", "ReplacePrefixMatch"] | None, Required()] = None
    replace_full_path: Annotated[str, Text(1024, least=0)] | None = None
    replace_prefix_match: Annotated[str, Text(1024, least=0)] | None = None


class HTTPRequestRedirectFilter(GatewayMessage):
    scheme: Literal["http", "https"] | None = None
    hostname: PreciseHostname | None = None
    path: HTTPPathModifier | None = None
    port: PortNumber | None = None
    status_code: Annotated[int, Field(ge=301, le=308)] = 302


class HTTPURLRewriteFilter(GatewayMessage):
    hostname: PreciseHostname | None = None
    path: HTTPPathModifier | None = None


class Fraction(GatewayMessage):
    numerator: Annotated[_COUNT_31, Required()] = 0
    denominator: Annotated[int, Field(ge=1, le=2**31 - 1)] = 100


_PERCENT = "write percent (a whole number from 0 to 100) or fraction: {numerator: ..., denominator: ...}"


class HTTPRequestMirrorFilter(GatewayMessage):
    hints = {
        "percentage": _PERCENT,
        "mirrorPercentage": _PERCENT,
        "weight": _PERCENT,
        "destination": "write backendRef",
    }

    backend_ref: Annotated[BackendObjectReference | None, Required()] = None
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    fraction: Fraction | None = None


class HTTPCORSFilter(GatewayMessage):
    allow_origins: Annotated[
        Items[Annotated[str, Text(253, _ORIGIN, "an origin such as https://shop.example.com, https://*.example.com")]],
        Count(64, key="itself"),
    ] = ()
    allow_credentials: bool | None = None
    allow_methods: Annotated[
        Items[Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"]],
        Count(9, key="itself"),
    ] = ()
    allow_headers: Annotated[Items[HeaderName], Count(64, key="itself")] = ()
    expose_headers: Annotated[Items[HeaderName], Count(64, key="itself")] = ()
    max_age: Annotated[int, Field(ge=1, le=2**31 - 1)] = 5


class GRPCAuthConfig(GatewayMessage):
    allowed_headers: Annotated[Items[str], Count(64, key="itself")] = ()


class HTTPAuthConfig(GatewayMessage):
    path: Annotated[str, Text(1024, _PATH, "a path", least=0)] = ""
    allowed_headers: Annotated[Items[str], Count(64, key="itself")] = ()
    allowed_response_headers: Annotated[Items[str], Count(64, key="itself")] = ()


class ForwardBodyConfig(GatewayMessage):
    max_size: _COUNT_31 = 0


class HTTPExternalAuthFilter(GatewayMessage):
    protocol: Annotated[Literal["HTTP", "GRPC"] | None, Required()] = None
    backend_ref: Annotated[BackendObjectReference | None, Required()] = None
    grpc: GRPCAuthConfig | None = None
    http: HTTPAuthConfig | None = None
    forward_body: ForwardBodyConfig | None = None


class HTTPRouteFilter(GatewayMessage):
    type: Annotated[
        Literal[
            "RequestHeaderModifier",
            "ResponseHeaderModifier",
            "RequestMirror",
            "RequestRedirect",
            "URLRewrite",
            "CORS",
            "ExtensionRef",
            "ExternalAuth",
        ]
        | None,
        Required(),
    ] = None
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = None
    cors: HTTPCORSFilter | None = None
    external_auth: Annotated[HTTPExternalAuthFilter | None, Experimental("no authorization service is asked here")] = (
        None
    )
    extension_ref: LocalObjectReference | None = None


class GRPCRouteFilter(GatewayMessage):
    type: Annotated[
        Literal["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"] | None, Required()
    ] = None
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    extension_ref: LocalObjectReference | None = None


RouteFilter = HTTPRouteFilter | GRPCRouteFilter

MEMBERS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "CORS": "cors",
    "ExternalAuth": "external_auth",
    "ExtensionRef": "extension_ref",
}
"""By the filter's type: the member of a filter that configures it."""
