from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.routing.conditions import compile_conditions
from mirror_addon.routing.decision import Request
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]


def holds(match: dict[str, Any], request: Request) -> bool:
    conditions = compile_conditions(HTTPMatchRequest.model_validate(match))
    lookup = RequestLookup(request, request.path.partition(b"?")[0])
    return all(condition.test(lookup) for condition in conditions)


# whether it holds where the header is absent, present and empty, "x", "px"
HEADER_TABLE = [
    ("headers", {}, (False, True, True, True)),
    ("headers", None, (False, True, True, True)),
    ("headers", {"exact": "x"}, (False, False, True, False)),
    ("headers", {"exact": ""}, (False, True, False, False)),
    ("headers", {"prefix": "p"}, (False, False, False, True)),
    ("headers", {"regex": "x?"}, (False, True, True, False)),
    ("headers", {"regex": "*"}, (False, True, True, True)),
    ("withoutHeaders", {}, (True, False, False, False)),
    ("withoutHeaders", {"regex": "*"}, (True, False, False, False)),
    ("withoutHeaders", {"exact": "x"}, (True, True, False, True)),
    ("withoutHeaders", {"exact": ""}, (False, False, True, True)),
    ("withoutHeaders", {"prefix": "p"}, (True, True, True, False)),
    ("withoutHeaders", {"regex": ".*"}, (False, False, False, False)),
]


@pytest.mark.parametrize(("field", "match", "expected"), HEADER_TABLE)
def test_header_truth_table(field: str, match: Any, expected: tuple[bool, ...], ask: Ask) -> None:
    cases = [(), (("h", ""),), (("h", "x"),), (("h", "px"),)]
    assert tuple(holds({field: {"H": match}}, ask("/", "a.com", *headers)) for headers in cases) == expected


def test_repeated_headers_match_line_by_line(ask: Ask) -> None:
    request = ask("/", "a.com", ("X-Tier", "gold"), ("x-tier", "silver"))
    assert holds({"headers": {"x-tier": {"exact": "gold"}}}, request)
    assert holds({"headers": {"x-tier": {"exact": "silver"}}}, request)
    assert not holds({"headers": {"x-tier": {"exact": "gold,silver"}}}, request)
    assert not holds({"withoutHeaders": {"x-tier": {"exact": "silver"}}}, request)


def test_headers_of_which_envoy_keeps_one_line_match_joined(ask: Ask) -> None:
    request = ask("/", "a.com", ("accept", "a"), ("Accept", "b"))
    assert holds({"headers": {"accept": {"exact": "a,b"}}}, request)
    assert not holds({"headers": {"accept": {"exact": "a"}}}, request)
    assert holds(
        {"headers": {"accept": {"exact": "a,"}}}, ask("/", "a.com", ("accept", ""), ("accept", "a"), ("accept", ""))
    )
    assert holds({"headers": {"accept": {"exact": ""}}}, ask("/", "a.com", ("accept", ""), ("accept", "")))


def test_values_are_case_sensitive_and_names_are_not(ask: Ask) -> None:
    request = ask("/", "a.com", ("X-A", "Gold"))
    assert holds({"headers": {"x-a": {"exact": "Gold"}}}, request)
    assert not holds({"headers": {"X-A": {"exact": "gold"}}}, request)


def test_all_headers_must_hold(ask: Ask) -> None:
    match = {"headers": {"a": {"exact": "1"}, "b": {"exact": "2"}}}
    assert holds(match, ask("/", "a.com", ("a", "1"), ("b", "2")))
    assert not holds(match, ask("/", "a.com", ("a", "1")))


def test_any_without_header_fails_the_match(ask: Ask) -> None:
    match = {"withoutHeaders": {"a": {}, "b": {}}}
    assert holds(match, ask())
    assert not holds(match, ask("/", "a.com", ("b", "")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (":method", "GET"),
        (":authority", "a.com:80"),
        ("host", "a.com:80"),
        (":scheme", "http"),
        (":path", "/p?q=1"),
    ],
)
def test_pseudo_headers(name: str, value: str, ask: Ask) -> None:
    assert holds({"headers": {name: {"exact": value}}}, ask("/p?q=1", "a.com:80"))


def test_jwt_claims_are_never_there(ask: Ask) -> None:
    assert not holds({"headers": {"@request.auth.claims.sub": {"exact": "x"}}}, ask())
    assert holds({"withoutHeaders": {"@request.auth.claims.sub": {"exact": "x"}}}, ask())


def test_values_are_raw_bytes(ask: Ask) -> None:
    request = ask("/", "a.com", ("a", "é"))
    assert holds({"headers": {"a": {"exact": "é"}}}, request)
    assert not holds({"headers": {"a": {"regex": "."}}}, request)
    assert holds({"headers": {"a": {"regex": ".."}}}, request)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"method": {"exact": "GET"}}, True),
        ({"method": {"exact": "get"}}, False),
        ({"method": {}}, True),
        ({"method": {"regex": "GET|PUT"}}, True),
        ({"scheme": {"exact": "http"}}, True),
        ({"scheme": {"exact": "https"}}, False),
        ({"authority": {"exact": "a.com"}}, False),
        ({"authority": {"exact": "a.com:8080"}}, True),
        ({"authority": {"exact": "A.com:8080"}}, False),
        ({"authority": {"prefix": "a.com"}}, True),
    ],
)
def test_method_scheme_authority(match: dict[str, Any], expected: bool, ask: Ask) -> None:
    assert holds(match, ask("/", "a.com:8080")) is expected


@pytest.mark.parametrize(
    ("match", "target", "expected"),
    [
        ({}, "/?k", True),
        ({}, "/?k=", True),
        ({}, "/?j=1", False),
        ({"regex": "*"}, "/?k=v", True),
        ({"regex": "*"}, "/", False),
        ({"exact": ""}, "/?k", True),
        ({"exact": ""}, "/?k=", True),
        ({"exact": ""}, "/?k=1", False),
        ({"exact": "1"}, "/?k=1&k=2", True),
        ({"exact": "2"}, "/?k=1&k=2", False),
        ({"exact": "1"}, "/?K=1", False),
        ({"exact": "red"}, "/?k=r%65d", False),
        ({"regex": r"\d+$"}, "/?k=123", True),
        ({"regex": r"\d+$"}, "/?k=a123", False),
        ({"prefix": "a"}, "/?k=a=b", True),
        ({"exact": "a=b"}, "/?k=a=b", True),
        ({"exact": "1"}, "/?k=1#f", True),
    ],
)
def test_query_parameters(match: dict[str, Any], target: str, expected: bool, ask: Ask) -> None:
    assert holds({"queryParams": {"k": match}}, ask(target)) is expected


def test_the_last_declared_member_of_a_string_match_wins(ask: Ask) -> None:
    assert holds({"method": {"exact": "PUT", "prefix": "G"}}, ask())
    assert not holds({"method": {"exact": "GET", "regex": "PUT"}}, ask())


def test_a_claim_is_named_in_a_trace(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build([{"match": [{"headers": {"@request.auth.claims.sub": {"exact": "me"}}}], "route": to_v1}])
    assert "no: @request.auth.claims.sub is 'me', but it is never known to a local proxy" in explain(table, ask(), 0)[1]
