"""GRPCRoute: the types of `apis/v1/grpcroute_types.go`."""

from __future__ import annotations

from typing import Annotated
from typing import Literal

from mirror_addon.gateway_api.resources.filters import GRPCRouteFilter
from mirror_addon.gateway_api.resources.http_route import RULE_HINTS
from mirror_addon.gateway_api.resources.http_route import SPEC_HINTS
from mirror_addon.gateway_api.resources.http_route import SessionPersistence
from mirror_addon.gateway_api.resources.messages import Count
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


class GRPCMethodMatch(GatewayMessage):
    type: Literal["Exact", "RegularExpression"] = "Exact"
    service: Annotated[str, Text(1024, least=0)] | None = None
    method: Annotated[str, Text(1024, least=0)] | None = None


class GRPCHeaderMatch(GatewayMessage):
    type: Literal["Exact", "RegularExpression"] = "Exact"
    name: Annotated[HeaderName, Required()] = ""
    value: Annotated[str, Text(4096), Required()] = ""


class GRPCRouteMatch(GatewayMessage):
    method: GRPCMethodMatch | None = None
    headers: Annotated[Items[GRPCHeaderMatch], Count(16, key="name")] = ()


class GRPCBackendRef(BackendRef):
    filters: Annotated[Items[GRPCRouteFilter], Count(16)] = ()


class GRPCRouteRule(GatewayMessage):
    hints = RULE_HINTS

    name: SectionName | None = None
    matches: Annotated[Items[GRPCRouteMatch], Count(64)] = ()
    filters: Annotated[Items[GRPCRouteFilter], Count(16)] = ()
    backend_refs: Annotated[Items[GRPCBackendRef], Count(16)] = ()
    session_persistence: Annotated[
        SessionPersistence | None, Experimental("Istio does not read it, and neither does this proxy")
    ] = None


class GRPCRouteSpec(GatewayMessage):
    hints = SPEC_HINTS

    parent_refs: Annotated[Items[ParentReference], Count(32)] = ()
    use_default_gateways: Annotated[
        Literal["All", "None"] | None, Experimental("it is not read; name the parents in parentRefs")
    ] = None
    hostnames: Annotated[Items[Hostname], Count(16)] = ()
    rules: Annotated[Items[GRPCRouteRule], Count(16)] = ()
