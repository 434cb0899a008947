"""Each finished shadow as a flow beside its primary: in mitmweb's and the console's list, in `-w` files and HAR.

Ids in the metadata of both link them: `mirror_shadows` of the primary, `mirror_of` of the shadow; `~marker ghost` and
`~meta mirror_of` find shadows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mitmproxy import connection
from mitmproxy import ctx
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.addons import view
from mitmproxy.hooks import UpdateHook

from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.result import ShadowResult

MARKER = ":ghost:"
PRIMARY_KEY = "mirror_of"
SHADOWS_KEY = "mirror_shadows"


@dataclass(slots=True)
class _Expected:
    """A shadow on its way. `result` waits here while the primary is not yet answered."""

    shadow: ShadowRequest
    primary: http.HTTPFlow
    body: bytes | None
    result: ShadowResult | None = None


def is_shadow_flow(flow: mitm_flow.Flow) -> bool:
    """Whether `flow` is one of those made here."""
    return PRIMARY_KEY in flow.metadata


def outcome(flow: http.HTTPFlow) -> str:
    """A flow's answer in a word: its status, or that there was none."""
    if flow.response:
        return str(flow.response.status_code)
    return "failed" if flow.error else "no answer"


def took(flow: http.HTTPFlow) -> float | None:
    """Milliseconds from the whole request to the whole answer."""
    begin, end = flow.request.timestamp_end, flow.response and flow.response.timestamp_end
    return (end - begin) * 1000 if begin and end else None


def make_flow(expected: _Expected, result: ShadowResult) -> http.HTTPFlow:
    """The flow of a shadow that was answered or failed; its times are the worker's, counted back from now."""
    shadow, primary = expected.shadow, expected.primary
    target = shadow.target
    now = time.time()
    started = now - result.total_ms / 1000
    server = connection.Server(address=(target.address, target.port))
    server.timestamp_start = started
    server.tls = target.tls is not None
    server.sni = target.server_name if target.tls else None
    if result.connect_ms is not None:
        server.timestamp_tcp_setup = started + result.connect_ms / 1000
    flow = http.HTTPFlow(primary.client_conn, server)
    version = result.http_version or "HTTP/1.1"
    headers = shadow.headers
    if version == "HTTP/1.1":
        headers = ((b"Host", shadow.authority), *headers)
    flow.request = http.Request(
        host=target.address,
        port=target.port,
        method=shadow.method,
        scheme=b"https" if target.tls else b"http",
        authority=shadow.authority if version != "HTTP/1.1" else b"",
        path=shadow.path,
        http_version=b"HTTP/2.0" if version == "HTTP/2" else b"HTTP/1.1",
        headers=http.Headers(headers),
        content=expected.body,
        trailers=None,
        timestamp_start=started,
        timestamp_end=started,
    )
    if result.status is not None:
        flow.response = http.Response(
            http_version=b"HTTP/2.0" if version == "HTTP/2" else b"HTTP/1.1",
            status_code=result.status,
            reason=b"",
            headers=http.Headers(result.headers),
            content=result.body,
            trailers=None,
            timestamp_start=started + (result.first_byte_ms or result.total_ms) / 1000,
            timestamp_end=now,
        )
    if result.outcome == "failed":
        flow.error = mitm_flow.Error(": ".join(part for part in (result.reason, result.detail) if part), now)
    flow.is_replay = "request"
    flow.marked = MARKER
    flow.metadata[PRIMARY_KEY] = primary.id
    return flow


def comment(flow: http.HTTPFlow, primary: http.HTTPFlow, result: ShadowResult) -> str:
    """`shadow of 3f2a -> serviceB/v2 · 200 vs 200 · +41 ms`."""
    parts = [f"shadow of {primary.id[:4]} -> {result.label}", f"{outcome(primary)} vs {outcome(flow)}"]
    ours, theirs = took(primary), took(flow)
    if ours is not None and theirs is not None:
        parts.append(f"{theirs - ours:+.0f} ms")
    if result.body is not None and len(result.body) < result.bytes:
        parts.append(f"body cut at {len(result.body)} of {result.bytes} bytes")
    return " · ".join(parts)


class ShadowFlows:
    """Pairs shadows' ends with their primaries and shows both. Idle where neither a view nor a file wants flows."""

    def __init__(self) -> None:
        self._expected: dict[str, _Expected] = {}
        self._waiting: dict[str, list[str]] = {}

    @staticmethod
    def wanted() -> bool:
        """Whether anything would show or keep a flow: mitmweb, the console, `-w`, HAR."""
        options = ctx.options
        return bool(
            ctx.master.addons.get("view") is not None
            or ("save_stream_file" in options and options.save_stream_file)
            or ("hardump" in options and options.hardump)
        )

    def expect(self, shadow: ShadowRequest, primary: http.HTTPFlow, body: bytes | None) -> None:
        """A shadow was handed over. `body` is None for one that is passed on in pieces and not kept."""
        self._expected[shadow.id] = _Expected(shadow, primary, body)

    def result(self, result: ShadowResult) -> None:
        """A shadow ended; its flow is shown as soon as the primary is answered too."""
        expected = self._expected.get(result.id)
        if expected is None:
            return
        if result.outcome == "dropped":
            del self._expected[result.id]
        elif expected.primary.response or expected.primary.error:
            self._show(expected, result)
        else:
            expected.result = result
            self._waiting.setdefault(expected.primary.id, []).append(result.id)

    def answered(self, primary: http.HTTPFlow) -> None:
        """The primary has its answer or failed: show the shadows that waited for it."""
        for shadow_id in self._waiting.pop(primary.id, ()):
            expected = self._expected.get(shadow_id)
            if expected and expected.result:
                self._show(expected, expected.result)

    def _show(self, expected: _Expected, result: ShadowResult) -> None:
        del self._expected[result.id]
        primary = expected.primary
        flow = make_flow(expected, result)
        flow.comment = comment(flow, primary, result)
        primary.metadata.setdefault(SHADOWS_KEY, []).append(flow.id)
        if not primary.comment:
            primary.comment = f"mirrored to {result.label}"
        elif result.label not in primary.comment:
            primary.comment += f", {result.label}"
        shown = ctx.master.addons.get("view")
        if isinstance(shown, view.View):
            shown.add([flow])
            ctx.master.addons.trigger(UpdateHook([primary]))
        for name in ("save", "savehar"):
            # Only those that write files: other addons would edit the shadow, or answer it.
            if keeper := ctx.master.addons.get(name):
                keeper.response(flow)
