"""A lane's transport: httpx's interface over one httpcore connection, without a pool (see `lanes` for the reason)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx

from mirror_addon.shadow import tls
from mirror_addon.shadow.request import Target
from mirror_addon.worker.duplex import LaneConnection
from mirror_addon.worker.httpcore_internals import has_unread_bytes
from mirror_addon.worker.httpcore_internals import is_http2_end
from mirror_addon.worker.httpcore_internals import is_http2_reset
from mirror_addon.worker.httpcore_internals import is_unprocessed
from mirror_addon.worker.local_fault import LocalFault
from mirror_addon.worker.network import Backend
from mirror_addon.worker.network import Stream
from mirror_addon.worker.pace import Pace
from mirror_addon.worker.trailers import Fields

_UNIX = "unix://"
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""Methods of RFC 9110 9.2.2."""


class _ResponseStream(httpx.AsyncByteStream):
    """httpcore's response stream as one of httpx. It has no generator of its own, which would cost time per part."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: AsyncIterator[bytes] = self._stream.__aiter__()
        return chunks

    async def aclose(self) -> None:
        await self._stream.aclose()


class LaneTransport(httpx.AsyncBaseTransport):
    """Sends every request to `target`, whatever the request's URL says.

    The raw request target is `extensions["target"]`. The method is `extensions["method"]`, because httpx turns its own
    into upper case. Header fields and stream are sent as they are.

    Raises httpcore's exceptions and LocalFault, see `failure`. As with every httpx transport, each response has to be
    closed.
    """

    def __init__(self, target: Target, pace: Pace | None = None) -> None:
        """`pace`: of the mirror, shared by its lanes."""
        self._target = target
        self._pace = pace if pace is not None else Pace()
        self._scheme = b"http" if target.tls is None else b"https"
        self._uds = target.address[len(_UNIX) :] if target.address.startswith(_UNIX) else None
        self._host = b"localhost" if self._uds is not None else target.address.encode("ascii", "backslashreplace")
        # A Unix socket has port 0. httpcore.URL.origin would replace that by the scheme's default port, and a
        # connection takes only requests for its own origin.
        self._port = target.port or 80
        self._origin = httpcore.Origin(self._scheme, self._host, self._port)
        self._backend = Backend()
        self._connection: httpcore.AsyncHTTPConnection | None = None
        self.reused = False
        """Whether the last request was sent over a connection that had carried another one."""

    @property
    def stream(self) -> Stream | None:
        """The network stream of the present connection, if there is one."""
        return self._backend.stream

    @property
    def connect_seconds(self) -> float | None:
        """How long connecting took: name lookup, TCP and TLS. None if the last request needed no new connection."""
        stream = self._backend.stream
        return None if self.reused or stream is None else stream.connected_at - self._backend.begun_at

    def trailers(self) -> Fields:
        """The trailers of a response over HTTP/2 that has been read to its end; empty for HTTP/1.1."""
        stream = self._backend.stream
        return stream.trailers.take() if stream is not None and stream.trailers is not None else ()

    def reusable(self) -> bool:
        """Whether the present connection can carry another request. One that the server has closed cannot."""
        connection, stream = self._connection, self._backend.stream
        if connection is None or stream is None or not connection.is_idle() or stream.stale():
            return False
        return stream.http2 or not has_unread_bytes(connection)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reused = self.reusable()
        if self.reused:
            assert self._backend.stream is not None
            self._backend.stream.begin_request()
        else:
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
        assert self._backend.stream is not None
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
        names = settings.subject_alt_names if settings is not None and not settings.insecure_skip_verify else ()
        self._backend = Backend(names, http2=settings is None and self._target.http2, pace=self._pace)
        if settings is not None:
            try:
                context = tls.context(settings)
            except OSError as error:
                raise httpcore.ConnectError(f"TLS settings: {error}") from error
        # Without TLS a port's protocol decides (HTTP/2 with prior knowledge); with TLS, ALPN does.
        return LaneConnection(
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
            # For HTTP/2 a GOAWAY frame is sent, and h2 raises if the connection's state does not allow one any more.
            with contextlib.suppress(Exception):
                await connection.aclose()
        if stream is not None:
            stream.close()


def failure(error: Exception, stream: Stream | None, *, responded: bool) -> str:
    """The counters' word for an exception: `connect`, `reset` or `protocol`; `unsendable` for a fault of this side.

    `stream` is the connection it happened on; `responded`, whether the head of a response had been received.
    """
    if isinstance(error, LocalFault):
        return "unsendable"
    if isinstance(error, httpcore.ConnectError):
        return "connect"
    if isinstance(error, httpcore.NetworkError):
        return "reset"
    if isinstance(error, httpcore.ConnectionNotAvailable):
        return "reset"  # HTTP/2: a GOAWAY frame says that the request was not processed
    if isinstance(error, httpcore.RemoteProtocolError):
        if is_http2_reset(error):
            return "reset"
        # The server closed the connection before the response was complete. If it did so before the end of the head,
        # that may not have been HTTP.
        if stream is not None and stream.eof_read and (responded or stream.speaks_http):
            return "reset"
    return "protocol"


def may_repeat(error: Exception, method: bytes, stream: Stream | None) -> bool:
    """Whether a request that met this error on a kept connection, without a response, may be sent again on a new one.

    `method` is the request's, and `stream` the connection. A server may close a connection at any time, also while a
    request is on its way (RFC 9112 9.3.1). If the method is idempotent, it does no harm if the server has acted on the
    request (RFC 9110 9.2.2); if an HTTP/2 server says that it has not processed it, the method does not matter
    (RFC 9113 8.7).
    """
    if is_unprocessed(error):
        return True
    if method not in IDEMPOTENT or stream is None:
        return False
    if stream.speaks_http2:
        return isinstance(error, httpcore.NetworkError) or stream.eof_read or is_http2_end(error)
    closed = isinstance(error, (httpcore.NetworkError, httpcore.RemoteProtocolError))
    return closed and stream.eof and not stream.received
