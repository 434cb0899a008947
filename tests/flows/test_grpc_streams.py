from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.flows import grpc_streams
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.primary import primary_end
from mirror_addon.host.upstream_clock import exchange_times
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable


def exchange() -> Exchange:
    request = Request(b"POST", b"http", b"b.test", b"/a.B/C", (), 80)
    return Exchange(RouteTable.build((), Identity()), request, 1, Decision(Action.PASSTHROUGH))


def flow_of(content_type: str, version: bytes = b"HTTP/2.0", method: bytes = b"POST") -> http.HTTPFlow:
    flow = tflow.tflow(resp=True)
    flow.request.data.method, flow.request.data.http_version, flow.request.data.content = method, version, None
    assert flow.response
    flow.response.data.http_version, flow.response.data.content = b"HTTP/2.0", None
    for message in (flow.request, flow.response):
        message.headers = http.Headers(((b"Content-Type", content_type.encode()),))
    return flow


@pytest.mark.parametrize(
    ("content_type", "version", "method", "grpc", "request_streams"),
    [
        ("application/grpc", b"HTTP/2.0", b"POST", True, True),
        ("application/grpc+proto", b"HTTP/2.0", b"POST", True, True),
        ("application/grpc-web+proto", b"HTTP/2.0", b"POST", True, False),
        ("application/grpc", b"HTTP/1.1", b"POST", True, False),
        ("application/json", b"HTTP/2.0", b"POST", False, False),
        ("application/grpc", b"HTTP/2.0", b"GET", False, False),
    ],
)
def test_what_is_streamed(content_type: str, version: bytes, method: bytes, grpc: bool, request_streams: bool) -> None:
    flow, of = flow_of(content_type, version, method), exchange()
    assert grpc_streams.is_grpc(flow.request) is grpc
    if grpc:
        grpc_streams.stream_request(flow, of, gather=False)
        assert callable(flow.request.stream) is request_streams is of.grpc
    grpc_streams.stream_response(flow, of)
    assert flow.response
    assert callable(flow.response.stream) is content_type.startswith("application/grpc")
    chunked = version == b"HTTP/1.1"
    assert ("transfer-encoding" in flow.response.headers) is chunked
    if chunked:
        assert of.answer_fields == ((b"Content-Type", content_type.encode()),)


def test_the_flow_gets_the_copies() -> None:
    flow, of = flow_of("application/grpc"), exchange()
    grpc_streams.stream_request(flow, of, gather=False)
    grpc_streams.stream_response(flow, of)
    assert flow.response and callable(flow.request.stream) and callable(flow.response.stream)
    flow.request.stream(b"asked")
    flow.response.stream(b"answered")
    grpc_streams.keep_request(flow, of)
    grpc_streams.keep_response(flow, of)
    assert (flow.request.raw_content, flow.response.raw_content) == (b"asked", b"answered")
    flow.response.data.content = None
    of.response_copy = grpc_streams.BodyCopy(3)
    of.response_copy(b"answered")
    grpc_streams.keep_response(flow, of)
    answer = primary_end(flow, of, 100, exchange_times(flow, flow.response)).answer
    assert (answer.body, answer.bytes) == (b"ans", 8)


def test_gathered_or_anothers() -> None:
    flow, of = flow_of("application/grpc"), exchange()
    grpc_streams.stream_request(flow, of, gather=True)
    assert (of.grpc, of.request_copy, flow.request.stream) == (True, None, False)

    def theirs(chunk: bytes) -> bytes:
        return chunk

    flow.request.stream = flow.response.stream = theirs  # type: ignore[union-attr]
    grpc_streams.stream_request(flow, of, gather=False)
    grpc_streams.stream_response(flow, of)
    assert flow.request.stream is theirs and flow.response and flow.response.stream is theirs
    grpc_streams.keep_request(flow, of)
    grpc_streams.keep_response(flow, of)
    assert flow.request.raw_content is None and flow.response.raw_content is None
