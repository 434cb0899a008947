"""URLs become endpoints."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.endpoint import is_grpc


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://a/users/7?x=1#y", "/users/{id}"),
        ("/v1/Users/0f4c8c1e-7a63-4d5e-9c65-1d6a7d3b9c11/posts", "/v1/Users/{id}/posts"),
        ("http://a/x/deadbeef", "/x/{id}"),
        ("http://a/x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/x/{id}"),
        ("http://a/days/2026-11-22/slots", "/days/{id}/slots"),
        ("http://a/days/2026-11-22T12:00:00Z", "/days/{id}"),
        ("http://a/by/jane.doe%40example.com", "/by/{id}"),
        ("http://a/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "/t/{id}"),
        ("http://a/t/dGVzdHRlc3R0ZXN0MTIz", "/t/{id}"),
        ("http://a/at/52.5200,13.4050", "/at/{id}"),
        ("http://a/v1/v2beta1/2.0/api", "/v1/v2beta1/2.0/api"),
        ("http://a/my-long-article-title-2024/item-42", "/my-long-article-title-2024/item-42"),
        ("http://a/GetUserInformation/Facade", "/GetUserInformation/Facade"),
        ("http://a", "/"),
        ("http://[no-host/x/5", "/x/{id}"),
        ("http://a/" + "x" * 5000, "/{id}"),
    ],
)
def test_endpoints(url: str, path: str) -> None:
    assert endpoint_of("get", url) == f"GET {path}"


@given(st.text(), st.text(max_size=10))
def test_takes_anything(url: str, method: str) -> None:
    endpoint_of(method, url)


@given(st.uuids(), st.integers(min_value=0))
def test_ids_of_any_value(uuid: object, number: int) -> None:
    assert endpoint_of("GET", f"http://h/a/{uuid}/b/{number}") == "GET /a/{id}/b/{id}"


def test_operations() -> None:
    assert endpoint_of("post", "http://a/graphql?x=1", "GetUser") == "POST /graphql GetUser"
    assert endpoint_of("", "http://a/graphql", "GetUser") == "/graphql GetUser"


def test_a_call_of_grpc_has_no_ids_in_its_path() -> None:
    path = "/acme.inventory2service.Stock/Get20231010T"
    assert endpoint_of("", f"http://h{path}") == path
    assert endpoint_of("POST", "http://h/a.B/C") == "POST /a.B/C"
    assert endpoint_of("", "http://h/orders/1234567") == "/orders/{id}"
    assert is_grpc([(b"Content-Type", b"application/grpc-web+proto")])
    assert not is_grpc([(b"content-type", b"application/json"), (b"x", b"application/grpc")])


@given(
    st.text(st.sampled_from("ab/?#:@[]%. \t\n\\é;=1-{}")),
    st.sampled_from(["http://", "https://", "HTTP://", "http:/", "//", ""]),
)
def test_the_path_is_that_of_urlsplit(rest: str, begin: str) -> None:
    try:
        path = urlsplit(begin + rest).path
    except ValueError:
        return
    assert endpoint_of("", begin + rest) == endpoint_of("", f"http://h{path}" if path[:1] == "/" else path)
