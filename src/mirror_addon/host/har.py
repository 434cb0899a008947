"""Fields of our own in the HAR files that mitmproxy writes.

mitmproxy's addon `savehar` writes HAR files at exit (`hardump`) and on command (`save.har`), and has no hook for more
fields. So the method of that one object that makes an entry is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mitmproxy import ctx
from mitmproxy import http
from mitmproxy.addons.savehar import SaveHar

Annotate = Callable[[dict[str, Any], http.HTTPFlow], dict[str, Any]]
"""Takes a HAR entry and its flow, returns the entry to write."""


class HarAnnotations:
    """Passes the entries of HAR files through `annotate`, from `apply` to `take_back`."""

    def __init__(self, annotate: Annotate) -> None:
        self._annotate = annotate
        self._replaced: tuple[SaveHar, object] | None = None

    def apply(self) -> None:
        """Does nothing where mitmproxy has no such addon, or where another script replaced the method."""
        writer = ctx.master.addons.get("savehar")
        if not isinstance(writer, SaveHar) or "flow_entry" in vars(writer):
            return
        make_entry = writer.flow_entry

        def flow_entry(flow: http.HTTPFlow, servers_seen: Any) -> dict[str, Any]:
            return self._annotate(make_entry(flow, servers_seen), flow)

        vars(writer)["flow_entry"] = flow_entry
        self._replaced = writer, flow_entry

    def take_back(self) -> None:
        """Restores mitmproxy's own method, unless another script replaced ours since."""
        if self._replaced is None:
            return
        writer, flow_entry = self._replaced
        if vars(writer).get("flow_entry") is flow_entry:
            del vars(writer)["flow_entry"]
        self._replaced = None
