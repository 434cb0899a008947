"""What HTTPRoute and GRPCRoute have in common."""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.gateway_api.resources.filters import RouteFilter
from mirror_addon.gateway_api.resources.grpc_route import GRPCBackendRef
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteMatch
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteRule
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPBackendRef
from mirror_addon.gateway_api.resources.http_route import HTTPRouteMatch
from mirror_addon.gateway_api.resources.http_route import HTTPRouteRule
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec

RouteSpec = HTTPRouteSpec | GRPCRouteSpec
RouteRule = HTTPRouteRule | GRPCRouteRule
RouteMatch = HTTPRouteMatch | GRPCRouteMatch
BackendRef = HTTPBackendRef | GRPCBackendRef


def rules_of(spec: RouteSpec) -> Sequence[RouteRule]:
    return spec.rules


def matches_of(rule: RouteRule) -> Sequence[RouteMatch]:
    return rule.matches


def filters_of(owner: RouteRule | BackendRef) -> Sequence[RouteFilter]:
    return owner.filters


def backends_of(rule: RouteRule) -> Sequence[BackendRef]:
    return rule.backend_refs
