"""A shadow and its end as a mitmproxy flow."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from mitmproxy import connection
from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow_flows import metadata as meta

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison

MARKER = ":ghost:"


@dataclass(slots=True)
class ExpectedShadow:
    """A shadow on its way. `body` is None for one that is passed on in pieces and not kept."""

    shadow: ShadowRequest
    primary: http.HTTPFlow
    body: bytes | None
    flow_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Of the flow it will be: the primary names it before it is there, since `-w` writes the primary first."""


def status_of(flow: http.HTTPFlow) -> str:
    """A flow's answer in a word: its status, or that there was none."""
    if flow.response:
        return str(flow.response.status_code)
    return "failed" if flow.error else "no answer"


def milliseconds(flow: http.HTTPFlow) -> float | None:
    """From the whole request to the whole answer."""
    begin, end = flow.request.timestamp_end, flow.response and flow.response.timestamp_end
    return (end - begin) * 1000 if begin and end else None


def make_flow(expected: ExpectedShadow, result: ShadowResult) -> http.HTTPFlow:
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
    flow.id = expected.flow_id
    # The key by which views order flows: next to its primary. The times of the shadow itself stand in its messages.
    flow.timestamp_created = primary.timestamp_created + 1e-6
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
    flow.metadata[meta.ID_KEY] = flow.id
    flow.metadata[meta.PRIMARY_KEY] = primary.id
    flow.metadata[meta.TARGET_KEY] = result.label
    if shadow.adaptions:
        flow.metadata[meta.ADAPTIONS_KEY] = list(shadow.adaptions)
    if result.body is not None and len(result.body) < result.bytes:
        flow.metadata[meta.CUT_KEY] = [len(result.body), result.bytes]
    return flow


def count_in_words(comparison: Comparison) -> str:
    """`2 differences`, `no difference that counts`, `the same`; empty where nothing was compared."""
    counting = sum(not each.noise for each in comparison.differences)
    if comparison.verdict == "same":
        return "same"
    if comparison.verdict == "noise":
        return "no difference that counts"
    if comparison.verdict != "different":
        return ""
    listed_all = not comparison.more or counting < len(comparison.differences)
    return f"{counting}{'' if listed_all else '+'} difference{'s' if counting != 1 or not listed_all else ''}"


def comment(flow: http.HTTPFlow, primary: http.HTTPFlow, comparison: Comparison | None) -> str:
    """`shadow of 3f2a -> serviceB/v2 · 200 vs 200 · 2 differences · +41 ms`."""
    kind = "control" if flow.metadata.get(meta.CONTROL_KEY) else "shadow"
    parts = [f"{kind} of {primary.id[:4]} -> {meta.text_of(flow, meta.TARGET_KEY)}"]
    if flow.error:
        parts.append(f"{status_of(primary)} vs failed: {flow.error.msg.partition(':')[0]}")
    else:
        parts.append(f"{status_of(primary)} vs {status_of(flow)}")
    if comparison and (words := count_in_words(comparison)):
        parts.append(words)
    ours, theirs = milliseconds(primary), milliseconds(flow)
    if ours is not None and theirs is not None:
        parts.append(f"{theirs - ours:+.0f} ms")
    if cut := meta.numbers_of(flow, meta.CUT_KEY):
        parts.append(f"body cut at {cut[0]} of {cut[1]} bytes")
    return " · ".join(parts)
