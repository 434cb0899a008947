from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.flows import heads
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request

OWN = b"192.0.2.1"
V1 = Endpoint("127.0.0.1", 9001)
CLUSTER = Cluster("b.default.svc.cluster.local", "v1", 80, (V1,))


def flow_of(
    *fields: tuple[bytes, bytes],
    method: bytes = b"GET",
    authority: bytes = b"",
    path: bytes = b"/a?b",
    version: bytes = b"HTTP/1.1",
    content: bytes | None = b"",
    peer: str = "198.51.100.7",
    tls: bool = False,
) -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.request = http.Request(
        host="before.test",
        port=8080,
        method=method,
        scheme=b"http",
        authority=authority,
        path=path,
        http_version=version,
        headers=http.Headers(fields),
        content=content,
        trailers=None,
        timestamp_start=0,
        timestamp_end=0,
    )
    flow.client_conn.peername = (peer, 1)
    flow.client_conn.timestamp_tls_setup = 1 if tls else None
    flow.client_conn.tls = tls
    return flow


def test_read_takes_host_out_of_the_fields() -> None:
    flow = flow_of((b"A", b"1"), (b"hOsT", b"a.test:81"), (b"B", b"\xff"), (b"Host", b"second"), (b"A", b"2"))
    request = heads.read_request(flow, OWN)
    assert request.authority == b"a.test:81"
    assert request.headers == ((b"A", b"1"), (b"B", b"\xff"), (b"A", b"2"))
    assert (request.method, request.scheme, request.path, request.port) == (b"GET", b"http", b"/a?b", 81)
    assert request.client == b"198.51.100.7"


def test_read_prefers_the_targets_own_authority() -> None:
    flow = flow_of((b"Host", b"other.test"), authority=b"a.test", version=b"HTTP/2.0", tls=True)
    request = heads.read_request(flow, OWN)
    assert (request.authority, request.scheme, request.port) == (b"a.test", b"https", 443)


def test_read_joins_the_crumbs_of_an_http2_cookie() -> None:
    fields = ((b"a", b"1"), (b"cookie", b"x=1"), (b"b", b"2"), (b"cookie", b"y=2"))
    assert heads.read_request(flow_of(*fields, version=b"HTTP/2.0"), OWN).headers == (
        (b"a", b"1"),
        (b"cookie", b"x=1; y=2"),
        (b"b", b"2"),
    )
    assert heads.read_request(flow_of(*fields), OWN).headers == fields


def test_write_keeps_place_and_case_of_host() -> None:
    flow = flow_of((b"A", b"1"), (b"hOsT", b"a.test"), (b"B", b"2"), authority=b"a.test")
    request = heads.read_request(flow, OWN)
    request.authority, request.path = b"rewritten.test", b"//x"
    heads.write_request(flow, request, CLUSTER, V1)
    data = flow.request.data
    assert (data.host, data.port, data.scheme, data.path, data.authority) == (
        "127.0.0.1",
        9001,
        b"http",
        b"//x",
        b"",
    )
    assert data.headers.fields == ((b"A", b"1"), (b"hOsT", b"rewritten.test"), (b"B", b"2"))


def test_write_http2_keeps_the_pseudo_header() -> None:
    flow = flow_of((b"a", b"1"), authority=b"a.test", version=b"HTTP/2.0")
    heads.write_request(flow, heads.read_request(flow, OWN), CLUSTER, V1)
    assert flow.request.data.authority == b"a.test"
    assert flow.request.data.headers.fields == ((b"a", b"1"),)


def test_write_leaves_the_original_destination() -> None:
    flow = flow_of((b"Host", b"a.test"))
    request = heads.read_request(flow, OWN)
    request.path = b"/new"
    heads.write_request(flow, request, CLUSTER, ORIGINAL_DESTINATION)
    data = flow.request.data
    assert (data.host, data.port, data.path) == ("before.test", 8080, b"/new")


def test_write_speaks_tls_to_a_tls_cluster() -> None:
    flow = flow_of((b"Host", b"a.test"))
    cluster = Cluster("b", "", 443, (V1,), tls=TLS())
    heads.write_request(flow, heads.read_request(flow, OWN), cluster, V1)
    assert flow.request.scheme == "https"


def test_in_upstream_mode_a_routed_request_leaves_directly_and_without_the_proxys_credentials() -> None:
    flow = flow_of((b"Host", b"a.test"), (b"Proxy-Authorization", b"Basic eA=="), (b"x", b"1"))
    shared = flow.server_conn
    shared.via = ("http", ("proxy.test", 3128))
    read = heads.read_request(flow, OWN)
    assert read.headers == ((b"x", b"1"),)
    heads.write_request(flow, read, Cluster("b", "", 80, (V1,)), V1)
    assert flow.server_conn is not shared and flow.server_conn.via is None
    assert shared.via == ("http", ("proxy.test", 3128))
    assert flow.request.headers.fields == ((b"Host", b"a.test"), (b"x", b"1"))


def test_frame_body_of_http2() -> None:
    flow = flow_of(authority=b"a.test", version=b"HTTP/2.0", content=b"abc")
    flow.request.trailers = http.Headers(t="1")
    heads.frame_body(flow, decision_to())
    assert flow.request.headers["content-length"] == "3"
    assert flow.request.trailers is None


def test_frame_body_leaves_a_framed_one() -> None:
    flow = flow_of((b"content-length", b"3"), version=b"HTTP/2.0", content=b"abc")
    heads.frame_body(flow, decision_to())
    assert flow.request.headers.fields == ((b"content-length", b"3"),)


@pytest.mark.parametrize(("content", "fields"), [(b"", ()), (b"abc", ((b"content-length", b"3"),))])
def test_frame_body_of_what_was_framed_as_a_stream_and_is_none(content: bytes, fields: object) -> None:
    flow = flow_of(version=b"HTTP/2.0", content=content)
    heads.frame_stream(flow, decision_to())
    heads.frame_body(flow, decision_to())
    assert flow.request.headers.fields == fields


@pytest.mark.parametrize("content", [None, b"abc"])
def test_frame_body_of_what_was_streamed(content: bytes | None) -> None:
    """And stored, with `store_streamed_bodies`: its head is sent. Trailers are still to be."""
    flow = flow_of(version=b"HTTP/2.0", content=content)
    flow.request.stream = True
    flow.request.trailers = http.Headers(t="1")
    heads.frame_stream(flow, decision_to())
    heads.frame_body(flow, decision_to())
    assert flow.request.headers.fields == ((b"transfer-encoding", b"chunked"),)
    assert flow.request.trailers is None


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/3"])
def test_frame_stream(version: bytes) -> None:
    flow = flow_of(version=version, content=None)
    heads.frame_stream(flow, decision_to())
    assert flow.request.headers["transfer-encoding"] == "chunked"


def decision_to(protocol: str = "http", content_type: bytes = b"") -> Decision:
    cluster = Cluster("b.default.svc.cluster.local", "v1", 443, (V1,), protocol, TLS())
    fields = ((b"content-type", content_type),) if content_type else ()
    request = Request(b"POST", b"https", b"b.test", b"/", fields, 443)
    return Decision(action=Action.ROUTE, request=request, cluster=cluster, endpoint=V1)


def test_an_upstream_behind_tls_may_speak_http1_or_2() -> None:
    """A length is right in both, a chunked stream in one alone."""
    flow = flow_of(version=b"HTTP/2.0", content=b"abc")
    flow.request.scheme = "https"
    heads.frame_stream(flow, decision_to())
    assert flow.request.headers.fields == ()
    flow.request.trailers = http.Headers(t="1")
    heads.frame_body(flow, decision_to())
    assert flow.request.headers.fields == ((b"content-length", b"3"),)
    assert flow.request.trailers


@pytest.mark.parametrize(
    "decision", [decision_to("http2"), decision_to("grpc"), decision_to(content_type=b"application/grpc+proto")]
)
def test_an_upstream_that_speaks_http2_needs_no_frame(decision: Decision) -> None:
    flow = flow_of(version=b"HTTP/2.0", content=b"abc")
    flow.request.scheme = "https"
    heads.frame_stream(flow, decision)
    heads.frame_body(flow, decision)
    assert flow.request.headers.fields == ()


@pytest.mark.parametrize(
    ("protocol", "content_type", "detects"),
    [("http2", b"", False), ("grpc-web", b"", False), ("http", b"application/grpc", True)],
)
def test_without_tls_the_port_says_that_it_is_http2_or_a_grpc_request_does(
    protocol: str, content_type: bytes, detects: bool
) -> None:
    decision = decision_to(protocol, content_type)
    assert decision.cluster
    decision.cluster.tls, decision.cluster.detects_protocol = None, detects
    flow = flow_of(version=b"HTTP/2.0", content=b"abc")
    flow.request.trailers = http.Headers(t="1")
    heads.frame_stream(flow, decision)
    heads.frame_body(flow, decision)
    assert (flow.request.headers.fields, flow.request.trailers) == ((), http.Headers(t="1"))


def test_a_port_that_says_http_is_http1_for_grpc_too() -> None:
    flow = flow_of(version=b"HTTP/2.0", content=b"abc")
    heads.frame_stream(flow, decision_to(content_type=b"application/grpc"))
    assert flow.request.headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize("frame", [heads.frame_body, heads.frame_stream])
@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_http1_is_framed_by_its_client(frame: Callable[[http.HTTPFlow, Decision], None], version: bytes) -> None:
    flow = flow_of(version=version, content=b"abc")
    frame(flow, decision_to())
    assert flow.request.headers.fields == ()


@pytest.mark.parametrize(
    ("fields", "upgrade"),
    [
        (((b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"websocket")), True),
        (((b"Upgrade", b"websocket"),), False),
        (((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AA")), False),
        (((b"Connection", b"upgrade"),), False),
    ],
)
def test_is_upgrade(fields: tuple[tuple[bytes, bytes], ...], upgrade: bool) -> None:
    assert heads.is_upgrade(flow_of(*fields)) is upgrade


@pytest.mark.parametrize(("method", "body"), [(b"GET", b"no\n"), (b"HEAD", b"")])
def test_answer(method: bytes, body: bytes) -> None:
    flow = flow_of(method=method)
    flow.request.stream = True
    heads.answer(flow, LocalResponse(503, ((b"x-a", b"1"), (b"x-a", b"2")), b"no\n"))
    assert flow.response and flow.response.status_code == 503
    assert flow.response.raw_content == body
    assert flow.response.headers["content-length"] == "3"
    assert flow.response.headers.get_all("x-a") == ["1", "2"]
    assert flow.request.stream is False


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, "3"), (200, "3")])
def test_an_answer_without_body_does_not_send_one(status: int, length: str | None) -> None:
    flow = flow_of()
    heads.answer(flow, LocalResponse(status, (), b"no\n"))
    assert flow.response
    assert flow.response.raw_content == (b"no\n" if status == 200 else b"")
    assert flow.response.headers.get("content-length") == length


def test_a_primary_at_a_unix_socket_gets_advice() -> None:
    reply = heads.no_unix_sockets(Cluster("b", "v1", 80, (), label="b/v1"), Endpoint("unix:///run/b.sock", 0))
    assert reply.status == 503
    assert reply.body == (
        b"b/v1 listens on unix:///run/b.sock, and mitmproxy cannot connect to a Unix socket.\n"
        b"Set a TCP address: --set mirror_endpoints=b/v1=ADDRESS:PORT\n"
    )


def test_a_request_id_is_added_where_there_is_none() -> None:
    plain = Request(b"GET", b"http", b"b.test", b"/", ((b"a", b"1"),), 80)
    heads.give_request_id(plain)
    assert plain.headers[0] == (b"a", b"1")
    ((name, value),) = plain.headers[1:]
    assert name == b"x-request-id" and UUID(value.decode()).version == 4
    named = Request(b"GET", b"http", b"b.test", b"/", ((b"X-Request-Id", b""),), 80)
    heads.give_request_id(named)
    assert named.headers == ((b"X-Request-Id", b""),)


def test_a_request_without_host_gets_one_in_the_first_place() -> None:
    flow = flow_of((b"a", b"1"), authority=b"b.test")
    request = Request(b"GET", b"http", b"new.test", b"/x", ((b"a", b"1"),), 80)
    heads.write_request(flow, request, CLUSTER, V1)
    assert flow.request.headers.fields == ((b"Host", b"new.test"), (b"a", b"1"))
    assert (flow.request.authority, flow.request.path) == ("", "/x")
