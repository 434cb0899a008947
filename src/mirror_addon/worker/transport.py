"""One lane's way to a mirror: an httpx transport of a single connection.

httpx's own transport keeps a pool, which looks at every connection, with a system call each, at every request. A lane
needs one connection and no pool.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable
from collections.abc import AsyncIterator
from typing import Any

import h11
import httpcore
import httpx

from mirror_addon.shadow import tls
from mirror_addon.shadow.request import Target
from mirror_addon.worker.network import Backend
from mirror_addon.worker.network import Stream
from mirror_addon.worker.trailers import Fields

_UNIX = "unix://"


class _ResponseStream(httpx.AsyncByteStream):
    """httpcore's stream as httpx wants it, without a generator between."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: AsyncIterator[bytes] = self._stream.__aiter__()
        return chunks

    async def aclose(self) -> None:
        await self._stream.aclose()


class LaneTransport(httpx.AsyncBaseTransport):
    """Sends to `target`, whatever a request's URL says; the raw request target is `extensions["target"]`, the method
    in its own case `extensions["method"]`. Header fields and stream are sent as they are.

    Raises httpcore's exceptions, which `failure` turns into the counters' words. Like every httpx transport it wants
    each response's stream closed.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._scheme = b"http" if target.tls is None else b"https"
        self._uds = target.address[len(_UNIX) :] if target.address.startswith(_UNIX) else None
        self._host = b"localhost" if self._uds is not None else target.address.encode("ascii", "backslashreplace")
        self._port = target.port or 80  # a Unix socket has none, and httpcore takes 0 for the scheme's own
        self._origin = httpcore.Origin(self._scheme, self._host, self._port)
        self._backend = Backend()
        self._connection: httpcore.AsyncHTTPConnection | None = None
        self.reused = False
        """The last request went over a connection that was already there."""

    @property
    def stream(self) -> Stream | None:
        """The present connection, if there is one."""
        return self._backend.stream

    def trailers(self) -> Fields:
        """Those of the answer that was read to its end, over HTTP/2."""
        stream = self._backend.stream
        return stream.trailers.take() if stream is not None and stream.trailers is not None else ()

    def _reusable(self) -> bool:
        """Is there a connection on which the next request can be sent? One that the server has ended in the meantime
        is none: a shadow written to it would be lost, and shadows are not sent twice."""
        connection, stream = self._connection, self._backend.stream
        if connection is None or stream is None or not connection.is_idle() or stream.stale():
            return False
        # What came after the answer would be read as the next one's. httpcore does not look and shows no way to, so
        # this reaches through it to h11.
        parser: h11.Connection | None = getattr(getattr(connection, "_connection", None), "_h11_state", None)
        return parser is None or not parser.trailing_data[0]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reused = self._reusable()
        if not self.reused:
            await self.aclose()
            self._connection = self._connect()
        assert self._connection is not None
        assert isinstance(request.stream, AsyncIterable)
        response = await self._connection.handle_async_request(
            httpcore.Request(
                request.extensions.get("method", request.method),
                httpcore.URL(
                    scheme=self._scheme,
                    host=self._host,
                    port=self._port,
                    target=request.extensions["target"],
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"sni_hostname": self._target.server_name},
            )
        )
        if self._backend.stream is not None:
            self._backend.stream.http2 = response.extensions.get("http_version") == b"HTTP/2"
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_ResponseStream(response.stream),
            extensions=response.extensions,
        )

    def _connect(self) -> httpcore.AsyncHTTPConnection:
        settings = self._target.tls
        context = None
        self._backend = Backend(http2=settings is None and self._target.http2)
        if settings is not None:
            if not settings.insecure_skip_verify:
                self._backend = Backend(settings.subject_alt_names)
            try:
                context = tls.context(settings)
            except OSError as error:
                raise httpcore.ConnectError(f"TLS settings: {error}") from error
        return httpcore.AsyncHTTPConnection(
            self._origin,
            ssl_context=context,
            http1=settings is not None or not self._target.http2,
            http2=settings is not None or self._target.http2,
            uds=self._uds,
            network_backend=self._backend,
        )

    async def aclose(self) -> None:
        connection, stream = self._connection, self._backend.stream
        self._connection = None
        self._backend.stream = None
        if connection is not None:
            with contextlib.suppress(Exception):  # h2 says goodbye first, and raises where it is too late for that
                await connection.aclose()
        if stream is not None:
            stream.close()


def failure(error: Exception, stream: Stream | None, *, answered: bool) -> str:
    """The counters' word for an exception: `connect`, `reset` or `protocol`. `answered`: the answer's head came."""
    if isinstance(error, httpcore.ConnectError):
        return "connect"
    if isinstance(error, httpcore.NetworkError):
        return "reset"
    if isinstance(error, httpcore.ConnectionNotAvailable):
        return "reset"  # HTTP/2: the server said GOAWAY before it took the request
    if isinstance(error, httpcore.RemoteProtocolError):
        if error.args and not isinstance(error.args[0], (str, Exception)):
            return "reset"  # HTTP/2: httpcore passes the event, RST_STREAM or GOAWAY
        if stream is not None and stream.eof_read and (answered or not stream.received):
            return "reset"
    return "protocol"
