"""The order in which matches are tried."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.gateway_api.precedence import match_request
from mirror_addon.gateway_api.precedence import oldest_first
from mirror_addon.gateway_api.precedence import rank
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteMatch
from mirror_addon.gateway_api.resources.http_route import HTTPRouteMatch
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest


def http(**fields: Any) -> HTTPMatchRequest:
    found = match_request(HTTPRouteMatch.model_validate(fields))
    assert found is not None
    return found


def path(kind: str, value: str, **fields: Any) -> HTTPMatchRequest:
    return http(path={"type": kind, "value": value}, **fields)


def named(count: int) -> list[dict[str, str]]:
    return [{"name": f"n{index}", "value": "v"} for index in range(count)]


ORDER = [
    path("Exact", "/abc"),
    path("Exact", "/a", method="GET"),
    path("Exact", "/a", headers=named(16)),
    path("PathPrefix", "/a/b/c"),
    path("PathPrefix", "/a/b", method="GET"),
    path("PathPrefix", "/a/b", headers=named(2)),
    path("PathPrefix", "/a/b", headers=named(1), queryParams=named(2)),
    path("PathPrefix", "/a/b", headers=named(1), queryParams=named(1)),
    path("PathPrefix", "/a/b", headers=named(1)),
    path("PathPrefix", "/a/b", queryParams=named(16)),
    path("PathPrefix", "/a/b"),
    http(method="GET"),
    http(),
    path("RegularExpression", "/.*long.*"),
    path("RegularExpression", "/.*"),
    match_request(GRPCRouteMatch.model_validate({"headers": named(1)})),
    match_request(GRPCRouteMatch.model_validate({})),
    None,
]


def test_the_order() -> None:
    ranks = [rank(match) for match in ORDER]
    assert ranks == sorted(ranks) and len(set(ranks)) == len(ranks)


def test_a_slash_at_the_end_of_a_prefix_counts_for_nothing() -> None:
    assert rank(path("PathPrefix", "/a/b/")) == rank(path("PathPrefix", "/a/b"))
    assert rank(path("Exact", "/a/b/")) != rank(path("Exact", "/a/b"))


def test_bytes_are_counted() -> None:
    assert rank(path("RegularExpression", "/ä")) == rank(path("RegularExpression", "/ab"))


values = st.text("ab/", max_size=4).map("/{}".format)
matches = st.builds(
    lambda kind, value, method, headers, params: path(
        kind, value, headers=named(headers), queryParams=named(params), **({"method": "GET"} if method else {})
    ),
    st.sampled_from(["Exact", "PathPrefix", "RegularExpression"]),
    values,
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 3),
)


def comes_before(one: HTTPMatchRequest, other: HTTPMatchRequest) -> int:
    """Istio's comparison (`sortHTTPRoutes`), written as it is there."""

    def kind(match: HTTPMatchRequest) -> int:
        assert match.uri is not None
        return 3 if match.uri.exact is not None else 2 if match.uri.prefix is not None else 1

    def length(match: HTTPMatchRequest) -> int:
        assert match.uri is not None
        return len(match.uri.exact or match.uri.prefix or match.uri.regex or "")

    for left, right in (
        (kind(one), kind(other)),
        (length(one), length(other)),
        (one.method is not None, other.method is not None),
        (len(one.headers), len(other.headers)),
        (len(one.query_params), len(other.query_params)),
    ):
        if left != right:
            return -1 if left > right else 1
    return 0


@settings(max_examples=60)
@given(st.lists(matches, max_size=12))
def test_the_order_is_istios(found: list[HTTPMatchRequest]) -> None:
    assert sorted(found, key=rank) == sorted(found, key=functools.cmp_to_key(comes_before))


@settings(max_examples=40)
@given(st.lists(matches, max_size=8), st.randoms())
def test_the_order_of_documents_decides_only_between_equals(found: list[HTTPMatchRequest], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert list(map(rank, sorted(found, key=rank))) == list(map(rank, sorted(shuffled, key=rank)))


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ({"service": "s.S", "method": "M"}, {"exact": "/s.S/M"}),
        ({"service": "s.S"}, {"prefix": "/s.S/"}),
        ({"method": "M"}, {"regex": "/[^/]+/M"}),
        ({"type": "RegularExpression", "service": "s.*", "method": "M.*"}, {"regex": "/s.*/M.*"}),
        ({"type": "RegularExpression", "service": "s.*"}, {"regex": "/s.*/.+"}),
        ({"type": "RegularExpression", "method": "M.*"}, {"regex": "/[^/]+/M.*"}),
    ],
)
def test_methods_of_grpc(method: dict[str, str], uri: dict[str, str]) -> None:
    found = match_request(GRPCRouteMatch.model_validate({"method": method}))
    assert found is not None and found.uri is not None
    assert {name: value for name, value in found.uri if value is not None} == uri


def test_a_method_without_service_and_method_is_any() -> None:
    found = match_request(GRPCRouteMatch.model_validate({"method": {}}))
    assert found is not None and found.uri is None


def test_of_two_equal_names_the_first_counts() -> None:
    twice = [{"name": "X", "value": "1"}, {"name": "x", "value": "2", "type": "RegularExpression"}]
    found = http(headers=twice, queryParams=twice)
    assert {name: value.exact for name, value in found.headers.items()} == {"x": "1"}
    assert {name: value.exact or value.regex for name, value in found.query_params.items()} == {"X": "1", "x": "2"}


def test_a_rule_without_matches() -> None:
    assert match_request(None) is None


def test_oldest_first(make: Any, resources: Any) -> None:
    spec = "{parentRefs: [{name: g}]}"
    read = resources(
        make("HTTPRoute", spec, "b", "a", creationTimestamp="2026-01-02T00:00:00Z"),
        make("HTTPRoute", spec, "a", "b", creationTimestamp="2026-01-01T00:00:00Z"),
        make("HTTPRoute", spec, "b", "b", creationTimestamp="2026-01-01T00:00:00Z"),
        make("HTTPRoute", spec, "z", "z"),
    )
    assert [item.namespace + item.name for item in sorted(read, key=oldest_first)] == ["zz", "ba", "bb", "ab"]
