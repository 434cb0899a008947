from __future__ import annotations

from pairtools import primary_flow

from mirror_addon.diff_view.content_view import styled
from mirror_addon.diff_view.text import Line


def test_lines_get_styles_that_mitmproxy_colours() -> None:
    flow = primary_flow()
    lines = [
        Line("header", "h"),
        Line("primary", "- a"),
        Line("shadow", "+ b"),
        Line("aside", "~ c"),
        Line("text", "d"),
    ]
    asked = []
    view = styled(lambda flow: asked.append(flow) or lines)  # type: ignore[func-returns-value]
    assert view(flow) == [
        ("header", "h"),
        ("Token_Literal_String", "- a"),
        ("Token_Name_Tag", "+ b"),
        ("offset", "~ c"),
        ("text", "d"),
    ]
    assert asked == [flow]
