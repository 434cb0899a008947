"""Which flows ask for the page."""

from __future__ import annotations

import pytest
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow

from mirror_addon.live_page.gateway import Gateway
from mirror_addon.live_page.magic_host import is_for_page
from mirror_addon.live_page.magic_host import serve


@pytest.mark.parametrize(
    ("host", "mode", "asks"),
    [
        ("mirror-addon.test", "regular", True),
        ("Mirror-Addon.TEST", "upstream:http://127.0.0.1:1", True),
        ("mirror-addon.test", "socks5", True),
        ("mirror-addon.test", "reverse:http://127.0.0.1:1", False),
        ("mirror-addon.tes", "regular", False),
        ("mirror_addon.test", "regular", False),
        ("istio.gateway.xxxx.tech", "regular", False),
    ],
)
def test_who_asks_for_the_page(host: str, mode: str, asks: bool) -> None:
    flow = tflow.tflow()
    flow.request.data.host = host
    flow.client_conn.proxy_mode = ProxyMode.parse(mode)
    assert is_for_page(flow) is asks


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.7", 403)])
async def test_the_peer_is_the_clients(gateway: Gateway, peer: str, status: int) -> None:
    flow = tflow.tflow()
    flow.request.url = "http://mirror-addon.test/parts"
    flow.client_conn.peername = (peer, 1234)
    await serve(flow, gateway)
    assert flow.response
    assert flow.response.status_code == status
    assert flow.response.headers["content-length"] == str(len(flow.response.content or b""))


async def test_head_has_no_body(gateway: Gateway) -> None:
    flow = tflow.tflow()
    flow.request.url = "http://mirror-addon.test/"
    flow.request.method = "HEAD"
    await serve(flow, gateway)
    assert flow.response
    assert (flow.response.status_code, flow.response.content) == (200, b"")
