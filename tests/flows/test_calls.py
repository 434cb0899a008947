from __future__ import annotations

import gzip

import pytest
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from sandboxtools import call_flow
from sandboxtools import exchange_of
from sandboxtools import respond

from mirror_addon.flows import calls as module
from mirror_addon.flows.body_copy import BodyCopy
from mirror_addon.flows.calls import answer_as
from mirror_addon.flows.calls import block
from mirror_addon.flows.calls import call_of
from mirror_addon.flows.calls import head_of_call
from mirror_addon.flows.calls import response_of
from mirror_addon.sandbox.call import KeptResponse

KEPT = KeptResponse(201, b"Created", ((b"Content-Type", b"text/plain"), (b"Connection", b"close")), b"body")


def test_a_flow_as_a_call() -> None:
    flow = call_flow(path="/charges?a=1", fields={"content-encoding": "gzip"})
    call = call_of(flow, head_of_call(exchange_of(flow).request))
    assert (call.url, call.verb, call.body) == ("http://pay.test/charges?a=1", "POST", b'{"amount": 10}')
    assert (call.content_type, call.content_encoding) == (b"application/json", b"gzip")
    assert call_of(call_flow(body=None), call).body is None


def test_what_a_call_was_answered() -> None:
    flow = respond(call_flow())
    assert flow.response
    flow.response.trailers = http.Headers([(b"grpc-status", b"0")])
    kept, lost = response_of(flow, exchange_of(flow), 0.5)
    assert kept is not None and not lost
    assert (kept.status, kept.reason, kept.body, kept.seconds) == (201, b"Created", b'{"charge": 1}', 0.5)
    assert kept.trailers == ((b"grpc-status", b"0"),)


def test_what_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = call_flow()
    exchange = exchange_of(flow)
    assert response_of(flow, exchange, 0.0) == (None, "unanswered")
    flow.error = mitm_flow.Error("Client disconnected.")
    assert response_of(flow, exchange, 0.0) == (None, "unanswered")
    flow.error = mitm_flow.Error("Connection refused")
    kept, _ = response_of(flow, exchange, 0.0)
    assert kept is not None and (kept.status, kept.body) == (502, b"502 Bad Gateway: Connection refused\n")
    assert response_of(respond(flow), exchange, 0.0) == (None, "unanswered")  # cut off
    flow.error = None
    assert flow.response
    flow.response.data.content = None
    assert response_of(flow, exchange, 0.0) == (None, "streamed")
    assert response_of(respond(flow, status=101), exchange, 0.0) == (None, "upgrade")
    exchange.response_copy = BodyCopy(3)
    exchange.response_copy(b"abcd")
    assert response_of(respond(flow, b"abc"), exchange, 0.0) == (None, "too_large")
    exchange.response_copy = None
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    assert response_of(respond(flow, b"abc"), exchange, 0.0) == (None, "too_large")


def test_the_mirror_is_answered_the_same() -> None:
    flow = call_flow()
    answer_as(flow, KEPT)
    assert flow.response
    assert (flow.response.status_code, flow.response.reason, flow.response.content) == (201, "Created", b"body")
    assert dict(flow.response.headers) == {"Content-Type": "text/plain", "content-length": "4"}
    head = call_flow("HEAD", body=b"")
    answer_as(head, KEPT._replace(headers=((b"content-length", b"4"),), body=b""))
    assert head.response and head.response.headers["content-length"] == "4"
    empty = call_flow()
    answer_as(empty, KEPT._replace(status=204, body=b""))
    assert empty.response and "content-length" not in empty.response.headers


def test_trailers_are_for_http2() -> None:
    kept = KEPT._replace(trailers=((b"grpc-status", b"0"),))
    old, new = call_flow(), call_flow(version="HTTP/2.0")
    answer_as(old, kept)
    answer_as(new, kept)
    assert old.response and old.response.trailers is None and old.response.headers["content-length"] == "4"
    assert new.response and new.response.trailers and "content-length" not in new.response.headers


@pytest.mark.parametrize(("accepts", "coded"), [("gzip, br", True), ("", False)])
def test_a_coding_that_the_mirror_did_not_ask_for_is_undone(accepts: str, coded: bool) -> None:
    flow = call_flow(fields={"accept-encoding": accepts} if accepts else {})
    body = gzip.compress(b"body")
    answer_as(flow, KEPT._replace(headers=((b"content-encoding", b"gzip"),), body=body))
    assert flow.response
    assert flow.response.raw_content == (body if coded else b"body")
    assert flow.response.headers["content-length"] == str(len(body) if coded else 4)


def test_blocked_calls() -> None:
    flow = call_flow()
    block(flow, "why \N{BULLET}")
    assert flow.response and (flow.response.status_code, flow.response.reason) == (599, "Blocked by the sandbox")
    assert flow.response.text == "mirror_addon's sandbox: why \N{BULLET}\n"
    grpc = call_flow(version="HTTP/2.0", fields={"content-type": "application/grpc"})
    block(grpc, "100 % no")
    assert grpc.response and grpc.response.status_code == 200
    assert dict(grpc.response.headers)["grpc-status"] == "9"
    assert dict(grpc.response.headers)["grpc-message"] == "mirror_addon's sandbox: 100 %25 no"
