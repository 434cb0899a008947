"""What `mirror.replay` makes of flows; tests/live/test_mitmweb.py sends them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from mitmproxy import exceptions
from mitmproxy import http
from mitmproxy.addons.view import View
from mitmproxy.io import FlowReader
from mitmproxy.io import FlowWriter
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.addon import MirrorAddon
from mirror_addon.shadow_flows import metadata as meta

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /b/}}]
    rewrite: {uri: /}
    route: [{destination: {host: one}}]
    mirrors:
    - {destination: {host: two}, percentage: {value: 0}}
    - {destination: {host: three}}
  - route: [{destination: {host: one}}]
"""


class Started:
    """An addon that has started, with its shadows caught in the place where they would be handed to the worker."""

    def __init__(self, addon: MirrorAddon, view: View, context: taddons.context) -> None:
        self.addon, self.view, self.context = addon, view, context

    def replay(self, *flows: http.HTTPFlow) -> str:
        return str(self.addon.commands.replay(flows))

    def counters(self) -> dict[str, int]:
        assert self.addon.session.writer
        return dict(self.addon.session.writer.counters.items())

    def asked(self, path: str, body: bytes | None = b"") -> http.HTTPFlow:
        """A flow that came through the addon and was answered."""
        flow = tflow.tflow(live=True)
        flow.request = http.Request.make("POST", f"http://shop.test{path}", b"", {"Host": "shop.test"})
        self.addon.requestheaders(flow)
        self.addon.session.exchanges[flow].settled = True
        flow.request.raw_content = body
        flow.response = http.Response.make(200, b"ok")
        flow.response.timestamp_end = 2.0
        flow.live = False
        self.view.add([flow])
        return flow


@pytest.fixture
async def started(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "rules.yaml").write_text(RULES)
    addon, view = MirrorAddon(), View()
    with taddons.context(view) as context:
        context.master.addons.add(addon)
        context.configure(
            addon,
            mirror_rules=[str(tmp_path)],
            mirror_endpoints=["one=127.0.0.1:1", "two=127.0.0.1:2", "three=127.0.0.1:3"],
            mirror_drain="0s",
        )
        yield Started(addon, view, context)
        drained = addon.done()
        assert drained is not None
        await drained


async def test_all_mirrors_get_one_whatever_their_percentage(started: Started) -> None:
    flow = started.asked("/b/x")
    assert flow.request.path == "/x"
    assert started.replay(flow) == "sent 2 shadows of 1 request"
    assert started.counters()["offered"] == 2
    assert started.addon.session.writer.expected(flow) == ["two", "three"]


async def test_a_pause_does_not_hold_it_back_but_stays(started: Started) -> None:
    flow = started.asked("/b/x")
    started.addon.commands.pause()
    assert started.replay(flow).startswith("sent 2 shadows")
    assert started.addon.session.writer.gate.paused


async def test_what_holds_it_back_is_named(started: Started) -> None:
    flow = started.asked("/b/x")
    started.context.configure(started.addon, mirror_methods="safe")
    assert started.replay(flow) == (
        "sent 0 shadows of 0 requests; 1 request left out: is not mirrored by the present rules (method)"
    )


async def test_each_flow_that_is_left_out_is_counted_with_its_reason(started: Started) -> None:
    shadow = tflow.tflow()
    shadow.metadata[meta.PRIMARY_KEY] = "gone"
    flows = [started.asked("/c"), started.asked("/b/x", None), shadow, tflow.ttcpflow()]
    assert started.replay(*flows) == (
        "sent 0 shadows of 0 requests"
        "; 1 request left out: is not mirrored by the present rules"
        "; 1 request left out: was streamed, so its body is not kept"
        "; 1 request left out: is a shadow whose primary is no longer in the list"
        "; 1 request left out: is not HTTP"
    )


async def test_a_primary_is_sent_once_however_often_it_is_named(started: Started) -> None:
    flow = started.asked("/b/x")
    shadow = tflow.tflow()
    shadow.metadata[meta.PRIMARY_KEY] = flow.id
    assert started.replay(flow, shadow, flow) == "sent 2 shadows of 1 request"


async def test_a_flow_from_a_file_is_routed_as_it_was_asked(started: Started) -> None:
    flow = started.asked("/b/x")
    started.replay(flow)
    file = io.BytesIO()
    FlowWriter(file).add(flow)
    (read,) = FlowReader(io.BytesIO(file.getvalue())).stream()
    assert isinstance(read, http.HTTPFlow) and read.request.path == "/x"
    started.view.clear()
    started.view.add([read])
    assert started.replay(read) == "sent 2 shadows of 1 request"


async def test_an_edit_is_said(started: Started) -> None:
    flow = started.asked("/b/x")
    flow.backup()
    flow.comment = "a comment is no edit"
    assert started.replay(flow) == "sent 2 shadows of 1 request"
    flow.request.content = b"another"
    assert started.replay(flow) == "sent 2 shadows of 1 request, 1 of them as edited"


async def test_nothing_named(started: Started) -> None:
    with pytest.raises(exceptions.CommandError, match="No flows"):
        started.replay()


async def test_not_started() -> None:
    addon = MirrorAddon()
    with pytest.raises(exceptions.CommandError, match="has not started"):
        addon.commands.replay([tflow.tflow()])
