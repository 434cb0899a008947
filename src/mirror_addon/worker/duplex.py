"""HTTP/2 in both directions at once: the response is read while the request is sent.

httpcore's HTTP/2 connection sends the whole request first. A mirror that responds to each message of a gRPC dialogue,
or pings its client meanwhile, would wait for its reader, and its refusal would be read when the client ends the call.
Here the body is sent by a task of its own, which ends with the response. Trailers of the request are sent too.

This overrides internal methods of httpcore, whose versions `pyproject.toml` limits; `httpcore_internals.missing` is the
check at the worker's start. h2 does all of the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import h2.errors
import h2.events
import h2.exceptions
import httpcore

from mirror_addon.worker.http1 import Http1Connection
from mirror_addon.worker.local_fault import LocalFault
from mirror_addon.worker.pace import MAX_INFORMATIONAL

OVERRIDDEN = (
    "_send_request_headers",
    "_send_request_body",
    "_send_end_stream",
    "_wait_for_outgoing_flow",
    "_read_incoming_data",
    "_write_outgoing_data",
    "_response_closed",
)
"""Methods of `httpcore.AsyncHTTP2Connection` that are overridden or called here."""


class DuplexConnection(httpcore.AsyncHTTP2Connection):
    """An HTTP/2 connection that carries one request at a time.

    If `request.stream` has an attribute `trailers`, a tuple of fields, they are sent at the end of the body.
    """

    _sender: asyncio.Task[None] | None = None
    _fault: LocalFault | None = None
    """What the sender met that is not the mirror's fault."""
    _interim = 0
    """Interim responses of the present request."""
    _news: asyncio.Future[None] | None = None
    """While the sender waits for an event of the connection."""

    async def _send_request_headers(self, request: httpcore.Request, stream_id: int) -> None:
        self._fault, self._interim = None, 0
        try:
            await super()._send_request_headers(request, stream_id)
        except h2.exceptions.ProtocolError as error:
            if self._network_stream.eof or self._connection_terminated:  # type: ignore[attr-defined]  # a Stream
                raise
            raise LocalFault(str(error) or type(error).__name__) from error

    async def _send_request_body(self, request: httpcore.Request, stream_id: int) -> None:
        self._sender = asyncio.create_task(self._send_all(request, stream_id))

    async def _send_all(self, request: httpcore.Request, stream_id: int) -> None:
        try:
            await super()._send_request_body(request, stream_id)
        except h2.exceptions.ProtocolError:
            pass  # the mirror ended the stream or the connection, and the reader reads how
        except Exception:  # the reader meets the same error, or is to end with this one
            await self._network_stream.aclose()

    async def _send_end_stream(self, request: httpcore.Request, stream_id: int) -> None:
        trailers = getattr(request.stream, "trailers", ())
        if not trailers:
            await super()._send_end_stream(request, stream_id)
            return
        fields = [(name.lower(), value) for name, value in trailers]
        try:
            self._h2_state.send_headers(stream_id, fields, end_stream=True)
        except h2.exceptions.StreamClosedError:
            raise
        except h2.exceptions.ProtocolError as error:
            self._fault = LocalFault(f"trailers: {error}")
            raise self._fault from error
        await self._write_outgoing_data(request)

    async def _wait_for_outgoing_flow(self, request: httpcore.Request, stream_id: int) -> int:
        """Return how many bytes may be sent. They are granted by events that the reader reads."""
        state = self._h2_state
        while not (room := min(state.local_flow_control_window(stream_id), state.max_outbound_frame_size)) > 0:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return int(room)

    async def _read_incoming_data(self, request: httpcore.Request) -> list[h2.events.Event]:
        try:
            events: list[h2.events.Event] = await super()._read_incoming_data(request)
        except httpcore.RemoteProtocolError:
            if self._fault is not None:  # the sender has closed the connection
                raise self._fault from None
            raise
        self._interim += sum(type(event) is h2.events.InformationalResponseReceived for event in events)
        if self._interim > MAX_INFORMATIONAL:
            raise httpcore.RemoteProtocolError(f"more than {MAX_INFORMATIONAL} interim responses")
        await self._network_stream.give_way()  # type: ignore[attr-defined]  # a Stream
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
        return events

    async def _response_closed(self, stream_id: int) -> None:
        sender, self._sender = self._sender, None
        if sender is not None and not sender.done():
            sender.cancel()
            with contextlib.suppress(h2.exceptions.ProtocolError, httpcore.NetworkError):
                self._h2_state.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
                await self._network_stream.write(self._h2_state.data_to_send())
        await super()._response_closed(stream_id)

    async def aclose(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
        await super().aclose()


class LaneConnection(httpcore.AsyncHTTPConnection):
    """A connection that becomes a `DuplexConnection` or an `Http1Connection`, by what it turns out to speak."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_connection" and (ours := _OURS.get(type(value))) is not None:
            value.__class__ = ours
        super().__setattr__(name, value)


_OURS: dict[type, Any] = {
    httpcore.AsyncHTTP2Connection: DuplexConnection,
    httpcore.AsyncHTTP11Connection: Http1Connection,
}
