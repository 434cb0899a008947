"""Filters: members by type, and defaults."""

from __future__ import annotations

import typing

from mirror_addon.gateway_api.resources.filters import MEMBERS
from mirror_addon.gateway_api.resources.filters import Fraction
from mirror_addon.gateway_api.resources.filters import GRPCRouteFilter
from mirror_addon.gateway_api.resources.filters import HTTPCORSFilter
from mirror_addon.gateway_api.resources.filters import HTTPRequestRedirectFilter
from mirror_addon.gateway_api.resources.filters import HTTPRouteFilter


def test_each_type_has_its_member() -> None:
    assert {*MEMBERS.values(), "type"} == set(HTTPRouteFilter.model_fields)
    assert set(GRPCRouteFilter.model_fields) <= set(HTTPRouteFilter.model_fields)
    types = [typing.get_args(item) for item in typing.get_args(HTTPRouteFilter.model_fields["type"].annotation)]
    assert set(types[0]) == set(MEMBERS)


def test_defaults() -> None:
    assert HTTPRequestRedirectFilter().status_code == 302
    assert HTTPCORSFilter().max_age == 5
    assert Fraction.model_validate({"numerator": 1}).denominator == 100
