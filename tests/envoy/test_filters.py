from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Routes = Callable[..., list[dict[str, Any]]]
FAULT, CORS = "envoy.filters.http.fault", "envoy.filters.http.cors"


def config(routes: Routes, field: str) -> dict[str, Any]:
    (route,) = routes(f"[{{route: [{{destination: {{host: v1}}}}], {field}}}]")
    found: dict[str, Any] = route.get("typed_per_filter_config", {})
    return found


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            "{delay: {fixedDelay: 5ms, percent: 7}}",
            {"delay": {"fixed_delay": "0.005s", "percentage": {"numerator": 7, "denominator": "HUNDRED"}}},
        ),
        (
            "{abort: {httpStatus: 503, percentage: {value: 0.5}}}",
            {"abort": {"http_status": 503, "percentage": {"numerator": 5000, "denominator": "MILLION"}}},
        ),
        (
            "{abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}",
            {"abort": {"grpc_status": 14, "percentage": {"numerator": 1_000_000, "denominator": "MILLION"}}},
        ),
        ("{abort: {httpStatus: 100, percentage: {value: 100}}}", {}),
    ],
)
def test_faults(fault: str, expected: dict[str, Any], routes: Routes) -> None:
    found = config(routes, f"fault: {fault}")[FAULT]
    assert {name: found[name] for name in found if name != "@type"} == expected


@pytest.mark.parametrize("field", ["fault: {abort: {httpStatus: 503}}", "timeout: 1s"])
def test_none(field: str, routes: Routes) -> None:
    assert config(routes, field) == {}


def test_cors(routes: Routes) -> None:
    policy = "{allowOrigins: [{exact: a}, {prefix: ''}, {}, {regex: '('}], allowMethods: [A, B], maxAge: 90s}"
    found = config(routes, f"corsPolicy: {policy}")[CORS]
    assert found["allow_origin_string_match"] == [{"exact": "a"}, {"safe_regex": {"regex": ".*"}}]
    assert (found["allow_methods"], found["max_age"]) == ("A,B", "90")
    assert found["forward_not_matching_preflights"] is True
    assert "allow_credentials" not in found


def test_cors_without_lists(routes: Routes) -> None:
    found = config(routes, "corsPolicy: {allowOrigin: [a], allowCredentials: false, unmatchedPreflights: IGNORE}")[CORS]
    assert {name: value for name, value in found.items() if name != "@type"} == {
        "allow_origin_string_match": [{"exact": "a"}],
        "forward_not_matching_preflights": False,
        "allow_credentials": False,
    }
