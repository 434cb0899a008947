from __future__ import annotations

import pytest
from mitmproxy.utils import emoji
from sandboxtools import call_flow

from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.call_marks import BLOCKED_MARKER
from mirror_addon.shadow_flows.call_marks import DIFFERENT_MARKER
from mirror_addon.shadow_flows.call_marks import MARKER
from mirror_addon.shadow_flows.call_marks import mark_call


@pytest.mark.parametrize(
    ("state", "marker"),
    [("answered", MARKER), ("passed", MARKER), ("different", DIFFERENT_MARKER), ("blocked", BLOCKED_MARKER)],
)
def test_marks(state: str, marker: str) -> None:
    flow = call_flow()
    call = Call("POST", "http://pay.test/charges", state, (Difference("$.a", "value", 1, 2),))
    mark_call(flow, call, "call of the mirror\x1b")
    assert (flow.marked, flow.comment) == (marker, "call of the mirror\\x1b")
    assert meta.read_calls(flow) == (call,)
    assert MARKER in emoji.emoji
