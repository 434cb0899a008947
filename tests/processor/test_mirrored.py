from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.processor import mirrored
from mirror_addon.processor.exchange import End

MIB = 1024 * 1024
V1 = "outbound|0||v1.default.svc.cluster.local"
V2 = "outbound|0||v2.default.svc.cluster.local"
WEIGHTS = "default/shop http[4] match[0] sampled"
UNKNOWN = "default/shop http[3] match[0]"
WHEN = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default, annotations: {mirror-addon/when: "%s"}}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: v1}}]
    mirror: {host: m1}
"""
FIRST = "default/shop http[0]"


async def test_a_request_without_a_body(told: Any) -> None:
    assert told.request("/x?q", (b"a", b"1"))
    (first, body), (second, _) = told.dispatcher.offers
    assert (first.target.label, second.target.label) == ("m1", "m2")
    assert (first.method, first.path, first.authority, body) == (b"GET", b"/served/x?q", b"shop.test-shadow", b"")
    assert first.headers == ((b"x-forwarded-for", b"198.51.100.7,192.0.2.1"), (b"a", b"1"))
    told.answer(b"201", (b"x", b"y"), (b"x-envoy-upstream-service-time", b"3"))
    told.body(b"par", answer=True)
    assert not told.body(b"ts", end=True, answer=True)
    (primary, answer, note) = told.dispatcher.answers[0]
    assert (answer.status, answer.headers, answer.body, answer.bytes) == (201, ((b"x", b"y"),), b"parts", 5)
    assert (answer.error, answer.clock, note, primary.answered) == ("", "program", "", True)
    assert answer.ms >= answer.first_ms >= 0
    assert (told.ended, told.dispatcher.free) == ({End.COMPLETE: 1}, told.dispatcher.settings.queue)
    told.dispatcher.respond()
    assert [(pair.target, pair.primary_status, pair.url) for pair in told.pairs] == [
        ("m1", 201, "http://shop.test/x?q"),
        ("m2", 201, "http://shop.test/x?q"),
    ]
    told.engine.book.check()


async def test_a_counted_body_leaves_counted_and_any_other_chunked(told: Any) -> None:
    told.request("/x", (b"content-length", b"4"), method=b"POST", end=False)
    told.body(b"bo")
    assert told.dispatcher.offers == []
    told.body(b"dy", end=True)
    told.begin()
    told.request("/x", method=b"POST", end=False)
    told.body(b"body")
    told.body(b"", end=True)
    framings = [
        (dict(shadow.headers).keys() & {b"content-length", b"transfer-encoding"}, body)
        for shadow, body in told.dispatcher.offers[::2]
    ]
    assert framings == [({b"content-length"}, b"body"), ({b"transfer-encoding"}, b"body")]


async def test_a_long_body_is_passed_on_as_it_comes(told: Any) -> None:
    told.request("/x", (b"content-length", b"%d" % MIB), method=b"PUT", end=False)
    pieces = [bytes(200_000), bytes(200_000), bytes(MIB - 400_000)]
    for piece in pieces:
        told.body(piece)
    told.body(b"", end=True)
    (request, upload), _ = told.dispatcher.uploads
    assert dict(request.headers)[b"content-length"] == b"%d" % MIB
    assert (b"".join(upload.pieces), upload.ended) == (bytes(MIB), ())
    assert told.dispatcher.free == told.dispatcher.settings.queue


async def test_an_upload_that_is_cut(told: Any) -> None:
    told.request("/x", method=b"PUT", end=False)
    told.body(bytes(300_000))
    told.stream.closed()
    assert told.dropped == {"aborted": 2}
    assert [answer.error for _, answer, _ in told.dispatcher.answers] == ["unanswered"]
    told.engine.book.check()


async def test_a_small_request_that_is_cut_was_not_to_be_mirrored(told: Any) -> None:
    told.request("/x", method=b"PUT", end=False)
    told.body(b"par")
    told.stream.closed(lost=True)
    assert (told.skipped, told.dispatcher.offers, told.ended) == ({"aborted": 2}, [], {End.LOST: 1})


async def test_at_the_end_of_the_processor_it_is_the_processors_fault(told: Any) -> None:
    told.engine.closing = True
    told.request("/x", method=b"PUT", end=False)
    told.stream.closed(lost=True)
    assert told.dropped == {"shutdown": 2}


async def test_an_early_answer_leaves_the_upload_incomplete(told: Any) -> None:
    told.request("/x", method=b"PUT", end=False)
    told.body(bytes(300_000))
    assert told.answer(b"413", end=True)
    told.stream.closed()
    assert told.dropped == {"aborted": 2}
    assert told.dispatcher.answers[0][1].status == 413


@pytest.mark.parametrize("size", [3, 300_000])
async def test_an_answer_before_the_end_of_the_request(told: Any, size: int) -> None:
    told.request("/x", method=b"PUT", end=False)
    told.body(bytes(size))
    told.answer(b"200", (b"a", b"1"))
    told.body(b"early", end=True, answer=True)
    assert not told.body(b"", end=True)
    _, answer, note = told.dispatcher.answers[0]
    assert (answer.status, answer.headers, answer.body, answer.error, note) == (200, ((b"a", b"1"),), b"early", "", "")
    assert (answer.ms, len(told.dispatcher.answers)) == (None, 1)
    assert told.dispatcher.free == told.dispatcher.settings.queue


async def test_a_body_longer_than_the_limit(tell: Callable[..., Any]) -> None:
    told = tell(values={"max_body": "100KiB"})
    told.request("/x", method=b"PUT", end=False)
    told.body(bytes(60_000))
    told.body(bytes(60_000))
    assert told.dropped == {"body_too_large": 2}
    told.body(bytes(60_000))
    assert told.body(b"", end=True)
    told.answer(end=True)
    assert (told.dispatcher.answers[0][1].status, told.ended) == (200, {End.COMPLETE: 1})


async def test_a_full_queue_drops_and_reads_on(told: Any) -> None:
    told.dispatcher.free = 100
    told.request("/x", method=b"PUT", end=False)
    assert told.body(bytes(200))
    assert told.dropped == {"queue_full": 2}
    assert told.body(bytes(200), end=True)
    told.begin()
    told.request("/y")
    told.answer()
    told.body(bytes(200), answer=True)
    told.body(b"", end=True, answer=True)
    _, answer, note = told.dispatcher.answers[-1]
    assert (answer.status, answer.body, answer.bytes) == (200, None, 200)
    assert "mirror_queue is full" in note
    assert told.dispatcher.free == 100


async def test_an_answer_that_ends_early_is_no_whole_one(told: Any) -> None:
    told.request("/x")
    told.answer(b"200")
    told.body(b"par", answer=True)
    told.stream.closed()
    _, answer, _ = told.dispatcher.answers[0]
    assert (answer.status, answer.body, answer.error) == (200, b"par", "cut")


async def test_a_request_without_an_answer_is_mirrored(told: Any) -> None:
    """Envoy 1.36 tells nothing of a timeout, or of an upstream that closes; the request was sent."""
    told.request("/x")
    told.stream.closed()
    assert len(told.dispatcher.offers) == 2
    assert [answer.error for _, answer, _ in told.dispatcher.answers] == ["unanswered"]


@pytest.mark.parametrize(
    ("details", "status", "error"),
    [
        ("via_upstream", 503, ""),
        ("upstream_reset_before_response_started{remote_connection_failure}", None, "connect"),
        ("response_timeout", None, "timeout"),
    ],
)
async def test_what_the_upstream_did(told: Any, details: str, status: int | None, error: str) -> None:
    told.request("/x")
    told.answer(b"503", end=True, response_code_details=details)
    _, answer, _ = told.dispatcher.answers[0]
    assert (answer.status, answer.error) == (status, error)
    told.dispatcher.respond()
    assert told.pairs[0].primary_status == status


async def test_envoys_own_reply_after_the_request_was_mirrored(told: Any) -> None:
    told.request("/x")
    told.answer(b"503", end=True, response_code_details="no_healthy_upstream")
    assert told.engine.counts.local_replies == 1
    assert told.dispatcher.answers[0][1].status == 503


async def test_where_the_rules_have_no_endpoint_envoy_is_waited_for(told: Any) -> None:
    elsewhere = "outbound|0||elsewhere.default.svc.cluster.local"
    told.request("/unknown", route=UNKNOWN, cluster=elsewhere)
    assert told.dispatcher.offers == []
    told.answer(b"200", end=True, response_code_details="via_upstream")
    assert len(told.dispatcher.offers) == 1
    told.begin()
    told.request("/unknown", route=UNKNOWN, cluster=elsewhere)
    assert not told.answer(b"503", end=True, response_code_details="no_healthy_upstream")
    assert (told.skipped, len(told.dispatcher.offers)) == ({"local_reply": 1}, 1)
    told.begin()
    told.request("/unknown", route=UNKNOWN, cluster=elsewhere)
    told.stream.closed()
    assert len(told.dispatcher.offers) == 2  # Envoy 1.36: nobody knows


async def test_a_cluster_that_comes_late_decides_late(told: Any) -> None:
    for cluster, to in ((V1, b"one"), (V2, b"two")):
        told.begin()
        told.request("/weights", route="default/shop http[4] match[0]", cluster="")
        assert told.dispatcher.offers == []
        told.answer(end=True, xds_cluster_name=cluster)
        for shadow, _ in told.dispatcher.offers:
            assert dict(shadow.headers)[b"x-to"] == to
        told.dispatcher.offers.clear()


async def test_what_is_too_long_to_be_held_is_drawn_early(told: Any) -> None:
    told.request("/unknown", route=UNKNOWN, cluster="", method=b"PUT", end=False)
    for _ in range(3):
        told.body(bytes(mirrored.HELD // 2))
    assert (told.engine.counts.late_draws, len(told.dispatcher.uploads)) == (1, 0)
    told.body(bytes(10))
    assert len(told.dispatcher.uploads) == 1
    told.body(b"", end=True)
    assert sum(map(len, told.dispatcher.uploads[0][1].pieces)) == mirrored.HELD // 2 * 3 + 10


@pytest.mark.parametrize(
    ("when", "mirrored_"),
    [("~m GET", True), ("~m PUT", False), ("~c 200", True), ("~c 500", False), ("~bs answer", True), ("~bq x", False)],
)
async def test_a_filter_waits_for_what_it_needs(tell: Callable[..., Any], when: str, mirrored_: bool) -> None:
    told = tell(WHEN % when)
    told.request("/x", route=FIRST)
    if told.open:
        told.answer(b"200")
        told.body(b"the answer", answer=True)
        told.body(b"", end=True, answer=True)
    assert (len(told.dispatcher.offers), told.skipped) == ((1, {}) if mirrored_ else (0, {"when": 1}))
    assert len(told.dispatcher.answers) == mirrored_
    assert told.dispatcher.free == told.dispatcher.settings.queue


async def test_a_filter_of_the_request_body(tell: Callable[..., Any]) -> None:
    for body, count in ((b"the needle", 1), (b"hay", 0)):
        told = tell(WHEN % "~bq needle")
        told.request("/x", route=FIRST, method=b"PUT", end=False)
        told.body(body, end=True)
        assert len(told.dispatcher.offers) == count


async def test_a_filter_of_an_answer_that_never_comes(tell: Callable[..., Any]) -> None:
    told = tell(WHEN % "!~c 500")
    told.request("/x", route=FIRST)
    told.stream.closed()
    assert len(told.dispatcher.offers) == 1


async def test_the_counters_balance_in_every_order(tell: Callable[..., Any]) -> None:
    """Each prefix of an exchange, each way to end it: nothing is left in the book, and every byte is given back."""
    told = tell()
    parts = [
        lambda: told.request("/x", method=b"PUT", end=False),
        lambda: told.body(bytes(300_000)),
        lambda: told.body(b"", end=True),
        lambda: told.answer(),
        lambda: told.body(b"y", answer=True),
        lambda: told.body(b"", end=True, answer=True),
    ]
    orders = [
        order for order in itertools.permutations(range(6)) if order.index(0) == 0 and order.index(1) < order.index(2)
    ]
    for order in orders:
        for length in range(1, 7):
            told.begin()
            told.dispatcher.uploads.clear()
            for step in order[:length]:
                parts[step]()
            told.stream.closed(lost=length % 2 == 0)
            told.dispatcher.respond()
            told.dispatcher.shadows.clear()
    told.engine.book.check()
    assert (told.engine.book.primaries, told.dispatcher.free) == ({}, told.dispatcher.settings.queue)
    assert told.engine.counts.open == 1  # the one that was never told anything
    assert told.engine.counts.faults == 0
