"""How the flows of mirrors' calls look in the lists of mitmweb and the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy import http

from mirror_addon.display.text import printable
from mirror_addon.shadow_flows import metadata as meta

if TYPE_CHECKING:
    from mirror_addon.compare.calls import Call

MARKER = ":test_tube:"
DIFFERENT_MARKER = ":test_tube: different"
BLOCKED_MARKER = ":test_tube: blocked"
"""mitmproxy draws a marker that is no emoji as a red dot. `~marker test_tube` finds all."""
_MARKERS = {"different": DIFFERENT_MARKER, "blocked": BLOCKED_MARKER}


def mark_call(flow: http.HTTPFlow, call: Call, comment: str) -> None:
    """Mark the flow of a mirror's call."""
    flow.marked = _MARKERS.get(call.state, MARKER)
    flow.metadata[meta.CALL_KEY] = printable(comment)
    meta.write_calls(flow, (call,))
    flow.comment = printable(comment)
