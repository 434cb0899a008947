"""A shadow as the flow that the hook `mirror_shadow` gets, and the shadow that it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy import connection
from mitmproxy import http

from mirror_addon.shadow.request import edited_request
from mirror_addon.shadow_flows import metadata as meta

if TYPE_CHECKING:
    from mirror_addon.shadow.request import ShadowRequest


def script_flow(shadow: ShadowRequest, primary: http.HTTPFlow, body: bytes | None, rule: str) -> http.HTTPFlow:
    """Return a flow with the request of `shadow`, as HTTP/1.1 with Host, whatever protocol the mirror speaks.

    Host and port are the mirror's address. Nothing in it is the primary's own object, so that changes stay in it. Its
    metadata has the primary's id, the mirror's label and the rule. `body` is None if that is streamed.
    """
    target = shadow.target
    flow = http.HTTPFlow(primary.client_conn.copy(), connection.Server(address=(target.address, target.port)))
    flow.live = True  # else it could not be killed
    flow.request = http.Request(
        host=target.address,
        port=target.port,
        method=shadow.method,
        scheme=b"https" if target.tls else b"http",
        authority=b"",
        path=shadow.path,
        http_version=b"HTTP/1.1",
        headers=http.Headers(((b"Host", shadow.authority), *shadow.headers)),
        content=body,
        trailers=None,
        timestamp_start=primary.request.timestamp_start,
        timestamp_end=primary.request.timestamp_end,
    )
    flow.metadata[meta.PRIMARY_KEY] = primary.id
    flow.metadata[meta.TARGET_KEY] = target.label
    flow.metadata[meta.RULE_KEY] = rule
    return flow


def left_out(flow: http.HTTPFlow) -> bool:
    """Return whether a script killed the flow."""
    return flow.error is not None


def shadow_of(flow: http.HTTPFlow, shadow: ShadowRequest, body: bytes | None) -> tuple[ShadowRequest, bytes]:
    """Return what scripts made of `shadow` in its `script_flow`, and of its `body`; an empty one if it is streamed.

    Raises ValueError for changes that no shadow can have.
    """
    data, target = flow.request.data, shadow.target
    if data.scheme != (b"https" if target.tls else b"http"):
        raise ValueError("the scheme of a shadow cannot be changed")
    if body is None and data.content is not None:
        raise ValueError("the body of this shadow is streamed and cannot be replaced")
    if data.trailers is not None:
        raise ValueError("a shadow cannot be given trailers")
    content = data.content or b""
    authority = b""
    fields = []
    for field in data.headers.fields:
        if field[0].lower() != b"host":
            fields.append(field)
        elif not authority:
            authority = field[1]
    edited = edited_request(
        shadow,
        target=target._replace(address=data.host, port=data.port),
        method=data.method,
        authority=data.authority or authority,
        path=data.path,
        headers=tuple(fields),
        body=None if body is None else len(content),
    )
    return edited, content
