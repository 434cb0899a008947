"""The content view "Mirror Diff", for both of mitmproxy's content-view interfaces (that of 11, and that of 12)."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from mitmproxy import contentviews
from mitmproxy import flow as mitm_flow

from mirror_addon.diff_view.text import Line

NAME = "Mirror Diff"
STYLES = {"primary": "Token_Literal_String", "shadow": "Token_Name_Tag", "aside": "offset"}
"""Colours that mitmproxy 11 has both in mitmweb and in the console: red, green, blue. 12 has none for lines."""


class MirrorDiffView:
    """Shows `lines` of the flow, whatever the message; the flow's body is not looked at."""

    name = NAME
    syntax_highlight = "none"

    def __init__(self, lines: Callable[[mitm_flow.Flow | None], Sequence[Line]]) -> None:
        self._lines = lines

    def __call__(self, data: bytes, *, flow: mitm_flow.Flow | None = None, **_: Any) -> tuple[str, Iterator[Any]]:
        """mitmproxy 11: a description, and lines of (style, text)."""
        return NAME, ([(STYLES.get(line.style, line.style), line.text)] for line in self._lines(flow))

    def prettify(self, data: bytes, metadata: Any) -> str:
        """mitmproxy 12."""
        return "\n".join(line.text for line in self._lines(metadata.flow))

    def render_priority(self, data: bytes, *_: Any, **__: Any) -> float:
        """Never chosen by itself: who opens a flow, a shadow's too, wants to see the body first."""
        return -1


def _legacy() -> bool:
    return not hasattr(contentviews, "Contentview")


def register(lines: Callable[[mitm_flow.Flow | None], Sequence[Line]]) -> None:
    """Add the view, in place of one that a former load of the script left."""
    unregister()
    if _legacy():
        # 11 orders views of equal priority, for which all must be of its class.
        contentviews.add(type("MirrorDiffView", (MirrorDiffView, contentviews.View), {})(lines))
    else:
        contentviews.add(MirrorDiffView(lines))  # type: ignore[arg-type]


def unregister() -> None:
    """Take the view away, if it is there. mitmproxy 12 has no way to say so, so its registry is written to."""
    if _legacy():
        for view in [each for each in contentviews.views if each.name == NAME]:
            contentviews.remove(view)
    else:
        getattr(contentviews, "registry")._by_name.pop(NAME.lower(), None)  # noqa: B009
