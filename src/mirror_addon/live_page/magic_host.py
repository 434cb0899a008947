"""The page at http://mirror-addon.test/, for clients of the proxy: answered inside it, as mitmproxy answers mitm.it.

The page loads itself again and again. mitmproxy's other addons are kept from its flows, which would fill the flow
list, the terminal and the files otherwise; and so are routing, mirrors and counters.
"""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.proxy.mode_specs import ReverseMode

from mirror_addon.flows import heads
from mirror_addon.live_page.gateway import Gateway
from mirror_addon.live_page.gateway import PageRequest
from mirror_addon.routing.decision import LocalResponse

HOST = "mirror-addon.test"
"""Reserved by RFC 6761: no DNS will ever have it."""
LENGTH = len(HOST)
"""Looked at first, as every request is asked whether it is for the page."""


def is_for_page(flow: http.HTTPFlow) -> bool:
    """Whether a client asks the proxy for the page. In reverse mode there is but the one upstream to ask for."""
    host = flow.request.data.host
    if len(host) != LENGTH or host.lower() != HOST:
        return False
    return not isinstance(flow.client_conn.proxy_mode, ReverseMode)


async def serve(flow: http.HTTPFlow, gateway: Gateway) -> None:
    """Answer `flow` with the page."""
    request = flow.request
    peer = flow.client_conn.peername
    response = await gateway.ask(
        PageRequest(
            method=request.method,
            target=request.data.path,
            host=request.host_header or HOST,
            peer=peer[0] if peer else "",
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.fields],
            body=request.raw_content or b"",
            scheme=request.scheme,
        )
    )
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers)
    heads.answer(flow, LocalResponse(response.status_code, headers, response.get_data()))
