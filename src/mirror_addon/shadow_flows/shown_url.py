"""The URL under which a flow is listed: the one that was requested, of the proxy or of the mirror."""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.net.http import url

from mirror_addon.flows.exchange import Exchanges
from mirror_addon.host.shown_urls import Shown
from mirror_addon.host.shown_urls import ShownUrl
from mirror_addon.shadow_flows import metadata as meta


def shown_urls(exchanges: Exchanges) -> Shown:
    """Return a function that returns the URL of a primary as the client sent it, and that of a shadow with its Host;
    None for flows that were not routed. A flow without an exchange, from a file, has it in its metadata."""

    def shown(flow: http.HTTPFlow) -> ShownUrl | None:
        if meta.is_shadow_flow(flow):
            return _shown(flow.request.scheme, flow.request.host_header or "", flow.request.path)
        if (exchange := exchanges.get(flow)) is not None:
            asked = exchange.request
            parts = [part.decode("latin-1") for part in (asked.scheme, asked.authority, asked.path)]
        else:
            parts = meta.texts_of(flow, meta.ASKED_KEY)[1:]
        return _shown(*parts) if len(parts) == 3 else None

    return shown


def _shown(scheme: str, authority: str, path: str) -> ShownUrl | None:
    try:
        host, port = url.parse_authority(authority, check=True)
    except ValueError:
        return None
    return ShownUrl(scheme, host, port or url.default_port(scheme) or 80, path)
