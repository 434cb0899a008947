"""The content view "Mirror Diff": its name and its colours. `host.content_views` puts it into mitmproxy."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from mitmproxy import flow as mitm_flow

from mirror_addon.diff_view.text import Line

NAME = "Mirror Diff"
STYLES = {"primary": "Token_Literal_String", "shadow": "Token_Name_Tag", "aside": "offset"}
"""Styles of mitmproxy 11 that have a colour both in mitmweb and in the console: red, green, blue. 12 has no styles."""

Lines = Callable[[mitm_flow.Flow | None], Sequence[Line]]


def styled(lines: Lines) -> Callable[[mitm_flow.Flow | None], list[tuple[str, str]]]:
    """Return a function that returns the same lines of a flow as (mitmproxy's style, text)."""
    return lambda flow: [(STYLES.get(line.style, line.style), line.text) for line in lines(flow)]
