from __future__ import annotations

from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.addons.upstream_auth import UpstreamAuth
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.host.upstream_auth import ProxyCredentials

PROXY = ("http", ("proxy.test", 3128))


def flow_in(mode: str, via: Any = None) -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.client_conn.proxy_mode = ProxyMode.parse(mode)
    flow.server_conn.via = via
    return flow


async def test_only_what_goes_to_the_proxy_gets_its_credentials_until_it_is_taken_back() -> None:
    addon, credentials = UpstreamAuth(), ProxyCredentials()
    with taddons.context(addon) as context:
        context.options.upstream_auth = "user:word"
        before = dict(vars(addon))
        credentials.apply()
        ProxyCredentials().apply()
        through, past = flow_in("upstream:http://proxy.test:3128", PROXY), flow_in("upstream:http://proxy.test:3128")
        reverse = flow_in("reverse:http://v1.test")
        for flow in (through, past, reverse):
            addon.requestheaders(flow)
        assert "Proxy-Authorization" in through.request.headers
        assert "Proxy-Authorization" not in past.request.headers
        assert "Authorization" in reverse.request.headers
        credentials.take_back()
        credentials.take_back()
        assert vars(addon) == before
        addon.requestheaders(past)
        assert "Proxy-Authorization" in past.request.headers


async def test_what_another_script_does_since_stays() -> None:
    addon, credentials = UpstreamAuth(), ProxyCredentials()

    def requestheaders(flow: http.HTTPFlow) -> None:
        pass

    with taddons.context(addon):
        credentials.apply()
        addon.requestheaders = requestheaders  # type: ignore[method-assign]
        credentials.take_back()
        assert vars(addon)["requestheaders"] is requestheaders
        credentials.apply()
        assert vars(addon)["requestheaders"] is requestheaders


class OtherAddon:
    name = "upstreamauth"


@pytest.mark.parametrize("addons", [[], [OtherAddon()]])
async def test_without_the_addon_of_mitmproxy_nothing_happens(addons: list[Any]) -> None:
    with taddons.context(*addons):
        credentials = ProxyCredentials()
        credentials.apply()
        credentials.take_back()
    assert all(not vars(addon) for addon in addons)
