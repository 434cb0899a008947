"""Locations were measured with Envoy 1.40, where it can be configured in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]


def location(build: Build, ask: Ask, redirect: dict[str, Any], uri: Any, *args: Any, **request: Any) -> str:
    match = [{"uri": uri}] if uri else []
    decision = build([{"match": match, "redirect": redirect}]).route(ask(*args, **request), 0)
    assert decision.action is Action.REDIRECT
    assert decision.response is not None
    return dict(decision.response.headers)[b"location"].decode()


@pytest.mark.parametrize(
    ("redirect", "host", "expected"),
    [
        ({"authority": "x.com"}, "example.com", "http://x.com/r?x=1"),
        ({"authority": "x.com"}, "example.com:8080", "http://x.com/r?x=1"),
        ({"uri": "/new"}, "example.com", "http://example.com/new?x=1"),
        ({"uri": "/new?z=1"}, "example.com", "http://example.com/new?z=1"),
        ({"uri": "/new#frag"}, "example.com", "http://example.com/new#frag?x=1"),
        ({"scheme": "https"}, "example.com", "https://example.com/r?x=1"),
        ({"scheme": "https"}, "example.com:80", "https://example.com/r?x=1"),
        ({"scheme": "https"}, "example.com:443", "https://example.com:443/r?x=1"),
        ({"scheme": "https"}, "example.com:8080", "https://example.com:8080/r?x=1"),
        ({"uri": "/n"}, "example.com:80", "http://example.com:80/n?x=1"),
        ({"scheme": "https", "port": 8443}, "example.com:80", "https://example.com:8443/r?x=1"),
        ({"scheme": "https", "port": 443}, "example.com", "https://example.com/r?x=1"),
        ({"port": 80, "authority": "x.com"}, "example.com", "http://x.com/r?x=1"),
        ({"port": 443, "authority": "x.com"}, "example.com", "http://x.com:443/r?x=1"),
        ({"derivePort": "FROM_REQUEST_PORT", "authority": "x.com"}, "example.com", "http://x.com:8888/r?x=1"),
        ({"derivePort": "FROM_PROTOCOL_DEFAULT", "authority": "x.com"}, "example.com", "http://x.com/r?x=1"),
    ],
)
def test_location(redirect: dict[str, Any], host: str, expected: str, build: Build, ask: Ask) -> None:
    assert location(build, ask, redirect, None, "/r?x=1", host, port=8888) == expected


@pytest.mark.parametrize(
    ("uri", "prefix", "target", "expected"),
    [
        ({"prefix": "/old"}, "/new", "/old/a?x=1", "/new/a?x=1"),
        ({"prefix": "/old"}, "/", "/old/a", "//a"),
        ({"prefix": "/old/"}, "/", "/old/a", "/a"),
        ({"exact": "/old"}, "/new", "/old?x", "/new?x"),
        (None, "/new", "/old", "/newold"),
    ],
)
def test_prefix_rewrite(uri: Any, prefix: str, target: str, expected: str, build: Build, ask: Ask) -> None:
    redirect = {"prefixRewrite": prefix}
    assert location(build, ask, redirect, uri, target) == f"http://example.com{expected}"


@pytest.mark.parametrize(("code", "status"), [(None, 301), (302, 302), (303, 303), (307, 307), (308, 308)])
def test_codes(code: int | None, status: int, build: Build, ask: Ask) -> None:
    redirect = {"uri": "/x", **({"redirectCode": code} if code else {})}
    decision = build([{"redirect": redirect}]).route(ask(), 0)
    assert decision.response is not None
    assert (decision.response.status, decision.response.body) == (status, b"")


def test_a_code_that_envoy_has_not_is_no_route(build: Build, ask: Ask) -> None:
    decision = build([{"redirect": {"uri": "/x", "redirectCode": 304}}]).route(ask(), 0)
    assert decision.action is Action.NOT_FOUND


def test_a_redirect_comes_before_a_direct_response(build: Build, ask: Ask) -> None:
    http = {"redirect": {"uri": "/x"}, "directResponse": {"status": 200}}
    assert build([http]).route(ask(), 0).action is Action.REDIRECT


@pytest.mark.parametrize(
    ("body", "expected", "headers"),
    [
        (None, b"", ()),
        ({"string": "hé"}, "hé".encode(), ((b"content-type", b"text/plain"),)),
        ({"bytes": "AP8="}, b"\x00\xff", ((b"content-type", b"text/plain"),)),
    ],
)
def test_direct_response(body: Any, expected: bytes, headers: Any, build: Build, ask: Ask) -> None:
    response = {"status": 503, **({"body": body} if body else {})}
    decision = build([{"directResponse": response}]).route(ask(), 0)
    assert decision.action is Action.DIRECT_RESPONSE
    assert decision.response == LocalResponse(503, headers, expected)


def test_response_operations_apply(build: Build, ask: Ask) -> None:
    operations = {"response": {"set": {"content-type": "application/json"}, "add": {"x-a": "1"}}}
    table = build([{"directResponse": {"status": 200, "body": {"string": "{}"}}, "headers": operations}])
    decision = table.route(ask(), 0)
    assert decision.response is not None
    assert decision.response.headers == ((b"content-type", b"application/json"), (b"x-a", b"1"))
    decision = table.route(ask("/", "example.com", ("content-type", "application/grpc+proto")), 0)
    assert decision.response is not None
    assert dict(decision.response.headers) == {
        b"x-a": b"1",
        b"content-type": b"application/grpc",
        b"grpc-status": b"2",
        b"grpc-message": b"{}",
    }


@pytest.mark.parametrize(("status", "located"), [(201, True), (302, True), (304, True), (200, False), (204, False)])
def test_a_direct_response_names_its_own_place_where_the_status_wants_one(
    status: int, located: bool, build: Build, ask: Ask
) -> None:
    response = build([{"directResponse": {"status": status}}]).route(ask("/x?q=1", "example.com:81"), 0).response
    assert response is not None
    assert response.headers == (((b"location", b"http://example.com:81/x?q=1"),) if located else ())


@pytest.mark.parametrize("http", [{"redirect": {"uri": "/new"}}, {"directResponse": {"status": 200}}])
def test_an_answer_without_body_has_no_content_type(http: dict[str, Any], build: Build, ask: Ask) -> None:
    operations = {"response": {"add": {"Content-Type": "own", "x-a": "1"}}}
    response = build([{**http, "headers": operations}]).route(ask(), 0).response
    assert response is not None
    assert [name for name, _ in response.headers if name != b"location"] == [b"x-a"]


def test_a_redirect_that_envoy_does_not_know_is_named_in_a_trace(build: Build, ask: Ask) -> None:
    table = build([{"redirect": {"uri": "/x", "redirectCode": 304}}])
    assert table.route(ask(), 0).action is Action.NOT_FOUND
    assert explain(table, ask(), 0)[-1] == "local reply: no action that Envoy knows"
