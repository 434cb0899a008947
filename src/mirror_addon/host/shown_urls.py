"""The URL of a flow in the lists of mitmweb and of the console: the one that was requested.

A routed request has the address of its endpoint, the Host of the client and perhaps another path. mitmweb joins the
Host with the port of the address, the console shows the address: URLs that nobody requested. Both functions that show a
flow are replaced. The flows themselves stay as they are, for all other addons, for files and for replays.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from typing import NamedTuple

from mitmproxy import http

_WEB = "mitmproxy.tools.web.app"
_CONSOLE = "mitmproxy.tools.console.common"


class ShownUrl(NamedTuple):
    """The parts of a URL."""

    scheme: str
    host: str
    port: int
    path: str


Shown = Callable[[http.HTTPFlow], ShownUrl | None]
"""Takes a flow, returns the URL to show instead of its own; None for its own."""


class ShownUrls:
    """Shows the URLs that `shown` returns, from `apply` to `take_back`."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._replaced: list[tuple[ModuleType, str, object, object]] = []

    def apply(self) -> None:
        """Does nothing in a program without such a list, or where another script replaced the function."""
        for module, name, make in ((_WEB, "flow_to_json", self._json), (_CONSOLE, "format_flow", self._row)):
            loaded = sys.modules.get(module)
            original: Any = getattr(loaded, name, None)
            if loaded is not None and getattr(original, "__module__", "") == module:
                ours = make(original)
                setattr(loaded, name, ours)
                self._replaced.append((loaded, name, original, ours))

    def take_back(self) -> None:
        """Restores mitmproxy's own functions, unless another script replaced ours since."""
        for module, name, original, ours in self._replaced:
            if getattr(module, name) is ours:
                setattr(module, name, original)
        self._replaced.clear()

    def _url(self, flow: object) -> ShownUrl | None:
        """A person who edits a request sees it as it is."""
        if not isinstance(flow, http.HTTPFlow) or flow.intercepted or flow.modified():
            return None
        return self._shown(flow)

    def _json(self, original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def flow_to_json(flow: object) -> dict[str, Any]:
            made = original(flow)
            if (url := self._url(flow)) is not None:
                parts = {"scheme": url.scheme, "pretty_host": url.host, "port": url.port, "path": url.path}
                made["request"] = made["request"] | parts
            return made

        return flow_to_json

    def _row(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def format_flow(f: object, *arguments: Any, **named: Any) -> Any:
            return original(f if (url := self._url(f)) is None else _with(f, url), *arguments, **named)

        return format_flow


def _with(flow: Any, url: ShownUrl) -> http.HTTPFlow:
    """A flow to show, with this URL; all else is that of `flow`."""
    made: http.HTTPFlow = copy.copy(flow)
    made.request = request = copy.copy(flow.request)
    request.data = copy.copy(request.data)
    request.data.headers = request.data.headers.copy()
    request.data.authority = b""
    request.scheme, request.host, request.port, request.path = url
    return made
