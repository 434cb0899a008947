"""An HTTP/1.1 connection that gives way to others, and that tells faults of the request from those of the mirror.

This overrides internal methods of httpcore, as `duplex` does.
"""

from __future__ import annotations

from typing import Any

import h11
import httpcore

from mirror_addon.worker.local_fault import LocalFault
from mirror_addon.worker.pace import MAX_INFORMATIONAL

OVERRIDDEN = ("_send_request_headers", "_send_event", "_receive_event")
"""Methods of `httpcore.AsyncHTTP11Connection` that are overridden here."""


class Http1Connection(httpcore.AsyncHTTP11Connection):
    """Its network stream is a `network.Stream`. Raises LocalFault for a request that HTTP/1.1 has no form for."""

    _interim = 0
    """Interim responses since the last final one."""

    async def _send_request_headers(self, request: httpcore.Request) -> None:
        try:
            await super()._send_request_headers(request)
        except httpcore.LocalProtocolError as error:
            raise LocalFault(str(error)) from error

    async def _send_event(self, event: Any, timeout: float | None = None) -> None:
        try:
            await super()._send_event(event, timeout)
        except h11.LocalProtocolError as error:  # such as a body that is longer than its Content-Length
            raise LocalFault(str(error)) from error

    async def _receive_event(self, timeout: float | None = None) -> Any:
        event = await super()._receive_event(timeout)
        if type(event) is h11.InformationalResponse:
            self._interim += 1
            if self._interim > MAX_INFORMATIONAL:
                raise httpcore.RemoteProtocolError(f"more than {MAX_INFORMATIONAL} interim responses")
        elif type(event) is h11.Response:
            self._interim = 0
        await self._network_stream.give_way()  # type: ignore[attr-defined]  # a Stream
        return event
