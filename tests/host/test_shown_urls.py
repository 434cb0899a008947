from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urwid
from mitmproxy import http
from mitmproxy.test import tflow
from mitmproxy.tools.console import common
from mitmproxy.tools.web import app
from pairtools import primary_flow

from mirror_addon.host.shown_urls import ShownUrl
from mirror_addon.host.shown_urls import ShownUrls

URL = ShownUrl("https", "shop.test", 443, "/asked")


@pytest.fixture
def urls() -> Iterator[ShownUrls]:
    shown = ShownUrls(lambda flow: None if flow.metadata.get("unrouted") else URL)
    shown.apply()
    yield shown
    shown.take_back()


def row(flow: Any) -> str:
    widget = common.format_flow(flow, render_mode=common.RenderMode.LIST)
    return b"\n".join(widget.render((200,)).text).decode()


def pretty_url(flow: Any) -> str:
    """As mitmweb's page makes it."""
    request = app.flow_to_json(flow)["request"]
    port = "" if {"http": 80, "https": 443}.get(request["scheme"]) == request["port"] else f":{request['port']}"
    return f"{request['scheme']}://{request['pretty_host']}{port}{request['path']}"


def test_the_lists_show_it_and_the_flow_stays(urls: ShownUrls) -> None:
    flow = primary_flow(path=b"//sent")
    before = flow.get_state()
    assert pretty_url(flow) == "https://shop.test/asked"
    assert "https://shop.test/asked" in row(flow)
    assert flow.get_state() == before
    assert flow.request.url == "http://127.0.0.1:9001//sent"
    flow.metadata["unrouted"] = True
    assert pretty_url(flow) == "http://shop.test:9001//sent"
    assert "http://127.0.0.1:9001//sent" in row(flow)


def test_a_request_that_a_person_edits_is_shown_as_it_is(urls: ShownUrls) -> None:
    flow = primary_flow(path=b"//sent")
    flow.intercepted = True
    assert pretty_url(flow) == "http://shop.test:9001//sent"
    flow.intercepted = False
    assert pretty_url(flow) == "https://shop.test/asked"
    flow.backup()
    flow.request.path = "/edited"
    assert pretty_url(flow) == "http://shop.test:9001/edited"
    assert "http://127.0.0.1:9001/edited" in row(flow)


def test_flows_of_other_protocols(urls: ShownUrls) -> None:
    for flow in (tflow.ttcpflow(), tflow.tdnsflow(), tflow.tudpflow()):
        assert app.flow_to_json(flow)["type"] == flow.type
        assert row(flow)


def test_it_is_taken_back(urls: ShownUrls) -> None:
    ours = app.flow_to_json, common.format_flow
    ShownUrls(lambda flow: None).apply()
    assert (app.flow_to_json, common.format_flow) == ours, "not twice"
    urls.take_back()
    assert app.flow_to_json.__module__ == app.__name__
    assert common.format_flow.__module__ == common.__name__
    assert isinstance(common.format_flow(primary_flow(), render_mode=common.RenderMode.LIST), urwid.Widget)


def test_what_another_script_does_since_stays(urls: ShownUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(flow: http.HTTPFlow) -> dict[str, Any]:
        return {}

    original = urls._replaced[0][2]
    app.flow_to_json = other
    try:
        urls.take_back()
        assert app.flow_to_json is other
        assert common.format_flow.__module__ == common.__name__
    finally:
        app.flow_to_json = original  # type: ignore[assignment]
