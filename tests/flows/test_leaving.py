from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.flows.leaving import goes_where_decided
from mirror_addon.flows.leaving import head_of
from mirror_addon.flows.leaving import is_killed
from mirror_addon.flows.leaving import keep_destination
from mirror_addon.flows.leaving import leaving_request
from mirror_addon.flows.leaving import response_as_it_came
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request

FIELDS = ((b"a", b"1"), (b"cookie", b"x"))
DECIDED = Request(b"GET", b"http", b"b.test", b"/x", FIELDS, 80, b"9.9.9.9")


def flow_of(version: bytes = b"HTTP/1.1", scheme: bytes = b"http") -> http.HTTPFlow:
    """A flow to which DECIDED was applied."""
    flow = tflow.tflow()
    data = flow.request.data
    data.http_version, data.scheme, data.method, data.path = version, scheme, b"GET", b"/x"
    if version == b"HTTP/1.1":
        data.authority, data.headers = b"", http.Headers(((b"Host", b"b.test"), *FIELDS))
    else:
        data.authority, data.headers = b"b.test", http.Headers(FIELDS)
    return flow


def test_what_nobody_changed_is_as_decided() -> None:
    flow = flow_of()
    assert leaving_request(flow, head_of(flow), DECIDED) is DECIDED
    assert leaving_request(flow, None, DECIDED) == DECIDED


def set_header(request: http.Request) -> None:
    request.headers["New"] = "2"


def set_url(request: http.Request) -> None:
    request.url = "http://other.test:81/y"


def set_method(request: http.Request) -> None:
    request.method = "POST"


def set_query(request: http.Request) -> None:
    request.query["q"] = "1"


def set_authority(request: http.Request) -> None:
    request.authority = "absolute.test"


def drop_host(request: http.Request) -> None:
    del request.headers["Host"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_header, {"headers": (*FIELDS, (b"New", b"2"))}),
        (set_url, {"authority": b"other.test:81", "path": b"/y"}),
        (set_method, {"method": b"POST"}),
        (set_query, {"path": b"/x?q=1"}),
        (set_authority, {"authority": b"absolute.test"}),
        (drop_host, {"authority": b""}),
    ],
)
def test_what_other_addons_change_leaves(change: Callable[[http.Request], None], expected: dict[str, object]) -> None:
    flow = flow_of()
    written = head_of(flow)
    change(flow.request)
    assert leaving_request(flow, written, DECIDED) == replace(DECIDED, **expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(("scheme", "authority"), [(b"http", b"script.test"), (b"https", b"b.test")])
def test_a_host_beside_the_authority_of_http2(scheme: bytes, authority: bytes) -> None:
    """An HTTP/1 upstream gets the field, one of HTTP/2 the pseudo-header."""
    flow = flow_of(b"HTTP/2.0", scheme)
    flow.request.headers["host"] = "script.test"
    assert leaving_request(flow, None, DECIDED) == replace(DECIDED, authority=authority)


def test_cookies_of_http2_are_one_field() -> None:
    flow = flow_of(b"HTTP/2.0")
    flow.request.headers.add("cookie", "y")
    assert leaving_request(flow, None, DECIDED).headers == ((b"a", b"1"), (b"cookie", b"x; y"))


def test_the_second_host_stays_with_the_primary() -> None:
    flow = flow_of()
    flow.request.headers.add("Host", "second.test")
    assert leaving_request(flow, None, DECIDED) == DECIDED


@pytest.mark.parametrize("through", [False, True])
def test_credentials_for_a_proxy_go_no_further(through: bool) -> None:
    flow = flow_of()
    field = (b"Proxy-Authorization", b"Basic eDp5")
    flow.request.data.headers.fields += (field,)
    if through:
        flow.server_conn.via = ("http", ("proxy.test", 3128))
    request = replace(DECIDED, headers=(*FIELDS, field))
    assert leaving_request(flow, head_of(flow), request) == (DECIDED if through else request)


def test_a_destination_that_another_addon_chose() -> None:
    flow = flow_of()
    flow.request.data.host, flow.request.data.port = "127.0.0.1", 9001
    decision = Decision(Action.ROUTE, endpoint=Endpoint("127.0.0.1", 9001))
    assert goes_where_decided(flow, decision)
    flow.request.data.port = 9002
    assert not goes_where_decided(flow, decision)
    assert not goes_where_decided(flow, Decision(Action.NOT_FOUND))


@pytest.mark.parametrize(
    ("asked", "url", "kept"),
    [
        (b"b.test", "http://b.test/new", True),
        (b"B.test", "http://b.TEST/new?x", True),
        (b"b.test:80", "http://b.test/new", True),
        (b"b.test:8080", "http://b.test:8080/new", True),
        (b"[::1]:8080", "http://[::1]:8080/new", True),
        (b"b.test", "https://b.test/new", True),
        (b"b.test", "http://c.test/new", False),
        (b"b.test", "http://b.test:81/new", False),
        (b"127.0.0.1:8080", "http://127.0.0.1:9009/new", False),
    ],
)
def test_a_url_with_another_path_keeps_the_destination(asked: bytes, url: str, kept: bool) -> None:
    flow, cluster = flow_of(), Cluster("b", "v1", 80, (Endpoint("127.0.0.1", 9001),))
    decision = Decision(
        Action.ROUTE, cluster=cluster, endpoint=cluster.endpoints[0], request=replace(DECIDED, authority=asked)
    )
    flow.request.url = url
    given = flow.request.data.scheme, flow.request.data.host, flow.request.data.port
    keep_destination(flow, decision)
    data = flow.request.data
    assert (data.scheme, data.host, data.port) == ((b"http", "127.0.0.1", 9001) if kept else given)
    assert data.path.startswith(b"/new")


def test_without_an_endpoint_there_is_nothing_to_keep() -> None:
    flow = flow_of()
    flow.request.url = "http://b.test/new"
    for decision in (Decision(Action.NOT_FOUND), Decision(Action.ROUTE, request=DECIDED)):
        keep_destination(flow, decision)
        assert flow.request.data.host == "b.test"


def test_killed() -> None:
    flow = tflow.tflow(err=True)
    assert not is_killed(flow)
    flow.error = None
    assert not is_killed(flow)
    flow.live = True
    flow.kill()
    assert is_killed(flow)


def test_a_response_is_kept_as_it_came() -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.response.trailers = http.Headers(t="1")
    message = flow.response
    came = response_as_it_came(flow)
    flow.response.status_code, flow.response.content, flow.response.trailers = 404, b"x", None
    assert came == (message, 200, b"message", ((b"t", b"1"),))
    assert response_as_it_came(flow).trailers == ()
