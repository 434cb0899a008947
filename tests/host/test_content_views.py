from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mitmproxy import contentviews
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.addons.view import View
from pairtools import primary_flow

from mirror_addon.host import content_views

NAME = "Mirror Diff"

mitmproxy_views: Any = contentviews
NEW = hasattr(contentviews, "Contentview")


def names() -> list[str]:
    if NEW:
        return list(mitmproxy_views.registry)
    return [view.name.lower() for view in mitmproxy_views.views]


def shown(flow: http.HTTPFlow, message: http.Message, view: str) -> str:
    """What mitmproxy shows, by the same call as its interfaces make."""
    if NEW:
        return str(mitmproxy_views.prettify_message(message, flow, view).text)
    _, lines, error = mitmproxy_views.get_message_content_view(view, message, flow)
    assert error is None
    return "\n".join("".join(text for _, text in line) for line in lines)


def lines(flow: mitm_flow.Flow | None) -> list[tuple[str, str]]:
    return [("header", f"of {flow.id if flow else None}"), ("text", "- a\x1b[1m"), ("offset", "~ b")]


@pytest.fixture(autouse=True)
async def registered(view: View) -> AsyncIterator[None]:
    content_views.register(NAME, lines)
    yield
    content_views.unregister(NAME)


async def test_it_shows_its_lines_on_both_messages_of_a_flow() -> None:
    flow = primary_flow()
    assert flow.response
    for message in (flow.request, flow.response):
        text = shown(flow, message, "mirror diff")
        assert text.splitlines()[0] == f"of {flow.id}"
        assert "\x1b" not in text


async def test_it_is_never_chosen_by_itself() -> None:
    for body in (b"", b"{}", b"\0\xff", b"text"):
        flow = primary_flow(body, ())
        assert flow.response
        assert f"of {flow.id}" not in shown(flow, flow.response, "auto")


async def test_a_reload_of_the_script_leaves_one() -> None:
    content_views.register(NAME, lambda flow: [("text", "of the new load")])
    assert names().count("mirror diff") == 1
    flow = primary_flow()
    assert shown(flow, flow.request, "mirror diff") == "of the new load"


async def test_it_goes_with_the_script() -> None:
    content_views.unregister(NAME)
    assert "mirror diff" not in names()
    content_views.unregister(NAME)


async def test_other_views_stay() -> None:
    content_views.unregister(NAME)
    before = names()
    content_views.register(NAME, lines)
    assert set(names()) == {*before, "mirror diff"}
    content_views.unregister(NAME)
    assert names() == before


def test_both_interfaces_of_a_view() -> None:
    """mitmproxy 11 calls the view, mitmproxy 12 has it prettify."""
    view, flow = content_views.LinesView(NAME, lines), primary_flow()
    assert (view.name, view.syntax_highlight) == (NAME, "javascript")
    description, styled = view(b"body", content_type="text/plain", flow=flow)
    assert description == NAME
    assert list(styled) == [[line] for line in lines(flow)]
    assert view.render_priority(b"body", content_type="text/plain") < 0
    metadata = type("Metadata", (), {"flow": flow})()
    assert view.prettify(b"body", metadata) == "\n".join(text for _, text in lines(flow))
