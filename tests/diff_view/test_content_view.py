from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from mitmproxy import contentviews
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.addons.view import View
from pairtools import primary_flow

from mirror_addon.diff_view import content_view
from mirror_addon.diff_view.text import Line

NEW = hasattr(contentviews, "Contentview")


def names() -> list[str]:
    if NEW:
        return list(getattr(contentviews, "registry"))  # noqa: B009
    return [view.name.lower() for view in contentviews.views]


def shown(flow: http.HTTPFlow, message: http.Message, view: str) -> str:
    """What mitmproxy shows, by the same call as its interfaces make."""
    if NEW:
        return str(getattr(contentviews, "prettify_message")(message, flow, view).text)  # noqa: B009
    _, lines, error = contentviews.get_message_content_view(view, message, flow)
    assert error is None
    return "\n".join("".join(text for _, text in line) for line in lines)


def lines(flow: mitm_flow.Flow | None) -> list[Line]:
    return [Line("header", f"of {flow.id if flow else None}"), Line("primary", "- a\x1b[1m"), Line("aside", "~ b")]


@pytest.fixture(autouse=True)
async def registered(view: View) -> AsyncIterator[None]:
    content_view.register(lines)
    yield
    content_view.unregister()


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
    content_view.register(lambda flow: [Line("text", "of the new load")])
    assert names().count("mirror diff") == 1
    flow = primary_flow()
    assert shown(flow, flow.request, "mirror diff") == "of the new load"


async def test_it_goes_with_the_script() -> None:
    content_view.unregister()
    assert "mirror diff" not in names()
    content_view.unregister()
