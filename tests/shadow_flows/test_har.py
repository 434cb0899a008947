from __future__ import annotations

import json
from pathlib import Path

from mitmproxy.addons.savehar import SaveHar
from mitmproxy.addons.view import View
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons
from pairtools import primary_flow
from pairtools import show_pair

from mirror_addon.host.har import HarAnnotations
from mirror_addon.shadow_flows.flow_list import ShadowFlows
from mirror_addon.shadow_flows.har import annotate


async def test_a_har_has_comments_and_pairing(tmp_path: Path) -> None:
    path = tmp_path / "out.har"
    view, writer, primary = View(), SaveHar(), primary_flow()
    with taddons.context(view, writer) as context:
        HarAnnotations(annotate).apply()
        context.configure(writer, hardump=str(path))
        writer.response(primary)
        shadow = show_pair(view, ShadowFlows(10), primary)
        writer.done()
    ours, theirs = json.loads(path.read_text())["log"]["entries"]
    assert ours["comment"] == "mirrored to b/v2"
    assert theirs["comment"] == shadow.comment
    assert theirs["_mirror_of"] == ours["_mirror_id"] == primary.id
    assert ours["_mirror_shadows"] == [theirs["_mirror_id"]] == [shadow.id]
    assert (theirs["_mirror_verdict"], theirs["_mirror_target"]) == ("different", "b/v2")
    with path.open("rb") as file:
        assert len(list(FlowReader(file).stream())) == 2


async def test_other_flows_are_as_they_were() -> None:
    flow = primary_flow()
    plain, annotated = SaveHar(), SaveHar()
    with taddons.context(annotated):
        HarAnnotations(annotate).apply()
        assert annotated.flow_entry(flow, set()) == plain.flow_entry(flow, set())
