"""Matches that an API server refuses, each with a neighbour that it accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.match_validation import path_problem

Errors = Callable[[str, Any], list[str]]
MATCH = "spec.rules[0].matches[0]"


def match(kind: str, fields: str) -> str:
    backends = "backendRefs: [{name: a, port: 80}]"
    return f"{{parentRefs: [{{name: g}}], rules: [{{matches: [{{{fields}}}], {backends}}}]}}"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("cart", "must start with '/'"),
        ("", "must start with '/'"),
        ("/a//b", "must not contain '//'"),
        ("/a/./b", "must not contain '/./'"),
        ("/a/../b", "must not contain '/../'"),
        ("/a%2fb", "must not contain '%2f'"),
        ("/a%2Fb", "must not contain '%2F'"),
        ("/a#b", "must not contain '#'"),
        ("/a/..", "must not end with"),
        ("/a/.", "must not end with"),
        ("/a b", "percent-encode them"),
        ("/ä", "percent-encode them"),
        ("/a%zz", "percent-encode them"),
        ("/a?b", "percent-encode them"),
        ("/", None),
        ("/a/.b/..c/", None),
        ("/a%20b/!$&'()*+,;=:@~_-.", None),
    ],
)
def test_paths(path: str, problem: str | None) -> None:
    found = path_problem(path)
    assert found is None if problem is None else problem in (found or "")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("path: {value: cart}", [f"{MATCH}.path.value: must start with '/'"]),
        ("path: {type: Exact, value: cart}", [f"{MATCH}.path.value: must start with '/'"]),
        ("path: {type: RegularExpression, value: cart}", []),
        (
            "path: {type: RegularExpression, value: '(a'}",
            [f"{MATCH}.path.value: '(a' is not an RE2 regex: missing ): (a"],
        ),
        (
            "headers: [{name: x, value: '[', type: RegularExpression}]",
            [f"{MATCH}.headers[0].value: '[' is not an RE2 regex: missing ]: ["],
        ),
        ("headers: [{name: x, value: '['}]", []),
        (
            "queryParams: [{name: x, value: '[', type: RegularExpression}]",
            [f"{MATCH}.queryParams[0].value: '[' is not an RE2 regex: missing ]: ["],
        ),
        ("headers: [{name: x}]", [f"{MATCH}.headers[0].value: value is missing; it is required"]),
        ("headers: [{name: x, value: ''}]", [f"{MATCH}.headers[0].value: must not be empty"]),
        ("headers: [{name: 'a b', value: c}]", [f"{MATCH}.headers[0].name: 'a b' is not a header name"]),
        (
            "headers: [{name: x, value: '1'}, {name: x, value: '2'}]",
            [f"{MATCH}.headers[1]: the name 'x' is repeated; an API server refuses that, remove one"],
        ),
        (
            "headers: [{name: x, value: '1'}, {name: X, value: '2'}]",
            [
                f"{MATCH}.headers[1].name: 'X' is the header 'x' of an entry above, and only the first is used; "
                "Istio requires both values"
            ],
        ),
        (
            "queryParams: [{name: x, value: '1'}, {name: x, value: '2'}]",
            [f"{MATCH}.queryParams[1]: the name 'x' is repeated; an API server refuses that, remove one"],
        ),
        ("queryParams: [{name: x, value: '1'}, {name: X, value: '2'}]", []),
        ("method: get", [f"{MATCH}.method: must be one of the known names; it is the text 'get': did you mean 'GET'?"]),
    ],
)
def test_matches_of_http(fields: str, found: list[str], errors: Errors) -> None:
    assert errors("HTTPRoute", match("HTTPRoute", fields)) == found


def test_an_empty_regex_is_reported_once(errors: Errors) -> None:
    fields = "headers: [{name: x, type: RegularExpression, value: ''}]"
    assert errors("HTTPRoute", match("HTTPRoute", fields)) == [f"{MATCH}.headers[0].value: must not be empty"]


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ({"service": "shop.Cart", "method": "Get"}, []),
        ({"service": ".shop.Cart_2"}, []),
        ({"method": "Get"}, []),
        ({}, ["method: one or both of service and method must be given"]),
        ({"type": "RegularExpression"}, ["method: one or both of service and method must be given"]),
        ({"service": "shop/Cart"}, ["method.service: 'shop/Cart' is not a gRPC service, such as package.Service"]),
        ({"method": "Get.It"}, ["method.method: 'Get.It' is not a gRPC method, such as GetOrder"]),
        ({"type": "RegularExpression", "service": "shop..*", "method": "Get.*"}, []),
        ({"type": "RegularExpression", "service": "("}, ["method.service: '(' is not an RE2 regex: missing ): ("]),
        ({"type": "RegularExpression", "method": "("}, ["method.method: '(' is not an RE2 regex: missing ): ("]),
    ],
)
def test_methods_of_grpc(method: dict[str, str], found: list[str], errors: Errors) -> None:
    text = match("GRPCRoute", f"method: {json.dumps(method)}")
    assert errors("GRPCRoute", text) == [f"{MATCH}.{item}" for item in found]


def test_headers_of_grpc(errors: Errors) -> None:
    text = match("GRPCRoute", "headers: [{name: x, value: '1'}, {name: X, value: '(', type: RegularExpression}]")
    assert [item.partition(":")[0] for item in errors("GRPCRoute", text)] == [
        f"{MATCH}.headers[1].value",
        f"{MATCH}.headers[1].name",
    ]
