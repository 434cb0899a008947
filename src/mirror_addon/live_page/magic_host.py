"""The page at http://mirror-addon.test/, for clients of the proxy: served inside it, as mitmproxy serves mitm.it.

The page reloads itself every two seconds. mitmproxy's other addons do not get its flows, which would otherwise fill the
flow list, the terminal and saved files. Nor is it routed, mirrored or counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.addons import asgiapp
from mitmproxy.proxy.mode_specs import ReverseMode

from mirror_addon.live_page.origin import origin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication
    from _typeshed.wsgi import WSGIEnvironment

HOST = "mirror-addon.test"
"""The top-level domain `test` is reserved by RFC 6761, so no DNS server will ever resolve this name."""
LENGTH = len(HOST)
"""Compared first, because every request of the proxy is checked."""


def is_for_page(flow: http.HTTPFlow) -> bool:
    """Whether a client asks the proxy for the page. Never in reverse mode, where clients do not choose a host."""
    host = flow.request.data.host
    if len(host) != LENGTH or host.lower() != HOST:
        return False
    return not isinstance(flow.client_conn.proxy_mode, ReverseMode)


async def serve(flow: http.HTTPFlow, app: WSGIApplication) -> None:
    """Set the response of `flow` to that of `app`, which is called in asgiref's thread.

    The request is changed to what mitmproxy's adapter and asgiref can pass on. Nobody else sees it.
    """
    request = flow.request
    # asgiref raises for a query that is not ASCII. No page reads its query.
    request.data.path = request.data.path.partition(b"?")[0]
    # HTTP/2 has `:authority` in place of the field, and the adapter passes fields only. The app checks the name.
    request.headers["Host"] = request.host_header or HOST
    if request.raw_content is None:  # a streamed body is gone, and asgiref cannot read None
        request.content = b""
    await asgiapp.serve(asgiapp.WSGIApp(_asked_by(origin(flow.client_conn.peername), app), HOST, None).asgi_app, flow)


def _asked_by(address: str, app: WSGIApplication) -> WSGIApplication:
    """Return `app` with the client's address replaced: the adapter knows only the peer of the connection."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = address
        return app(environ, start_response)

    return call
