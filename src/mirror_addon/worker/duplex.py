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

OVERRIDDEN = (
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
    _news: asyncio.Future[None] | None = None
    """While the sender waits for an event of the connection."""

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
        self._h2_state.send_headers(stream_id, [(name.lower(), value) for name, value in trailers], end_stream=True)
        await self._write_outgoing_data(request)

    async def _wait_for_outgoing_flow(self, request: httpcore.Request, stream_id: int) -> int:
        """Return how many bytes may be sent. They are granted by events that the reader reads."""
        state = self._h2_state
        while not (room := min(state.local_flow_control_window(stream_id), state.max_outbound_frame_size)) > 0:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return int(room)

    async def _read_incoming_data(self, request: httpcore.Request) -> list[h2.events.Event]:
        events: list[h2.events.Event] = await super()._read_incoming_data(request)
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
    """A connection whose HTTP/2, if that is what it turns out to speak, is a `DuplexConnection`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_connection" and type(value) is httpcore.AsyncHTTP2Connection:
            value.__class__ = DuplexConnection
        super().__setattr__(name, value)
