"""The annotation `mirror-addon/when` for an exchange behind Envoy: a flow of mitmproxy for its filter.

Imported only where a rule has the annotation: no other part of the processor needs mitmproxy.
"""

from __future__ import annotations

from mitmproxy import http

from mirror_addon.admission.when import compile_when
from mirror_addon.captures.entry import flow_of
from mirror_addon.processor.arrived import Arrived
from mirror_addon.processor.arrived import split_address
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.names import without_port


class Filtered:
    """The filter `text` and the exchange that it is for. `body`: whether the request has one, which is yet to come."""

    def __init__(self, text: str, arrived: Arrived, start: float, *, body: bool) -> None:
        asked = arrived.asked
        self._when = compile_when(text)
        self._start = start
        request = http.Request(
            host=without_port(asked.authority).decode("utf-8", "surrogateescape"),
            port=asked.port,
            method=asked.method,
            scheme=asked.scheme,
            authority=b"",
            path=asked.path,
            http_version=b"HTTP/1.1",
            headers=http.Headers(((b"Host", asked.authority), *asked.headers)),
            content=None if body else b"",
            trailers=None,
            timestamp_start=start,
            timestamp_end=None,
        )
        self._flow = flow_of(request, split_address(arrived.client), None)

    def complete(self, body: bytes, trailers: Fields) -> None:
        """The request is."""
        self._flow.request.raw_content = body
        self._flow.request.trailers = http.Headers(trailers) if trailers else None

    def answered(self, status: int | None, fields: Fields, body: bytes) -> None:
        """The response is complete. Its trailers are among the `fields`, as in records."""
        self._flow.response = http.Response(
            http_version=b"HTTP/1.1",
            status_code=status or 0,
            reason=b"",
            headers=http.Headers(fields),
            content=body,
            trailers=None,
            timestamp_start=self._start,
            timestamp_end=self._start,
        )

    def now(self) -> bool | None:
        """Return whether it matches; None if that depends on what is still to come."""
        return self._when.now(self._flow)

    def at_end(self) -> bool:
        """Return whether it matches now that nothing more comes."""
        return self._when.at_end(self._flow)
