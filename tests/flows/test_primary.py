from __future__ import annotations

import pytest
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.test import tflow

from mirror_addon.compare.answer import Answer
from mirror_addon.flows import primary
from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.leaving import response_as_it_came
from mirror_addon.flows.primary import PrimaryEnd
from mirror_addon.host.upstream_clock import exchange_times
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

REQUEST = Request(b"GET", b"http", b"b.test", b"/x", (), 80)
HEADERS = ((b"Content-Length", b"4"), (b"X-Dup", b"\xff"))


def exchange() -> Exchange:
    return Exchange(RouteTable.build((), Identity()), REQUEST, 1, Decision(Action.PASSTHROUGH))


def ended(of: http.HTTPFlow, exchange: Exchange, limit: int) -> PrimaryEnd:
    message = exchange.answer.message if exchange.answer is not None else of.response
    return primary.primary_end(of, exchange, limit, exchange_times(of, message))


def flow(body: bytes | None = b"body", status: int = 200) -> http.HTTPFlow:
    made = tflow.tflow(resp=True)
    assert made.response
    made.request.timestamp_end = 100.0
    made.server_conn.timestamp_start = None
    made.response = http.Response(b"HTTP/1.1", status, b"", http.Headers(HEADERS), body, None, 100.5, 101.0)
    return made


def failed(text: str, *, connected: bool = True) -> http.HTTPFlow:
    made = flow()
    made.response = None
    made.error = mitm_flow.Error(text)
    made.server_conn.timestamp_tcp_setup = 1.0 if connected else None
    return made


def test_an_answer() -> None:
    end = ended(flow(), exchange(), 1000)
    assert end == (Answer(200, HEADERS, b"body", 4, 1000.0, first_ms=500.0), "")


def test_a_body_is_cut_and_its_length_is_not() -> None:
    answer = ended(flow(), exchange(), 3).answer
    assert (answer.body, answer.bytes) == (b"bod", 4)


def test_where_nothing_is_compared_only_numbers_are_kept() -> None:
    assert ended(flow(), exchange(), 0).answer == Answer(200, (), None, 4, 1000.0, first_ms=500.0)


def test_the_header_before_the_routes_edits_counts() -> None:
    known = exchange()
    known.answer_fields = ((b"A", b"b"),)
    assert ended(flow(), known, 9).answer.headers == ((b"A", b"b"),)


def test_a_streamed_body_is_said() -> None:
    answer, note = ended(flow(None), exchange(), 1000)
    assert (answer.body, answer.bytes) == (None, 4)
    assert "streamed" in note


@pytest.mark.parametrize(
    ("text", "connected", "word"),
    [
        (mitm_flow.Error.KILLED_MESSAGE, True, "killed"),
        ("Client disconnected.", True, "client_gone"),
        ("stream reset by client (CANCEL)", True, "client_gone"),
        ("Connect call failed ('127.0.0.1', 9)", False, "connect"),
        ("server closed connection", True, "reset"),
        ("read timed out", True, "timeout"),
        ("Invalid header", True, "protocol"),
    ],
)
def test_failures_in_a_word(text: str, connected: bool, word: str) -> None:
    assert ended(failed(text, connected=connected), exchange(), 9).answer == Answer(None, error=word)


def test_an_answer_that_broke_off_keeps_its_status() -> None:
    broken = flow()
    broken.error = mitm_flow.Error("server closed connection")
    answer = ended(broken, exchange(), 9).answer
    assert (answer.status, answer.error) == (200, "reset")


def test_a_flow_that_never_ended() -> None:
    silent = flow()
    silent.response = None
    assert ended(silent, exchange(), 9).answer == Answer(None, error="unanswered")


def test_trailers_are_fields_too() -> None:
    """A worker has those of HTTP/2 among the fields of the shadow's response."""
    with_trailers = flow()
    assert with_trailers.response
    with_trailers.response.trailers = http.Headers([(b"grpc-status", b"0")])
    assert ended(with_trailers, exchange(), 100).answer.headers == (*HEADERS, (b"grpc-status", b"0"))


@pytest.mark.parametrize("replaced", [False, True])
def test_what_addons_change_in_a_response_is_not_compared(replaced: bool) -> None:
    known, changed = exchange(), flow()
    assert changed.response
    known.answer_fields, known.answer = changed.response.headers.fields, response_as_it_came(changed)
    if replaced:
        changed.response = http.Response.make(404, b"of a script", {"x": "y"})
        changed.response.trailers = http.Headers(t="1")
    else:
        changed.response.status_code = 404
        changed.response.text = "of a script"
        changed.response.headers["x"] = "y"
        changed.response.trailers = http.Headers(t="1")
    assert ended(changed, known, 1000) == (Answer(200, HEADERS, b"body", 4, 1000.0, first_ms=500.0), "")


@pytest.mark.parametrize("length", ["\u00b2", "\u0664", "9" * 5000])
def test_a_length_that_is_no_number(length: str) -> None:
    odd = flow(None)
    assert odd.response
    odd.response.headers["content-length"] = length
    assert ended(odd, exchange(), 9).answer.bytes == 0
