"""The writer with its real engine: worker processes, mirrors on real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import Any

import pytest
from enginetools import until
from mitmproxy import http
from mitmproxy.addons.view import View
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.dispatch.in_flight import State
from mirror_addon.flows.exchange import Exchange
from mirror_addon.istio.mirror_annotations import MirrorAnnotations
from mirror_addon.mirroring import shadow_writer as module
from mirror_addon.mirroring.shadow_writer import ShadowWriter
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.pair import Pair

TABLE = RouteTable.build((), Identity())


def settings(**options: Any) -> Settings:
    return parse_settings(
        {each.name: each.default for each in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    )


class Pairs:
    def __init__(self) -> None:
        self.seen: list[Pair] = []

    def pair(self, pair: Pair) -> None:
        self.seen.append(pair)


class Writer:
    """A started writer, the pairs it told of, and exchanges for it."""

    def __init__(self, context: Any, **options: Any) -> None:
        self.context = context
        self.options = options
        self.writer = ShadowWriter(settings(**options), b"10.0.0.1")
        self.pairs = Pairs()
        self.writer.observers.append(self.pairs)

    @property
    def counters(self) -> dict[str, int]:
        self.writer.book.check()
        return dict(self.writer.counters.items())

    def change(self, **options: Any) -> None:
        self.options |= options
        self.writer.apply(settings(**self.options), frozenset(f"mirror_{name}" for name in options))

    def tee(self, streamed: http.HTTPFlow, exchange: Exchange) -> Callable[[bytes], Any]:
        """What `request.stream` is once the head of a streamed body leaves."""
        streamed.request.timestamp_end = None
        streamed.request.stream = True
        self.writer.leaves(streamed, exchange)
        assert callable(streamed.request.stream)
        return streamed.request.stream

    async def count(self, name: str, number: int) -> None:
        await until(lambda: self.counters.get(name, 0) == number)


Make = Callable[..., Writer]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Writer] = []
    with taddons.context() as context:

        def start(*, view: bool = False, **options: Any) -> Writer:
            if view:
                context.master.addons.add(View())
            made.append(Writer(context, **options))
            return made[-1]

        yield start
        for each in made:
            await each.writer.close()
            assert each.counters["pending"] == 0


def mirror(port: int, label: str = "b/v2", *, sampled: bool = True) -> Mirror:
    endpoint = Endpoint("127.0.0.1", port)
    return Mirror(Cluster("b", "v2", 80, (endpoint,), label=label), endpoint, 100, sampled, None, None)


def exchange(*mirrors: Mirror, when: str = "", method: bytes = b"GET") -> Exchange:
    request = Request(method, b"http", b"b.test", b"/x", (), 80)
    rule = Rule("default/b", "http[0]", "", "", annotations=MirrorAnnotations(when=when) if when else None)
    cluster = Cluster("b", "v1", 80, (Endpoint("127.0.0.1", 9),), label="b/v1")
    decision = Decision(
        Action.ROUTE, rule, cluster=cluster, endpoint=cluster.endpoints[0], request=request, mirrors=mirrors
    )
    return Exchange(TABLE, request, 7, decision)


def flow() -> http.HTTPFlow:
    made = tflow.tflow()
    made.live = True
    return made


def answered(made: http.HTTPFlow, status: int = 200) -> http.HTTPFlow:
    made.response = http.Response.make(status, b"primary")
    return made


async def test_a_shadow_counts_from_the_moment_it_is_offered(make: Make, mirrors: Any) -> None:
    """The work may wait for a batch; what is counted and switched does not."""
    writer = make(responses="discard")
    port = await mirrors.answering()
    one = flow()
    writer.writer.offer(one, exchange(mirror(port), mirror(port, sampled=False)), b"")
    assert (writer.counters["offered"], writer.counters["pending"], writer.counters["skipped.percent"]) == (1, 1, 1)
    writer.writer.gate.paused = True
    writer.writer.offer(flow(), exchange(mirror(port)), b"")
    assert writer.counters["skipped.paused"] == 1
    await writer.count("sent", 1)
    writer.writer.answered(answered(one))
    (pair,) = writer.pairs.seen
    assert (pair.primary_status, pair.result.status, pair.target) == (200, 200, "b/v2")


@pytest.mark.parametrize("answered_first", [True, False])
async def test_a_pair_is_told_when_both_have_ended(make: Make, mirrors: Any, answered_first: bool) -> None:
    writer = make(responses="keep")
    one = flow()
    writer.writer.offer(one, exchange(mirror(await mirrors.answering())), b"")
    if answered_first:
        writer.writer.answered(answered(one))
    await writer.count("sent", 1)
    if not answered_first:
        writer.writer.answered(answered(one))
    await until(lambda: writer.pairs.seen)
    (pair,) = writer.pairs.seen
    assert pair.comparison is not None and pair.comparison.verdict == "different"


async def test_shadows_of_one_batch_are_sent_together(make: Make, mirrors: Any) -> None:
    writer = make()
    port = await mirrors.answering()
    for _ in range(100):
        writer.writer.offer(flow(), exchange(mirror(port)), b"")
    assert writer.counters["pending"] == 100
    await writer.count("sent", 100)


async def test_a_mirror_that_cannot_be_made_loses_no_other(
    make: Make, mirrors: Any, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make()
    broken, good = exchange(mirror(1)), exchange(mirror(await mirrors.answering()))
    broken.decision.request = None
    writer.writer.offer(flow(), broken, b"")
    writer.writer.offer(flow(), good, b"")
    await writer.count("sent", 1)
    assert "a shadow was not made" in caplog.text
    assert writer.counters["dropped.unsendable"] == 1


async def test_replay_passes_a_pause_and_leaves_it(make: Make, mirrors: Any) -> None:
    writer = make()
    writer.writer.gate.paused = True
    one = answered(flow())
    one.live = False
    assert writer.writer.replay(one, exchange(mirror(await mirrors.answering())), b"") == 1
    assert writer.writer.gate.paused
    await until(lambda: writer.pairs.seen)
    assert writer.pairs.seen[0].primary_status == 200


@pytest.mark.parametrize(("status", "sent"), [(500, 1), (200, 0)])
async def test_a_filter_over_the_response_holds_the_request(make: Make, mirrors: Any, status: int, sent: int) -> None:
    writer = make()
    one = flow()
    one.response = None
    writer.writer.offer(one, exchange(mirror(await mirrors.answering()), when="~c 500"), b"body")
    assert (len(writer.writer.holding), writer.counters["offered"]) == (1, 0)
    writer.writer.answered(answered(one, status))
    assert (len(writer.writer.holding), writer.counters["offered"]) == (0, sent)
    assert writer.counters.get("skipped.when", 0) == 1 - sent
    await writer.count("sent", sent)


@pytest.mark.parametrize(
    ("options", "reason"), [({"max_body": "2"}, "body_too_large"), ({"queue": "100", "max_body": "1000"}, "queue_full")]
)
async def test_what_cannot_be_held_is_dropped(make: Make, mirrors: Any, options: Any, reason: str) -> None:
    writer = make(**options)
    port = await mirrors.hanging()
    for _ in range(2):
        one = flow()
        one.response = None
        writer.writer.offer(one, exchange(mirror(port), when="~c 500"), b"body" * 20)
    assert writer.counters[f"dropped.{reason}"] >= 1


async def test_a_filter_that_no_mirror_passes_holds_nothing(make: Make) -> None:
    writer = make()
    one = flow()
    one.response = None
    writer.writer.offer(one, exchange(mirror(1, sampled=False), when="~c 500"), b"")
    assert (len(writer.writer.holding), writer.counters["skipped.percent"]) == (0, 1)


async def test_flows_that_end_without_a_hook_are_looked_for(
    make: Make, mirrors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    writer = make()
    mirrored, held = flow(), flow()
    held.response = None
    port = await mirrors.answering()
    writer.writer.offer(mirrored, exchange(mirror(port)), b"")
    writer.writer.offer(held, exchange(mirror(port), when="~c 500"), b"")
    await writer.count("sent", 1)
    assert writer.pairs.seen == []
    mirrored.response = None
    mirrored.live = held.live = False
    await until(lambda: writer.pairs.seen and not writer.writer.holding)
    assert writer.pairs.seen[0].primary_status is None
    assert writer.counters["skipped.when"] == 1
    await until(lambda: writer.writer._timer is None)


async def test_a_streamed_body_is_passed_on_piece_by_piece(make: Make, mirrors: Any) -> None:
    writer = make()
    one, passing = flow(), exchange(mirror(await mirrors.answering()), method=b"POST")
    stream = writer.tee(one, passing)
    for chunk in (b"one", b"four"):
        assert stream(chunk) == chunk
    assert passing.uploads
    for upload in passing.uploads:
        upload.end()
    await writer.count("sent", 1)
    assert mirrors.received[0].body == b"onefour"


@pytest.mark.parametrize(("when", "reason"), [("~c 500", "streamed"), ("~m DELETE", "when")])
async def test_a_streamed_body_cannot_wait_for_a_filter(make: Make, when: str, reason: str) -> None:
    writer = make()
    one = flow()
    one.response = None
    stream = writer.tee(one, exchange(mirror(1), when=when))
    stream(b"part")
    assert writer.counters[f"skipped.{reason}"] == 1


async def test_a_client_that_leaves_early(make: Make, mirrors: Any) -> None:
    writer = make()
    before, during = exchange(mirror(1)), exchange(mirror(await mirrors.hanging()), method=b"POST")
    writer.writer.abort(before)
    assert (before.settled, writer.counters["skipped.aborted"]) == (True, 1)
    writer.tee(flow(), during)(b"part")
    writer.writer.abort(during)
    assert writer.counters["dropped.aborted"] == 1


async def test_another_engine_takes_over_and_the_book_stays(make: Make, mirrors: Any) -> None:
    """Shadows that wait for a mirror finish with the engine that has them, and get their primary's response there."""
    release = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nprimary")

    writer = make(responses="keep", drain="30s")
    one = flow()
    writer.writer.offer(one, exchange(mirror(await mirrors.start(slow))), b"")
    before = writer.writer.dispatcher
    writer.change(workers="2")
    assert writer.writer.dispatcher is not before
    writer.writer.answered(answered(one))
    release.set()
    await until(lambda: writer.pairs.seen)
    (pair,) = writer.pairs.seen
    assert pair.comparison is not None and pair.comparison.verdict is not None
    await until(lambda: not writer.writer._draining)


async def test_a_share_of_requests_is_asked_of_the_primary_again(make: Make, mirrors: Any) -> None:
    writer = make(control="100%", responses="keep")
    port = await mirrors.answering()
    one = exchange(mirror(port))
    again = Endpoint("127.0.0.1", await mirrors.answering())
    one.decision.cluster = Cluster("b", "v1", 80, (again,), label="b/v1")
    one.decision.endpoint = again
    made = flow()
    made.request.data.host, made.request.data.port = again.address, again.port
    writer.writer.offer(made, one, b"")
    writer.writer.answered(answered(made))
    await until(lambda: len(writer.pairs.seen) == 2)
    assert {(pair.target, pair.control) for pair in writer.pairs.seen} == {("b/v2", False), ("control:b/v1", True)}


async def test_a_primary_that_another_addon_sent_elsewhere_has_no_control(make: Make, mirrors: Any) -> None:
    """It would be asked of a destination that the primary never had."""
    writer = make(control="100%", responses="keep")
    one = exchange(mirror(await mirrors.answering()))
    writer.writer.offer(answered(flow()), one, b"")
    await writer.count("sent", 1)
    assert writer.counters["offered"] == 1


async def test_with_a_view_each_shadow_becomes_a_flow(make: Make, mirrors: Any) -> None:
    writer = make(view=True)
    assert writer.writer.shows_flows and writer.writer.compares
    one = flow()
    writer.writer.offer(one, exchange(mirror(await mirrors.answering())), b"")
    assert writer.writer.expected(one) == ["b/v2"]
    writer.writer.answered(answered(one))
    await until(lambda: not writer.writer.expected(one))
    view = writer.context.master.addons.get("view")
    await until(lambda: [each for each in view if each.marked.startswith(":ghost:")])


async def test_rules_of_comparison_are_taken_once(make: Make) -> None:
    writer = make()
    assert writer.writer.compare_by("ignore: []")
    assert not writer.writer.compare_by("ignore: []")


async def test_switches_hold_from_the_next_request(make: Make, mirrors: Any) -> None:
    writer = make()
    port = await mirrors.answering()
    writer.writer.offer(flow(), exchange(mirror(port)), b"")
    writer.change(host_suffix="-copy", timeout="5s")
    writer.writer.offer(flow(), exchange(mirror(port)), b"")
    await writer.count("sent", 2)
    hosts = [next(field for field in each.fields if field.startswith(b"Host")) for each in mirrors.received]
    assert sorted(hosts) == [b"Host: b.test-copy", b"Host: b.test-shadow"]
    writer.change(enabled=False)
    writer.writer.offer(flow(), exchange(mirror(port)), b"")
    assert writer.counters["skipped.paused"] == 1


async def test_overrides_of_rules_that_are_gone_are_dropped(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    writer = make()
    rule = Rule("default/b", "http[0]", "", "")
    writer.writer.gate.overrides.pause([rule])
    writer.writer.rules_changed(TABLE)
    assert "no longer overridden, because the rule is gone" in caplog.text


async def test_the_end_drops_what_is_held_and_logs_the_counters(mirrors: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with taddons.context() as context:
        writer = Writer(context)
        writer.writer.counters.request()
        one = flow()
        one.response = None
        writer.writer.offer(one, exchange(mirror(await mirrors.answering()), when="~c 500"), b"")
        await writer.writer.close()
    assert writer.counters["dropped.shutdown"] == 1
    assert "mirror: at the end\nrequests 1\n" in caplog.text
    assert (writer.writer.book.primaries, writer.writer.book.shadows) == ({}, {})


async def test_a_shadow_without_a_response_of_its_primary_is_not_told(make: Make, mirrors: Any) -> None:
    writer = make(responses="discard")
    one = flow()
    writer.writer.offer(one, exchange(mirror(await mirrors.answering())), b"")
    await writer.count("sent", 1)
    (primary,) = writer.writer.book.primaries.values()
    assert [shadow.state for shadow in primary.shadows] == [State.JUDGED]
    assert writer.pairs.seen == []


async def test_a_sample_is_compared_where_nobody_looks(make: Make, mirrors: Any) -> None:
    writer = make()
    assert not writer.writer.compares
    port = await mirrors.answering()
    for _ in range(2):
        writer.writer.offer(one := flow(), exchange(mirror(port)), b"")
        writer.writer.answered(answered(one))
    await until(lambda: len(writer.pairs.seen) == 2)
    assert all(pair.comparison and pair.comparison.verdict for pair in writer.pairs.seen)
    writer.writer.samples.took(2**30)
    writer.writer.offer(one := flow(), exchange(mirror(port)), b"")
    writer.writer.answered(answered(one))
    await until(lambda: len(writer.pairs.seen) == 3)
    assert writer.pairs.seen[-1].comparison is None


async def test_nothing_is_compared_where_responses_are_discarded(make: Make, mirrors: Any) -> None:
    writer = make(responses="discard")
    writer.writer.offer(one := flow(), exchange(mirror(await mirrors.answering())), b"")
    writer.writer.answered(answered(one))
    await until(lambda: len(writer.pairs.seen) == 1)
    assert writer.pairs.seen[0].comparison is None


async def test_the_body_of_a_sample_counts(make: Make, mirrors: Any) -> None:
    writer = make()
    samples = writer.writer.samples
    took: list[int] = []
    samples.took = took.append  # type: ignore[method-assign]
    one = answered(flow())
    assert one.response
    one.response.content = b"x" * 70_000
    writer.writer.offer(one, exchange(mirror(await mirrors.answering())), b"")
    writer.writer.answered(one)
    await until(lambda: len(writer.pairs.seen) == 1)
    assert took == [70_000]
