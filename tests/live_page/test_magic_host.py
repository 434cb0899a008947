"""Which flows ask for the page, and what they get."""

from __future__ import annotations

import asyncio
import re
import threading

import pytest
from flask import Flask
from flask import request
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.live_page.lazy_app import LazyApp
from mirror_addon.live_page.magic_host import is_for_page
from mirror_addon.live_page.magic_host import serve

main_thread = threading.get_ident()


def echo() -> Flask:
    app = Flask("echo")

    @app.route("/<path:path>", methods=["GET", "POST"])
    def page(path: str) -> dict[str, object]:
        return {
            "path": path,
            "form": request.form.to_dict(),
            "host": request.host,
            "peer": request.remote_addr,
            "accept": request.headers.get("Accept"),
            "elsewhere": threading.get_ident() != main_thread,
        }

    return app


def asks(path: bytes, method: str = "GET", peer: str = "127.0.0.1") -> http.HTTPFlow:
    """A flow whose client asks for a page."""
    flow = tflow.tflow()
    flow.request.url = "http://mirror-addon.test/"
    flow.request.data.path = path
    flow.request.method = method
    flow.client_conn.peername = (peer, 1234)
    return flow


async def ask(flow: http.HTTPFlow, app: LazyApp) -> None:
    with taddons.context():
        await serve(flow, app)


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


@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1", 200), ("::ffff:127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403)]
)
async def test_the_peer_is_the_clients(lazy_app: LazyApp, peer: str, status: int) -> None:
    flow = asks(b"/parts", peer=peer)
    await ask(flow, lazy_app)
    assert flow.response
    assert flow.response.status_code == status
    assert flow.response.headers["content-length"] == str(len(flow.response.content or b""))


async def test_a_client_without_an_address_is_refused(lazy_app: LazyApp) -> None:
    flow = asks(b"/")
    flow.client_conn.peername = None
    await ask(flow, lazy_app)
    assert flow.response and flow.response.status_code == 403


async def test_head_has_no_body(lazy_app: LazyApp) -> None:
    flow = asks(b"/", "HEAD")
    await ask(flow, lazy_app)
    assert flow.response
    assert (flow.response.status_code, flow.response.content) == (200, b"")


async def test_a_request_arrives_as_it_was() -> None:
    flow = asks(b"/a/b?x=1", "POST")
    flow.request.headers = http.Headers(
        [
            (b"Host", b"mirror-addon.test:81"),
            (b"accept", b"text/html"),
            (b"Accept", b"text/plain"),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ]
    )
    flow.request.content = b"token=x"
    await ask(flow, LazyApp(echo))
    assert flow.response and flow.response.status_code == 200
    assert flow.response.json() == {
        "path": "a/b",
        "form": {"token": "x"},
        "host": "mirror-addon.test:81",
        "peer": "127.0.0.1",
        "accept": "text/html,text/plain",
        "elsewhere": True,
    }


async def test_the_host_of_http_2_stands_in_its_authority(lazy_app: LazyApp) -> None:
    for authority, status in (("mirror-addon.test", 200), ("evil.example", 403)):
        flow = asks(b"/")
        flow.request.http_version = "HTTP/2.0"
        flow.request.headers.clear()
        flow.request.authority = authority
        await ask(flow, lazy_app)
        assert flow.response and flow.response.status_code == status


async def test_two_host_fields_are_refused(lazy_app: LazyApp) -> None:
    flow = asks(b"/")
    flow.request.headers.set_all("Host", ["mirror-addon.test", "evil.example"])
    await ask(flow, lazy_app)
    assert flow.response and flow.response.status_code == 403


async def test_a_button_works_and_one_whose_form_was_streamed_does_not(lazy_app: LazyApp) -> None:
    flow = asks(b"/")
    await ask(flow, lazy_app)
    assert flow.response
    token = re.search(r'name="token" value="([^"]+)"', flow.response.text or "")
    assert token
    for streamed, status in ((False, 303), (True, 403)):
        flow = asks(b"/pause", "POST")
        flow.request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        flow.request.text = f"token={token[1]}"
        if streamed:
            flow.request.raw_content = None
        await ask(flow, lazy_app)
        assert flow.response and flow.response.status_code == status


@given(
    target=st.binary(),
    headers=st.lists(st.tuples(st.binary(), st.binary())),
)
def test_any_bytes_get_a_response(target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    flow = asks(b"/" + target)
    flow.request.headers.fields = tuple(headers)
    asyncio.run(ask(flow, LazyApp(echo)))
    assert flow.response and flow.response.status_code < 500


async def test_an_app_that_fails_responds_with_500(caplog: pytest.LogCaptureFixture) -> None:
    def make() -> Flask:
        app = Flask("broken")

        @app.get("/")
        def fail() -> str:
            raise RuntimeError("broken")

        return app

    flow = asks(b"/")
    await ask(flow, LazyApp(make))
    assert flow.response and flow.response.status_code == 500
    assert "broken" in caplog.text
