"""Credentials for an upstream proxy, kept from requests that do not go to it.

In upstream mode, mitmproxy's addon `upstream_auth` adds Proxy-Authorization to every plaintext request, after scripts
have run. It does not look at whether the request still goes to the proxy, which a routed one does not: its destination
would get the user's name and password. So the hook of that one addon is replaced.
"""

from __future__ import annotations

from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.addons.upstream_auth import UpstreamAuth
from mitmproxy.proxy.mode_specs import UpstreamMode


class ProxyCredentials:
    """Leaves requests alone that go to no proxy, from `apply` to `take_back`."""

    def __init__(self) -> None:
        self._replaced: tuple[UpstreamAuth, object] | None = None

    def apply(self) -> None:
        """Does nothing where mitmproxy has no such addon, or where another script replaced the method."""
        addon = ctx.master.addons.get("upstreamauth")
        if not isinstance(addon, UpstreamAuth) or "requestheaders" in vars(addon):
            return
        add_credentials = addon.requestheaders

        def requestheaders(flow: http.HTTPFlow) -> None:
            if not isinstance(flow.client_conn.proxy_mode, UpstreamMode) or _is_for_proxy(flow):
                add_credentials(flow)

        vars(addon)["requestheaders"] = requestheaders
        self._replaced = addon, requestheaders

    def take_back(self) -> None:
        """Restores mitmproxy's own method, unless another script replaced ours since."""
        if self._replaced is None:
            return
        addon, requestheaders = self._replaced
        if vars(addon).get("requestheaders") is requestheaders:
            del vars(addon)["requestheaders"]
        self._replaced = None


def _is_for_proxy(flow: http.HTTPFlow) -> bool:
    """Return whether the proxy reads the request: HTTP/2 goes through it in a tunnel."""
    return flow.server_conn.via is not None and not flow.request.is_http2
