"""These tests use the httpcore that is installed: they fail where it has not what the worker uses of it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpcore
import httpx
import pytest

from mirror_addon.shadow.request import Target
from mirror_addon.worker.httpcore_internals import has_unread_bytes
from mirror_addon.worker.httpcore_internals import is_http2_reset
from mirror_addon.worker.httpcore_internals import missing
from mirror_addon.worker.network import Backend
from mirror_addon.worker.transport import LaneTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def exchange(port: int, **options: Any) -> httpcore.AsyncHTTPConnection:
    """A connection that has carried one request."""
    origin = httpcore.Origin(b"http", b"127.0.0.1", port)
    connection = httpcore.AsyncHTTPConnection(origin, network_backend=Backend(), **options)
    response = await connection.request("GET", f"http://127.0.0.1:{port}/", extensions={"timeout": {}})
    assert response.status == 200
    return connection


def test_nothing_is_missing() -> None:
    assert missing() == ""


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(httpcore.AsyncHTTP11Connection):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            del self._h11_state

    monkeypatch.setattr(httpcore, "AsyncHTTP11Connection", Other)
    assert httpcore.__version__ in missing()
    assert "connection of its own" in missing()


def test_parts_of_http2_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(httpcore.AsyncHTTP2Connection, "_send_end_stream")
    assert "parts of its HTTP/2" in missing()


async def test_unread_bytes_are_found(mirrors: Any) -> None:
    clean, extra = await mirrors.answering(OK), await mirrors.answering(OK + b"HTTP/1.1 500 Smuggled\r\n\r\n")
    for port, unread in ((clean, False), (extra, True)):
        connection = await exchange(port)
        assert connection.is_idle()
        assert has_unread_bytes(connection) is unread
        await connection.aclose()


async def test_without_the_parser_no_connection_is_used_twice(mirrors: Any) -> None:
    transport = LaneTransport(Target("b", "127.0.0.1", await mirrors.answering(OK), False, "b", None))

    async def get() -> None:
        response = await transport.handle_async_request(httpx.Request("GET", "http://b/", extensions={"target": b"/"}))
        await response.aread()
        await response.aclose()

    for _ in range(2):
        await get()
    assert mirrors.connections == 1
    assert transport._connection is not None
    del transport._connection._connection._h11_state  # type: ignore[union-attr]
    await get()
    assert mirrors.connections == 2
    await transport.aclose()


SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
RST_STREAM = b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x02"
GOAWAY = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8)


@pytest.mark.parametrize("frame", [RST_STREAM, GOAWAY])
async def test_an_http2_reset_is_recognized(mirrors: Any, frame: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SETTINGS)
        await reader.read(1000)
        writer.write(frame)
        await writer.drain()
        await reader.read()

    # A GOAWAY frame before the request is another exception, which is documented.
    with pytest.raises((httpcore.RemoteProtocolError, httpcore.ConnectionNotAvailable)) as caught:
        await exchange(await mirrors.start(handler), http1=False, http2=True)
    error = caught.value
    assert isinstance(error, httpcore.ConnectionNotAvailable) or is_http2_reset(error)


@pytest.mark.parametrize("response", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_other_errors_are_no_resets(mirrors: Any, response: bytes) -> None:
    with pytest.raises(httpcore.RemoteProtocolError) as caught:
        await exchange(await mirrors.answering(response))
    assert not is_http2_reset(caught.value)
