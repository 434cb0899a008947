"""What the client asked, of a flow whose exchange is gone: read from a file, or routed before a reload."""

from __future__ import annotations

from dataclasses import replace

from mitmproxy import http

from mirror_addon.flows import heads
from mirror_addon.routing.decision import Request
from mirror_addon.shadow_flows import metadata as meta


def asked_request(flow: http.HTTPFlow, local_address: bytes) -> Request:
    """The request as the client sent it. What this addon's proxy did to one is undone as far as the flow says: its line
    is in the metadata, its fields are those that were sent on, without the hop that the proxy added."""
    request = heads.read_request(flow, local_address)
    line = [part.encode("latin-1", "replace") for part in meta.texts_of(flow, meta.ASKED_KEY)]
    if len(line) != 4:
        return request
    method, scheme, authority, path = line
    fields = []
    for name, value in request.headers:
        if name.lower() == b"x-forwarded-for":
            hops, _, last = value.rpartition(b",")
            if last.strip() == request.client:
                if not hops:
                    continue
                value = hops
        fields.append((name, value))
    return replace(
        request,
        method=method,
        scheme=scheme,
        authority=authority,
        path=path,
        headers=tuple(fields),
        port=heads.authority_port(authority, scheme),
    )
