"""What both kinds of routes have in common."""

from __future__ import annotations

import pytest

from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteSpec
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec
from mirror_addon.gateway_api.resources.routes import backends_of
from mirror_addon.gateway_api.resources.routes import filters_of
from mirror_addon.gateway_api.resources.routes import matches_of
from mirror_addon.gateway_api.resources.routes import rules_of


@pytest.mark.parametrize("kind", [HTTPRouteSpec, GRPCRouteSpec])
def test_parts(kind: type[HTTPRouteSpec | GRPCRouteSpec]) -> None:
    modifier = [{"type": "RequestHeaderModifier"}]
    backend = {"name": "a", "filters": modifier}
    spec = kind.model_validate({"rules": [{"matches": [{}], "filters": modifier, "backendRefs": [backend]}]})
    (rule,) = rules_of(spec)
    assert len(matches_of(rule)) == len(filters_of(rule)) == len(backends_of(rule)) == 1
    assert filters_of(backends_of(rule)[0]) == filters_of(rule)
