"""Shadows as flows in mitmproxy's list of flows, in `-w` files and in HAR files.

Theory of operation. All of this room runs in the proxy's process, in its event loop. mitmproxy does not see
shadows, because a worker process sends them. So that a person finds them where all other traffic is, each shadow
becomes a flow beside that of its primary. This takes two steps:

    expect  A shadow is about to be sent. It gets the id of its future flow, and the metadata and the comment of the
            primary name it. mitmproxy writes and shows the primary's flow before the shadow has a response, so this
            cannot wait.
    pair    Shadow and primary have both ended (`PairObserver`). `shadow_flow` makes the flow, `metadata` keeps the
            comparison in it, and the flow is added to the view and passed to the addons that write files. A shadow that
            was dropped has no flow: the primary says why.

`metadata` lists the keys that link the flows of a pair; they are stored in files, so that a file that is read again
shows its pairs. `har` adds them to HAR files, `asked_request` reads from them what the client sent. In a view,
`~comment "shadow of"` and `~marker ghost` find shadows, `~comment ^different` those that differ.

A view keeps the newest `mirror_pairs` shadows, because mitmproxy itself never removes a flow. Most of the time spent
here is mitmproxy's own, for adding a flow and for redrawing one. Therefore a primary is redrawn only if its comment
changed after mitmproxy had last drawn it, and many at a time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.addons import view
from mitmproxy.hooks import UpdateHook

from mirror_addon.display.text import printable
from mirror_addon.shadow.batch import Batch
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import MARKERS
from mirror_addon.shadow_flows.shadow_flow import ExpectedShadow
from mirror_addon.shadow_flows.shadow_flow import comment
from mirror_addon.shadow_flows.shadow_flow import make_flow
from mirror_addon.shadow_flows.shadow_flow import outcome

if TYPE_CHECKING:
    from mirror_addon.dispatch.in_flight import Shadow
    from mirror_addon.routing.decision import Request
    from mirror_addon.shadow.pair import Pair
    from mirror_addon.shadow.request import ShadowRequest

REMOVED = "removed to make room for newer ones (mirror_pairs)"
MAX_BYTES = 256 * 1024 * 1024
"""Bytes of response bodies that the shadows in the view may have together, whatever their number."""
REDRAW_SECONDS = 0.1
REDRAW_MOST = 32
"""Flows: mitmweb takes about 0.1 ms for each, during which no request proceeds."""


def flow_view() -> view.View | None:
    """The list of flows of mitmweb or the console; mitmdump has none."""
    shown = ctx.master.addons.get("view")
    return shown if isinstance(shown, view.View) else None


class ShadowFlows:
    """A PairObserver that makes flows of shadows. `keep` is the option `mirror_pairs`."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._shown: deque[tuple[str, int]] = deque()
        """Id and body size of each shadow in the view, the oldest first."""
        self._bytes = 0
        self._changed: Batch[http.HTTPFlow] = Batch(_redraw, seconds=REDRAW_SECONDS, most=REDRAW_MOST)

    @staticmethod
    def wanted() -> bool:
        """Return whether anything shows or saves flows: mitmweb, the console, `-w`, HAR."""
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
        """Announce at the primary's flow a shadow that is about to be sent. `body` is None for one that is passed on in
        pieces and not kept; `asked` is the request as the client sent it."""
        shadow.view = expected = ExpectedShadow(request, primary, body)
        primary.metadata.setdefault(meta.ID_KEY, primary.id)
        if asked is not None and meta.ASKED_KEY not in primary.metadata:
            line = asked.method, asked.scheme, asked.authority, asked.path
            primary.metadata[meta.ASKED_KEY] = [part.decode("latin-1") for part in line]
        meta.add_text(primary, meta.SHADOWS_KEY, expected.flow_id)
        label = printable(shadow.label)
        if not primary.comment:
            primary.comment = f"mirrored to {label}"
        elif label not in primary.comment:
            primary.comment += f", {label}"
        if primary.response or primary.error or not primary.live:
            # A request that was replayed or held: mitmproxy may not draw it again by itself.
            self._changed.add(primary)

    def pair(self, pair: Pair) -> None:
        """Show a shadow that has ended and whose primary has too; if there is nothing to show, note the reason at the
        primary."""
        expected = pair.view
        if not isinstance(expected, ExpectedShadow):
            return
        primary, result = expected.primary, pair.result
        if result.outcome == "dropped":
            self._without_flow(primary, expected.flow_id, f"{result.label}: {result.reason}")
            return
        flow = make_flow(expected, result)
        flow.metadata[meta.RULE_KEY] = printable(pair.rule)
        if pair.control:
            flow.metadata[meta.CONTROL_KEY] = True
        if pair.comparison:
            meta.write_comparison(flow, primary, pair.comparison)
        if pair.calls:
            meta.write_calls(flow, pair.calls)
        flow.marked, _ = outcome(flow, primary, pair.comparison)
        flow.comment = flow.metadata[meta.COMMENT_KEY] = comment(flow, primary, pair.comparison)
        if (shown := flow_view()) is not None:  # an empty view is false
            # The primary is not redrawn: neither its row nor its details change, and an open Mirror Diff is drawn again
            # only when the message itself changes (mitmweb and the console keep its text by the hash of the body).
            shown.add([flow])
            self._shown.append((flow.id, len(result.body or b"")))
            self._bytes += len(result.body or b"")
            while len(self._shown) > self.keep or (self._bytes > MAX_BYTES and len(self._shown) > 1):
                oldest, size = self._shown.popleft()
                self._bytes -= size
                self._remove(shown, oldest)
        for name in ("save", "savehar"):
            # Only the addons that write files: others would edit the shadow, or respond to it.
            if writer := ctx.master.addons.get(name):
                writer.response(flow)

    def flush(self) -> None:
        """Redraw now what would be redrawn within `REDRAW_SECONDS`."""
        self._changed.flush()

    def _remove(self, shown: view.View, flow_id: str) -> None:
        """Remove an old shadow from the view, unless a person marked it otherwise or changed its comment."""
        flow = shown.get_by_id(flow_id)
        if flow is None or flow.marked not in MARKERS or flow.comment != meta.text_of(flow, meta.COMMENT_KEY):
            return
        shown.remove([flow])
        primary = shown.get_by_id(meta.text_of(flow, meta.PRIMARY_KEY))
        if isinstance(primary, http.HTTPFlow):
            self._without_flow(primary, flow_id, f"{meta.text_of(flow, meta.TARGET_KEY)}: {REMOVED}")

    def _without_flow(self, primary: http.HTTPFlow, flow_id: str, why: str) -> None:
        """Note at a primary that its shadow with the id `flow_id` has no flow."""
        why = printable(why)
        shadows = [each for each in meta.texts_of(primary, meta.SHADOWS_KEY) if each != flow_id]
        primary.metadata[meta.SHADOWS_KEY] = shadows
        meta.add_text(primary, meta.MISSING_KEY, why)
        primary.comment += f" · {why}"
        self._changed.add(primary)


def _redraw(flows: list[http.HTTPFlow]) -> None:
    """Let mitmproxy draw flows again whose comments changed. One event for all of them: it goes to every addon."""
    ctx.master.addons.trigger(UpdateHook(list({flow.id: flow for flow in flows}.values())))


def find_flow(id: str) -> http.HTTPFlow | None:
    """Return the flow of the view with this id, or the first that was copied from it; None if there is none."""
    shown = flow_view()
    if shown is None or not id:
        return None
    found = shown.get_by_id(id)
    if found is None:
        found = next((each for each in shown.resolve("@all") if each.metadata.get(meta.ID_KEY) == id), None)
    return found if isinstance(found, http.HTTPFlow) else None
