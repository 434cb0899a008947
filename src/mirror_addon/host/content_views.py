"""A content view of our own in mitmproxy's registry, for the interface of mitmproxy 11 and that of mitmproxy 12.

mitmproxy 12 replaced the class `View` by the protocol `Contentview`, and `views` and `remove` by `registry`, which has
no method that removes a view.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from mitmproxy import contentviews
from mitmproxy import flow as mitm_flow

StyledLines = Callable[[mitm_flow.Flow | None], Iterable[tuple[str, str]]]
"""Returns what to show of a flow: lines as (style, text). The styles are mitmproxy 11's; 12 shows the text only."""

_mitmproxy: Any = contentviews
"""Untyped, because each version of mitmproxy lacks names that the other one has."""
_LEGACY = not hasattr(contentviews, "Contentview")


class LinesView:
    """Shows the lines that a function returns for the flow, whatever the message and its body are."""

    syntax_highlight = "javascript"
    """Of mitmproxy 12's names the one that colours quoted values and numbers and leaves all else; only the console
    uses it."""

    def __init__(self, name: str, lines: StyledLines) -> None:
        self.name = name
        self._lines = lines

    def __call__(self, data: bytes, *, flow: mitm_flow.Flow | None = None, **_: Any) -> tuple[str, Iterator[Any]]:
        """mitmproxy 11: a description, and for each line a list of (style, text)."""
        return self.name, ([line] for line in self._lines(flow))

    def prettify(self, data: bytes, metadata: Any) -> str:
        """mitmproxy 12: the text."""
        return "\n".join(text for _, text in self._lines(metadata.flow))

    def render_priority(self, data: bytes, *_: Any, **__: Any) -> float:
        """Negative: mitmproxy never chooses this view by itself, because who opens a flow wants to see its body."""
        return -1


def register(name: str, lines: StyledLines) -> None:
    """Add the view, in place of one with this name."""
    unregister(name)
    # mitmproxy 11 orders views of equal priority, and can do so only with instances of its own class.
    bases = (LinesView, _mitmproxy.View) if _LEGACY else (LinesView,)
    _mitmproxy.add(type("LinesView", bases, {})(name, lines))


def unregister(name: str) -> None:
    """Remove the view if it is there."""
    views, remove = (_mitmproxy.views, _mitmproxy.remove) if _LEGACY else (_mitmproxy.registry.values(), _forget)
    for view in [view for view in views if view.name == name]:
        remove(view)


def _forget(view: Any) -> None:
    """Does nothing in a mitmproxy that does not keep its views where versions 12.0 to 12.3.1 do."""
    getattr(_mitmproxy.registry, "_by_name", {}).pop(view.name.lower(), None)
