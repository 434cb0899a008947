"""A shadow and its result as a mitmproxy flow."""

from __future__ import annotations

import copy
import time
import uuid
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from mitmproxy import connection
from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.display.text import printable
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow_flows import metadata as meta

if TYPE_CHECKING:
    from mirror_addon.compare.comparison import Comparison

MARKER = ":ghost:"
DIFFERENT_MARKER = ":ghost: different"
FAILED_MARKER = ":ghost: failed"
"""mitmproxy draws a marker that is no emoji as a red dot, which is seen at a glance. `~marker ghost` finds all."""
MARKERS = frozenset({MARKER, DIFFERENT_MARKER, FAILED_MARKER})

SHOWN_PATHS = 2
SHOWN_PATH = 40
"""Characters. A column of a list has room for no more."""

Message = TypeVar("Message", http.Request, http.Response)

_REQUEST = http.Request("", 0, b"", b"", b"", b"", b"", http.Headers(), None, None, 0.0, 0.0)
_RESPONSE = http.Response(b"", 0, b"", http.Headers(), None, None, 0.0, 0.0)


@dataclass(slots=True)
class ExpectedShadow:
    """A shadow that has been announced and has not ended. `body` is None for one that is passed on in pieces and not
    kept."""

    shadow: ShadowRequest
    primary: http.HTTPFlow
    body: bytes | None
    flow_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """The id of its future flow. The primary names it beforehand, because `-w` writes the primary first."""


def status_of(flow: http.HTTPFlow) -> str:
    """Return the status of a flow's response, `failed` or `no response`."""
    if flow.response:
        return str(flow.response.status_code)
    return "failed" if flow.error else "no response"


def milliseconds(flow: http.HTTPFlow) -> float | None:
    """Return the time from the last byte of the request to the last byte of the response."""
    if times := meta.numbers_of(flow, meta.TIMES_KEY):
        return times[0]
    begin, end = flow.request.timestamp_end, flow.response and flow.response.timestamp_end
    return (end - begin) * 1000 if begin and end else None


def make_flow(expected: ExpectedShadow, result: ShadowResult) -> http.HTTPFlow:
    """Make the flow of a shadow that was SENT or FAILED. Its times are counted back from now by those of the result."""
    shadow, primary, body = expected.shadow, expected.primary, expected.body
    if result.request is not None:  # the worker changed it
        path, headers, sent_body = result.request
        shadow, body = replace(shadow, path=path, headers=headers), body if sent_body is None else sent_body
    target = shadow.target
    now = time.time()
    started = now - result.total_ms / 1000
    sent = max(started, now - result.response_ms / 1000)
    server = connection.Server(address=(target.address, target.port))
    server.timestamp_start = started
    server.tls = target.tls is not None
    server.sni = target.server_name if target.tls else None
    if result.connect_ms is not None:
        server.timestamp_tcp_setup = started + result.connect_ms / 1000
    flow = http.HTTPFlow(primary.client_conn, server)
    flow.id = expected.flow_id
    # Views order flows by this: next to its primary. The times of the shadow itself are in its messages.
    flow.timestamp_created = primary.timestamp_created + 1e-6
    http2 = result.http_version == "HTTP/2"
    version = b"HTTP/2.0" if http2 else b"HTTP/1.1"
    flow.request = _message(
        _REQUEST,
        host=target.address,
        port=target.port,
        method=shadow.method,
        scheme=b"https" if target.tls else b"http",
        authority=shadow.authority if http2 else b"",
        path=shadow.path,
        http_version=version,
        headers=http.Headers(shadow.headers if http2 else ((b"Host", shadow.authority), *shadow.headers)),
        content=body,
        timestamp_start=started,
        timestamp_end=sent,
    )
    if result.status is not None:
        flow.response = _message(
            _RESPONSE,
            http_version=version,
            status_code=result.status,
            headers=http.Headers(result.headers),
            content=result.body,
            timestamp_start=now if result.first_byte_ms is None else min(now, sent + result.first_byte_ms / 1000),
            timestamp_end=now,
        )
    if result.outcome == "failed":
        why = ": ".join(part for part in (result.reason, result.detail) if part)
        flow.error = mitm_flow.Error(printable(why), now)
    flow.is_replay = "request"
    flow.marked = MARKER
    flow.metadata[meta.ID_KEY] = flow.id
    flow.metadata[meta.PRIMARY_KEY] = primary.id
    flow.metadata[meta.TARGET_KEY] = printable(result.label)
    if shadow.adaptions:
        flow.metadata[meta.ADAPTIONS_KEY] = [*map(printable, shadow.adaptions)]
    if result.body is not None and len(result.body) < result.bytes:
        flow.metadata[meta.CUT_KEY] = [len(result.body), result.bytes]
    return flow


def _message(blank: Message, **fields: Any) -> Message:
    """Return a copy of a message with some of its fields replaced.

    The constructor of mitmproxy's messages composes an error text for each field before it checks the field's type,
    which takes 0.1 ms in the event loop; a copy takes a twentieth of that.
    """
    message = copy.copy(blank)
    message.data = copy.copy(blank.data)
    vars(message.data).update(fields)
    return message


def count_in_words(comparison: Comparison) -> str:
    """Return `2 differences`, `same` or `no difference that counts`; an empty text where nothing was compared."""
    counting = sum(not each.noise for each in comparison.differences)
    if comparison.verdict == "same":
        return "same"
    if comparison.verdict == "noise":
        return "no difference that counts"
    if comparison.verdict != "different":
        return ""
    listed_all = not comparison.more or counting < len(comparison.differences)
    return f"{counting}{'' if listed_all else '+'} difference{'s' if counting != 1 or not listed_all else ''}"


def outcome(flow: http.HTTPFlow, primary: http.HTTPFlow, comparison: Comparison | None) -> tuple[str, str]:
    """Return a shadow's marker, and how its comment begins: `different: status, $.total +3; `, `failed: timeout; `,
    or empty where nothing differs that counts. What differs in a control is noise of the primary."""
    if flow.metadata.get(meta.CONTROL_KEY):
        return MARKER, ""
    if flow.error:
        return FAILED_MARKER, f"failed: {printable(flow.error.msg.partition(':')[0])}; "
    if comparison is not None and comparison.verdict is not None:
        if comparison.verdict != "different":
            return MARKER, ""
        paths = list(dict.fromkeys(each.path for each in comparison.differences if not each.noise))
    elif primary.response and status_of(primary) != status_of(flow):
        paths = ["status"]
    else:
        return MARKER, ""
    more = len(paths[SHOWN_PATHS:]) + (comparison.more if comparison is not None else 0)
    shown = ", ".join(path if len(path) <= SHOWN_PATH else f"{path[:SHOWN_PATH]}…" for path in paths[:SHOWN_PATHS])
    return DIFFERENT_MARKER, f"different: {printable(shown)}{f' +{more}' if more else ''}; "


def comment(flow: http.HTTPFlow, primary: http.HTTPFlow, comparison: Comparison | None) -> str:
    """Return a shadow's comment: `different: $.total, $.items[*].price; shadow of 3f2a -> serviceB/v2 · 200 vs 200 ·
    2 differences · +41 ms`."""
    kind = "control" if flow.metadata.get(meta.CONTROL_KEY) else "shadow"
    _, begin = outcome(flow, primary, comparison)
    parts = [f"{begin}{kind} of {primary.id[:4]} -> {meta.text_of(flow, meta.TARGET_KEY)}"]
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
    return printable(" · ".join(parts))
