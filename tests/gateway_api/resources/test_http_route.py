"""HTTPRoute: defaults."""

from __future__ import annotations

from mirror_addon.gateway_api.resources.http_route import HTTPPathMatch
from mirror_addon.gateway_api.resources.http_route import HTTPRouteMatch
from mirror_addon.gateway_api.resources.http_route import HTTPRouteRule
from mirror_addon.gateway_api.resources.http_route import HTTPRouteSpec


def test_each_half_of_a_path_defaults_alone() -> None:
    assert HTTPPathMatch.model_validate({"value": "/a"}).type == "PathPrefix"
    assert HTTPPathMatch.model_validate({"type": "Exact"}).value == "/"


def test_a_match_without_path_and_a_rule_without_matches() -> None:
    assert HTTPRouteMatch.model_validate({"method": "GET"}).path == HTTPPathMatch()
    assert HTTPRouteRule().matches == (HTTPRouteMatch(),)
    assert HTTPRouteRule.model_validate({"matches": []}).matches == ()


def test_a_route_without_rules_has_one_without_backends() -> None:
    assert HTTPRouteSpec().rules == (HTTPRouteRule(),)
