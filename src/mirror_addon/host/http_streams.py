"""Three moments of mitmproxy's `HttpStream`, the layer of one request and its response, for which there is no hook.

Theory of operation. mitmproxy calls the hooks of all addons for an event, then waits until the flow is resumed if one
of them intercepted it, and only then goes on. An addon's own hook is somewhere in the middle of that: behind it,
scripts and options such as `--modify-headers` still change the message, and a person may edit or kill it. What goes
over the wire can be seen at three methods only:

    make_server_connection            called once for each request that is sent, when it is sent: not for one that was
                                      killed, whose client is gone, or that an addon responded to. For a body that is
                                      streamed this is the end of the event `requestheaders`, else of `request`.
    state_wait_for_response_headers   called with the response's head, before the event `responseheaders`
    send_response                     called when the response is complete, before the event `response`, also where an
                                      addon made the response

Each is replaced by a function that calls ours first and then mitmproxy's own. Ours must not raise, and must return
quickly: it runs between two reads of the connection.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from mitmproxy import http
from mitmproxy.proxy.layers.http import HttpStream

logger = logging.getLogger(__name__)

Moment = Callable[[http.HTTPFlow], None]

_CALLERS = {
    "start_request_stream": {"make_server_connection"},
    "state_consume_request_body": {"check_killed", "response", "make_server_connection"},
}
"""The methods that send a request, and what their code must use for `make_server_connection` to be that moment."""


class HttpStreams:
    """Calls `leaves`, `begins` and `ends` at the three moments, from `take` to `give_back`."""

    def __init__(self, leaves: Moment, begins: Moment, ends: Moment) -> None:
        self._leaves: Moment | None = leaves
        self._begins = begins
        self._ends = ends
        self._replaced: dict[str, tuple[Any, Any]] = {}
        """By name: mitmproxy's method and ours."""
        self.taken = False
        """Whether the moments are called."""

    def take(self) -> None:
        """Call the moments from now on. Where this mitmproxy is not known to have them, that is logged."""
        if not _is_known():
            logger.warning(
                "mirror: this mitmproxy sends requests in another way: shadows have what addons before this one "
                "changed in requests, and not what those behind it changed"
            )
            return
        self._replace("make_server_connection", self._connecting)
        self._replace("state_wait_for_response_headers", self._responding)
        self._replace("send_response", self._responded)
        self.taken = True

    def give_back(self) -> None:
        """Restore mitmproxy's methods, unless another script replaced ours since: ours then does nothing."""
        self._leaves, self.taken = None, False
        for name, (method, ours) in self._replaced.items():
            if getattr(HttpStream, name) is ours:
                setattr(HttpStream, name, method)
        self._replaced.clear()

    def _replace(self, name: str, around: Callable[[Any], Any]) -> None:
        method = getattr(HttpStream, name)
        ours = functools.wraps(method)(around(method))
        setattr(HttpStream, name, ours)
        self._replaced[name] = method, ours

    def _connecting(self, method: Any) -> Any:
        def make_server_connection(stream: HttpStream) -> Any:
            if self._leaves is not None:
                self._leaves(stream.flow)
            return method(stream)

        return make_server_connection

    def _responding(self, method: Any) -> Any:
        def state_wait_for_response_headers(stream: HttpStream, event: Any) -> Any:
            if self._leaves is not None:
                flow = stream.flow
                flow.response = event.response  # as mitmproxy's method does first
                self._begins(flow)
            return method(stream, event)

        return state_wait_for_response_headers

    def _responded(self, method: Any) -> Any:
        def send_response(stream: HttpStream, *arguments: Any, **named: Any) -> Any:
            if self._leaves is not None:
                self._ends(stream.flow)
            return method(stream, *arguments, **named)

        return send_response


def _is_known() -> bool:
    """Whether the methods are there as in mitmproxy 11.0.2 to 12.3.1: generators, with the expected callers."""
    for name in ("make_server_connection", "state_wait_for_response_headers", "send_response"):
        if not inspect.isgeneratorfunction(inspect.unwrap(getattr(HttpStream, name, len))):
            return False
    for name, used in _CALLERS.items():
        code = getattr(inspect.unwrap(getattr(HttpStream, name, len)), "__code__", None)
        if code is None or not used.issubset(code.co_names):
            return False
    return True
