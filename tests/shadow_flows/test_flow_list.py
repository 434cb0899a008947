from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from enginetools import until
from mitmproxy import flowfilter
from mitmproxy import http
from mitmproxy.addons.save import Save
from mitmproxy.addons.view import View
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader
from mitmproxy.io import FlowWriter
from mitmproxy.test import taddons
from mitmproxy.test import tflow
from pairtools import in_flight
from pairtools import pair_of
from pairtools import primary_flow
from pairtools import result_of
from pairtools import shadow_request
from pairtools import show_pair

from mirror_addon.routing.decision import Request
from mirror_addon.shadow_flows import flow_list
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.flow_list import ShadowFlows
from mirror_addon.shadow_flows.flow_list import find_flow


async def test_a_pair_is_linked_both_ways(view: View) -> None:
    primary = primary_flow()
    flow = show_pair(view, ShadowFlows(10), primary)
    assert primary.metadata[meta.SHADOWS_KEY] == [flow.id]
    assert flow.metadata[meta.PRIMARY_KEY] == primary.metadata[meta.ID_KEY] == primary.id
    assert flow.metadata[meta.VERDICT_KEY] == "different"
    assert flow.metadata[meta.RULE_KEY] == "default/shop http[0]"
    assert primary.comment == "mirrored to b/v2"
    assert "1 difference" in flow.comment
    assert list(view) == [primary, flow]


async def test_what_the_client_asked_is_kept() -> None:
    with taddons.context(View()):
        primary = primary_flow()
        asked = Request(b"GET", b"http", b"shop.test", b"/b/\xff", (), 80)
        request = shadow_request(primary)
        ShadowFlows(10).expect(in_flight(primary, request), request, primary, b"", asked)
    assert primary.metadata[meta.ASKED_KEY] == ["GET", "http", "shop.test", "/b/\xff"]


async def test_a_dropped_shadow_is_told_at_the_primary(view: View) -> None:
    primary = primary_flow()
    view.add([primary])
    flows, request = ShadowFlows(10), shadow_request(primary)
    shadow = in_flight(primary, request)
    flows.expect(shadow, request, primary, b"")
    dropped = result_of(request, outcome="dropped", reason="queue_full", status=None)
    flows.pair(pair_of(primary, dropped, shadow=shadow))
    assert list(view) == [primary]
    assert primary.comment == "mirrored to b/v2 · b/v2: queue_full"
    assert primary.metadata[meta.SHADOWS_KEY] == []


async def test_a_pair_that_was_not_expected_is_none_of_ours(view: View) -> None:
    primary = primary_flow()
    ShadowFlows(10).pair(pair_of(primary, result_of(shadow_request(primary))))
    assert list(view) == []


async def test_the_oldest_are_removed(view: View) -> None:
    flows = ShadowFlows(2)
    pairs = []
    for _ in range(4):
        primary = primary_flow()
        pairs.append((primary, show_pair(view, flows, primary)))
    gone, kept = pairs[:2], pairs[2:]
    for primary, flow in gone:
        assert view.get_by_id(flow.id) is None
        assert view.get_by_id(primary.id) is primary
        assert primary.comment.endswith("b/v2: removed to make room for newer ones (mirror_pairs)")
        assert primary.metadata[meta.SHADOWS_KEY] == []
    assert all(view.get_by_id(flow.id) is flow for _, flow in kept)


class Redrawn:
    """An addon that records which flows mitmproxy is asked to draw again."""

    def __init__(self) -> None:
        self.events: list[list[Flow]] = []

    def update(self, flows: list[Flow]) -> None:
        self.events.append(list(flows))


def show_proxied(view: View, flows: ShadowFlows, primary: http.HTTPFlow) -> None:
    """Show a pair whose shadow is announced before its primary has a response, as in the proxy."""
    view.add([primary])
    response, primary.response = primary.response, None
    request = shadow_request(primary)
    shadow = in_flight(primary, request)
    flows.expect(shadow, request, primary, b"")
    primary.response = response
    flows.pair(pair_of(primary, result_of(request), shadow=shadow))


async def test_primaries_are_redrawn_only_when_their_comments_change() -> None:
    view, redrawn, flows = View(), Redrawn(), ShadowFlows(2)
    with taddons.context(view, redrawn):
        primaries = [primary_flow() for _ in range(4)]
        for primary in primaries[:2]:
            show_proxied(view, flows, primary)
        flows.flush()
        assert redrawn.events == []
        for primary in primaries[2:]:
            show_proxied(view, flows, primary)
        assert redrawn.events == [], "redrawn at once"
        flows.flush()
        flows.flush()
        assert redrawn.events == [primaries[:2]]


async def test_a_primary_is_redrawn_once_a_batch_and_without_flush() -> None:
    view, redrawn, flows, primary = View(), Redrawn(), ShadowFlows(10), primary_flow()
    with taddons.context(view, redrawn):
        for _ in range(2):
            request = shadow_request(primary)
            shadow = in_flight(primary, request)
            flows.expect(shadow, request, primary, b"")
            dropped = result_of(request, outcome="dropped", reason="queue_full", status=None)
            flows.pair(pair_of(primary, dropped, shadow=shadow))
        await until(lambda: redrawn.events)
        assert redrawn.events == [[primary]]


@pytest.mark.parametrize("live", [True, False])
async def test_the_comment_of_a_request_that_is_sent_again_is_redrawn(live: bool) -> None:
    """mitmproxy draws a live flow itself, with its response; one that is over it does not."""
    view, redrawn, flows, primary = View(), Redrawn(), ShadowFlows(10), primary_flow()
    primary.response, primary.live = None, live
    with taddons.context(view, redrawn):
        request = shadow_request(primary)
        flows.expect(in_flight(primary, request), request, primary, b"")
        flows.flush()
        assert redrawn.events == ([] if live else [[primary]])


async def test_what_a_person_marked_or_commented_stays(view: View) -> None:
    flows = ShadowFlows(1)
    marked = show_pair(view, flows, primary_flow())
    marked.marked = ":red_circle:"
    commented = show_pair(view, flows, primary_flow())
    commented.comment += " look at this"
    for _ in range(2):
        show_pair(view, flows, primary_flow())
    assert view.get_by_id(marked.id) and view.get_by_id(commented.id)
    assert view.store_count() == 4 + 3


async def test_bodies_are_bounded_too(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_list, "MAX_BYTES", 2500)
    flows = ShadowFlows(1000)
    made = [show_pair(view, flows, primary_flow(), body=b"x" * 1000) for _ in range(4)]
    assert [view.get_by_id(flow.id) is not None for flow in made] == [False, False, True, True]
    last = show_pair(view, flows, primary_flow(), body=b"x" * 9000)
    assert view.get_by_id(last.id) is last


async def test_flows_that_were_removed_by_hand_do_no_harm(view: View) -> None:
    flows = ShadowFlows(1)
    show_pair(view, flows, primary_flow())
    view.clear()
    show_pair(view, flows, primary_flow())
    assert view.store_count() == 2


async def test_several_shadows_of_one_primary(view: View) -> None:
    flows, primary = ShadowFlows(10), primary_flow()
    for label in ("b/v2", "b/v3", "b/v2"):
        request = shadow_request(primary, label)
        flows.expect(in_flight(primary, request), request, primary, b"")
    assert primary.comment == "mirrored to b/v2, b/v3"
    assert len(set(primary.metadata[meta.SHADOWS_KEY])) == 3


async def test_a_control_is_marked_as_one(view: View) -> None:
    flow = show_pair(view, ShadowFlows(10), primary_flow(), control=True)
    assert flow.metadata[meta.CONTROL_KEY] is True
    assert flow.comment.startswith("control of ")


async def test_a_pair_that_was_not_compared(view: View) -> None:
    flows, primary = ShadowFlows(10), primary_flow()
    request = shadow_request(primary)
    shadow = in_flight(primary, request)
    flows.expect(shadow, request, primary, b"")
    pair = pair_of(primary, result_of(request), shadow=shadow)
    pair.comparison = None
    flows.pair(pair)
    made = view.get_by_id(primary.metadata[meta.SHADOWS_KEY][0])
    assert made is not None and meta.VERDICT_KEY not in made.metadata


async def test_a_shadow_whose_primary_was_removed_by_hand_makes_room_too(view: View) -> None:
    flows, primary = ShadowFlows(1), primary_flow()
    first = show_pair(view, flows, primary)
    view.remove([primary])
    show_pair(view, flows, primary_flow())
    assert view.get_by_id(first.id) is None


async def test_flows_are_found_by_their_id_and_by_that_of_which_they_are_copies(view: View) -> None:
    primary = primary_flow()
    shadow = show_pair(view, ShadowFlows(10), primary)
    assert find_flow(shadow.id) is shadow
    copied = shadow.copy()
    view.remove([shadow])
    assert find_flow(shadow.id) is None
    view.add([copied])
    assert find_flow(shadow.id) is copied
    assert find_flow("") is None
    tcp = tflow.ttcpflow()
    view.add([tcp])
    assert find_flow(tcp.id) is None


async def test_without_a_view_nothing_is_found() -> None:
    with taddons.context():
        assert find_flow("1") is None


async def test_a_file_has_them_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("flows") / "out.flows"
    save, flows, primary = Save(), ShadowFlows(10), primary_flow()
    with taddons.context(save) as context:
        assert not flows.wanted()
        context.configure(save, save_stream_file=str(path))
        assert flows.wanted()
        request = shadow_request(primary)
        shadow = in_flight(primary, request)
        flows.expect(shadow, request, primary, b"")
        save.response(primary)
        flows.pair(pair_of(primary, result_of(request), shadow=shadow))
        save.done()
    with path.open("rb") as file:
        read = list(FlowReader(file).stream())
    ours, theirs = read
    assert isinstance(theirs, http.HTTPFlow)
    assert ours.metadata[meta.SHADOWS_KEY] == [theirs.id]
    assert theirs.metadata[meta.PRIMARY_KEY] == ours.id
    kept = meta.read_comparison(theirs)
    assert kept and kept.verdict == "different"
    FlowWriter(io.BytesIO()).add(theirs)


async def test_wanted_where_there_is_a_view(view: View) -> None:
    assert ShadowFlows.wanted()


@pytest.mark.parametrize(
    ("expression", "primaries", "shadows"),
    [
        ('~comment "shadow of"', 0, 2),
        ('! ~comment "shadow of"', 2, 0),
        ("~comment ^different", 0, 1),
        ('~comment "^different.*total"', 0, 1),
        ("~replayq & ! ~comment ^different", 0, 1),
        ("~marker ghost", 0, 2),
        ("~marker different", 0, 1),
        ("~meta mirror_of", 0, 2),
        ('~meta "mirror_verdict: different"', 0, 1),
    ],
)
async def test_the_filters_of_the_docs_in_the_console(
    view: View, expression: str, primaries: int, shadows: int
) -> None:
    """mitmweb has filters of its own; tests/live/test_browser.py tries those."""
    flows = ShadowFlows(10)
    for body in (b'{"total": 1}', b'{"total": 2}'):
        show_pair(view, flows, primary_flow(), body=body)
    matches = flowfilter.parse(expression)
    found = [meta.is_shadow_flow(flow) for flow in view if matches(flow)]
    assert (found.count(False), found.count(True)) == (primaries, shadows)
    assert f"`{expression}`" in (Path(__file__).resolve().parents[2] / "docs" / "reference" / "mitmweb.md").read_text()


async def test_hostile_text_stays_out_of_comments_errors_and_files(view: View) -> None:
    hostile = "\x1b[2J\r\n\u202e\udcff"
    primary, flows = primary_flow(), ShadowFlows(10)
    view.add([primary])
    request = shadow_request(primary, f"b{hostile}")
    for answer in ({}, {"outcome": "failed", "status": None, "reason": "protocol", "detail": hostile}):
        shadow = in_flight(primary, request)
        flows.expect(shadow, request, primary, b"")
        flows.pair(replace(pair_of(primary, result_of(request, **answer), shadow=shadow), rule=hostile))
    shadow = in_flight(primary, request)
    flows.expect(shadow, request, primary, b"")
    dropped = result_of(request, outcome="dropped", status=None, reason="queue_full")
    flows.pair(pair_of(primary, dropped, shadow=shadow))
    for flow in view:
        assert flow.comment and flow.comment.isprintable()
        assert flow.error is None or flow.error.msg.isprintable()
        FlowWriter(io.BytesIO()).add(flow)
