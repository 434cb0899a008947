"""The client's request of a flow that has no exchange: it was read from a file, or routed before a reload."""

from __future__ import annotations

from dataclasses import replace

from mitmproxy import http

from mirror_addon.flows import heads
from mirror_addon.routing.decision import Request
from mirror_addon.routing.names import authority_port
from mirror_addon.shadow_flows import metadata as meta


def asked_request(flow: http.HTTPFlow, local_address: bytes) -> Request:
    """Return the request as the client sent it, as far as the flow tells.

    Method, scheme, authority and path are in the metadata. The header fields are those that left the proxy, without the
    hop that it appended to X-Forwarded-For. `local_address` is this machine's, as in that field.
    """
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
        port=authority_port(authority, scheme),
    )
