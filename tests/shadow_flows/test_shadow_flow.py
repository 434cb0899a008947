from __future__ import annotations

import re

import pytest
from mitmproxy.flow import Error
from mitmproxy.http import Headers
from mitmproxy.utils.emoji import emoji
from pairtools import pair_of
from pairtools import primary_flow
from pairtools import result_of
from pairtools import shadow_request

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import DIFFERENT_MARKER
from mirror_addon.shadow_flows.shadow_flow import FAILED_MARKER
from mirror_addon.shadow_flows.shadow_flow import MARKER
from mirror_addon.shadow_flows.shadow_flow import MARKERS
from mirror_addon.shadow_flows.shadow_flow import ExpectedShadow
from mirror_addon.shadow_flows.shadow_flow import comment
from mirror_addon.shadow_flows.shadow_flow import count_in_words
from mirror_addon.shadow_flows.shadow_flow import make_flow
from mirror_addon.shadow_flows.shadow_flow import outcome
from mirror_addon.shadow_flows.shadow_flow import status_of

ONE = Difference("$.a", "value", 1, 2)
NOISE = Difference("$.t", "value", 1, 2, "time")


def test_the_flow_has_what_was_sent_and_answered() -> None:
    primary = primary_flow()
    shadow = shadow_request(primary)
    shadow.adaptions = ("obs_fold",)
    expected = ExpectedShadow(shadow, primary, b"body")
    flow = make_flow(expected, result_of(shadow, b"answer", connect_ms=2.0))
    assert flow.id == expected.flow_id
    assert flow.request.headers.fields == ((b"Host", b"shop.test-shadow"), *shadow.headers)
    assert (flow.request.method, flow.request.path, flow.request.content) == ("GET", "/x", b"body")
    assert flow.response and (flow.response.status_code, flow.response.content) == (200, b"answer")
    assert flow.server_conn.address == ("127.0.0.1", 9002)
    assert flow.request.timestamp_end and flow.response.timestamp_end
    assert flow.response.timestamp_end - flow.request.timestamp_end == pytest.approx(0.061, abs=1e-5)
    assert flow.response.timestamp_start - flow.request.timestamp_end == pytest.approx(0.060, abs=1e-5)
    assert (flow.marked, flow.is_replay) == (":ghost:", "request")
    assert flow.metadata[meta.PRIMARY_KEY] == primary.id
    assert flow.metadata[meta.ADAPTIONS_KEY] == ["obs_fold"]
    assert primary.timestamp_created < flow.timestamp_created < primary.timestamp_created + 0.001


def test_http2_has_its_authority_where_it_belongs() -> None:
    primary = primary_flow()
    shadow = shadow_request(primary)
    flow = make_flow(ExpectedShadow(shadow, primary, None), result_of(shadow, http_version="HTTP/2"))
    assert flow.request.authority == "shop.test-shadow"
    assert "host" not in flow.request.headers
    assert flow.request.raw_content is None


@pytest.mark.parametrize(
    ("comparison", "words"),
    [
        (Comparison("same"), "same"),
        (Comparison("noise", (NOISE,)), "no difference that counts"),
        (Comparison("different", (ONE,)), "1 difference"),
        (Comparison("different", (ONE, ONE, NOISE)), "2 differences"),
        (Comparison("different", (ONE, NOISE), more=7), "1 difference"),
        (Comparison("different", (ONE,) * 100, more=7), "100+ differences"),
        (Comparison("failed"), ""),
        (Comparison(None), ""),
    ],
)
def test_how_many_differences(comparison: Comparison, words: str) -> None:
    assert count_in_words(comparison) == words


def paths(*names: str, more: int = 0) -> Comparison:
    return Comparison("different", (*(Difference(name, "value", 1, 2) for name in names), NOISE), more=more)


@pytest.mark.parametrize(
    ("comparison", "marker", "begin"),
    [
        (paths("status"), DIFFERENT_MARKER, "different: status; "),
        (paths("status", "$.a"), DIFFERENT_MARKER, "different: status, $.a; "),
        (paths("$.a", "$.a", "$.b", "$.c", more=3), DIFFERENT_MARKER, "different: $.a, $.b +4; "),
        (paths("$." + "x" * 100), DIFFERENT_MARKER, f"different: $.{'x' * 38}…; "),
        (paths("$.\x1b[31m\u202e"), DIFFERENT_MARKER, "different: $.\\x1b[31m\\u202e; "),
        (Comparison("same"), MARKER, ""),
        (Comparison("noise", (NOISE,)), MARKER, ""),
        (Comparison(None), MARKER, ""),
        (None, MARKER, ""),
    ],
)
def test_the_outcome_at_a_glance(comparison: Comparison | None, marker: str, begin: str) -> None:
    primary = primary_flow()
    shadow = shadow_request(primary)
    flow = make_flow(ExpectedShadow(shadow, primary, b""), result_of(shadow))
    assert outcome(flow, primary, comparison) == (marker, begin)


def test_statuses_that_differ_where_nothing_was_compared() -> None:
    primary = primary_flow(status=201)
    shadow = shadow_request(primary)
    flow = make_flow(ExpectedShadow(shadow, primary, b""), result_of(shadow))
    assert outcome(flow, primary, None) == (DIFFERENT_MARKER, "different: status; ")
    primary.response = None
    assert outcome(flow, primary, None) == (MARKER, "")


def test_all_markers_are_found_by_one_filter() -> None:
    assert all(re.search("ghost", marker) for marker in MARKERS)
    assert [emoji.get(marker) for marker in sorted(MARKERS)] == ["👻", None, None], "the others are shown as a dot"


def test_comments() -> None:
    primary = primary_flow()
    shadow = shadow_request(primary)
    flow = make_flow(ExpectedShadow(shadow, primary, b""), result_of(shadow))
    start = f"shadow of {primary.id[:4]} -> b/v2 · "
    assert comment(flow, primary, pair_of(primary, result_of(shadow)).comparison) == (
        f"different: $.total; {start}200 vs 200 · 1 difference · +41 ms"
    )
    assert comment(flow, primary, None) == start + "200 vs 200 · +41 ms"
    cut = make_flow(ExpectedShadow(shadow, primary, b""), result_of(shadow, b"ab", bytes=9))
    assert comment(cut, primary, None).endswith(" · body cut at 2 of 9 bytes")
    cut.metadata[meta.CONTROL_KEY] = True
    assert comment(cut, primary, None).startswith(f"control of {primary.id[:4]} -> ")


def test_the_status_of_a_flow_in_words() -> None:
    flow = primary_flow()
    assert status_of(flow) == "200"
    flow.response = None
    assert status_of(flow) == "no response"
    flow.error = Error("timeout")
    assert status_of(flow) == "failed"


def test_flows_share_nothing_but_the_client() -> None:
    """Messages are copies of a blank one: what one flow changes must not be in the next."""
    primary = primary_flow()
    shadow = shadow_request(primary)
    first, second = (make_flow(ExpectedShadow(shadow, primary, b"a"), result_of(shadow)) for _ in range(2))
    assert first.response and second.response
    before = second.get_state()
    for message in (first.request, first.response):
        message.headers["x-new"] = "1"
        message.content = b"other"
        message.trailers = Headers()
    first.request.path = "/other"
    assert second.get_state() == before
    assert set(vars(first.request.data)) == set(vars(primary.request.data))
    assert primary.response and set(vars(first.response.data)) == set(vars(primary.response.data))


def test_a_failed_shadow_says_why() -> None:
    primary = primary_flow()
    shadow = shadow_request(primary)
    result = result_of(shadow, status=None, outcome="failed", reason="connect", detail="refused")
    flow = make_flow(ExpectedShadow(shadow, primary, b""), result)
    assert flow.error and flow.error.msg == "connect: refused"
    assert flow.response is None
    assert comment(flow, primary, None) == (
        f"failed: connect; shadow of {primary.id[:4]} -> b/v2 · 200 vs failed: connect"
    )
    assert outcome(flow, primary, None)[0] == FAILED_MARKER


def test_a_request_that_the_worker_changed() -> None:
    primary = primary_flow()
    shadow = shadow_request(primary)
    for body, expected in ((b"new", b"new"), (None, b"old")):
        result = result_of(shadow, request=(b"/orders/8", ((b"A", b"b"),), body))
        flow = make_flow(ExpectedShadow(shadow, primary, b"old"), result)
        assert (flow.request.path, flow.request.content) == ("/orders/8", expected)
        assert flow.request.headers.fields == ((b"Host", b"shop.test-shadow"), (b"A", b"b"))
    assert shadow.path == b"/x"
