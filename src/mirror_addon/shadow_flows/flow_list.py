"""Each finished shadow as a flow beside its primary: in mitmweb's and the console's list, in `-w` files and HAR.

The metadata of both link them (`pair_metadata`); `~marker ghost`, `~meta mirror_of` and `~comment "2 diff"` find
shadows. A view keeps the newest `mirror_pairs` of them: mitmproxy itself never lets a flow go.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.addons import view
from mitmproxy.hooks import UpdateHook

from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import MARKER
from mirror_addon.shadow_flows.shadow_flow import ExpectedShadow
from mirror_addon.shadow_flows.shadow_flow import comment
from mirror_addon.shadow_flows.shadow_flow import make_flow

if TYPE_CHECKING:
    from mirror_addon.dispatch.in_flight import Shadow
    from mirror_addon.routing.decision import Request
    from mirror_addon.shadow.pair import Pair
    from mirror_addon.shadow.request import ShadowRequest

LET_GO = "let go for newer ones (mirror_pairs)"
MAX_BYTES = 256 * 1024 * 1024
"""Of answers' bodies that are kept in the view, whatever their number."""


def flow_view() -> view.View | None:
    """The list of flows of mitmweb or the console; mitmdump has none."""
    shown = ctx.master.addons.get("view")
    return shown if isinstance(shown, view.View) else None


class ShadowFlows:
    """Makes flows of shadows' ends. `keep` is the option `mirror_pairs`."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._shown: deque[tuple[str, int]] = deque()
        self._bytes = 0

    @staticmethod
    def wanted() -> bool:
        """Whether anything would show or keep a flow: mitmweb, the console, `-w`, HAR."""
        options = ctx.options
        return bool(
            flow_view() is not None
            or ("save_stream_file" in options and options.save_stream_file)
            or ("hardump" in options and options.hardump)
        )

    def expect(
        self,
        shadow: Shadow,
        request: ShadowRequest,
        primary: http.HTTPFlow,
        body: bytes | None,
        asked: Request | None = None,
    ) -> None:
        """A shadow is about to be sent. `body` is None for one that is passed on in pieces and not kept; `asked` is the
        request as the client sent it."""
        shadow.view = expected = ExpectedShadow(request, primary, body)
        primary.metadata.setdefault(meta.ID_KEY, primary.id)
        if asked is not None and meta.ASKED_KEY not in primary.metadata:
            line = asked.method, asked.scheme, asked.authority, asked.path
            primary.metadata[meta.ASKED_KEY] = [part.decode("latin-1") for part in line]
        meta.add_text(primary, meta.SHADOWS_KEY, expected.flow_id)
        label = shadow.label
        if not primary.comment:
            primary.comment = f"mirrored to {label}"
        elif label not in primary.comment:
            primary.comment += f", {label}"

    def pair(self, pair: Pair) -> None:
        """A shadow ended, and its primary too: show it, or say at the primary why there is nothing to show."""
        expected = pair.view
        if not isinstance(expected, ExpectedShadow):
            return
        primary, result = expected.primary, pair.result
        if result.outcome == "dropped":
            self._missing(primary, expected.flow_id, f"{result.label}: {result.reason}")
            return
        flow = make_flow(expected, result)
        flow.metadata[meta.RULE_KEY] = pair.rule
        if pair.control:
            flow.metadata[meta.CONTROL_KEY] = True
        if pair.comparison:
            meta.write_comparison(flow, primary, pair.comparison)
        flow.comment = comment(flow, primary, pair.comparison)
        flow.metadata[meta.COMMENT_KEY] = flow.comment
        if (shown := flow_view()) is not None:  # an empty view is false
            shown.add([flow])
            ctx.master.addons.trigger(UpdateHook([primary]))
            self._shown.append((flow.id, len(result.body or b"")))
            self._bytes += len(result.body or b"")
            while len(self._shown) > self.keep or (self._bytes > MAX_BYTES and len(self._shown) > 1):
                oldest, size = self._shown.popleft()
                self._bytes -= size
                self._let_go(shown, oldest)
        for name in ("save", "savehar"):
            # Only those that write files: other addons would edit the shadow, or answer it.
            if keeper := ctx.master.addons.get(name):
                keeper.response(flow)

    def _let_go(self, shown: view.View, flow_id: str) -> None:
        """Take an old shadow out of the view, unless a person marked it otherwise or wrote a comment on it."""
        flow = shown.get_by_id(flow_id)
        if flow is None or flow.marked != MARKER or flow.comment != meta.text_of(flow, meta.COMMENT_KEY):
            return
        shown.remove([flow])
        primary = shown.get_by_id(meta.text_of(flow, meta.PRIMARY_KEY))
        if isinstance(primary, http.HTTPFlow):
            self._missing(primary, flow_id, f"{meta.text_of(flow, meta.TARGET_KEY)}: {LET_GO}")

    @staticmethod
    def _missing(primary: http.HTTPFlow, flow_id: str, why: str) -> None:
        shadows = [each for each in meta.texts_of(primary, meta.SHADOWS_KEY) if each != flow_id]
        primary.metadata[meta.SHADOWS_KEY] = shadows
        meta.add_text(primary, meta.MISSING_KEY, why)
        primary.comment += f" · {why}"
        ctx.master.addons.trigger(UpdateHook([primary]))


def find_flow(id: str) -> http.HTTPFlow | None:
    """The flow of the view with this id, or the first that was copied from it."""
    shown = flow_view()
    if shown is None or not id:
        return None
    found = shown.get_by_id(id)
    if found is None:
        found = next((each for each in shown.resolve("@all") if each.metadata.get(meta.ID_KEY) == id), None)
    return found if isinstance(found, http.HTTPFlow) else None
