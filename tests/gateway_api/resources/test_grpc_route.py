"""GRPCRoute: defaults, which differ from those of HTTPRoute."""

from __future__ import annotations

from mirror_addon.gateway_api.resources.grpc_route import GRPCMethodMatch
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteRule
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec


def test_defaults() -> None:
    assert GRPCMethodMatch().type == "Exact"
    assert GRPCRouteRule().matches == ()
    assert GRPCRouteSpec().rules == ()
