"""HTTP/2 at the mirror, and the transport by itself."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import enginetools
import h2.config
import h2.connection
import h2.errors
import h2.events
import httpcore
import httpx
import pytest

from mirror_addon.routing.clusters import TLS
from mirror_addon.shadow.request import Target
from mirror_addon.worker.transport import LaneTransport
from mirror_addon.worker.transport import failure

HOST = "serviceB.default.svc.cluster.local"


@pytest.mark.parametrize("protocol", ["http2", "grpc"])
async def test_http2_by_prior_knowledge(mirrors: Any, engine: Any, h2_mirror: Any, protocol: str) -> None:
    port = await mirrors.start(h2_mirror)
    made = engine(keep_body=100)
    headers = (
        (b"Content-Type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"grpc-timeout", b"1S"),
        (b"x-bin", b"\xff"),
    )
    request = made.request(b"POST", b"/pkg.Service/\xffMethod", headers)
    result = await made.one(port, b"\x00\x00\x00\x00\x03abc", request=request, protocol=protocol)
    assert (result.outcome, result.status, result.http_version, result.body) == ("sent", 200, "HTTP/2", b"ok")
    assert result.headers == ((b"content-type", b"application/grpc"), (b"grpc-status", b"0"))
    assert h2_mirror.headers[0] == [
        (b":method", b"POST"),
        (b":authority", b"svc.example.com-shadow"),
        (b":scheme", b"http"),
        (b":path", b"/pkg.Service/\xffMethod"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"grpc-timeout", b"1S"),
        (b"x-bin", b"\xff"),
        (b"x-forwarded-for", b"10.0.0.1"),
    ]
    assert h2_mirror.bodies == [b"\x00\x00\x00\x00\x03abc"]


async def test_http2_connections_are_used_again(mirrors: Any, engine: Any, h2_mirror: Any) -> None:
    port = await mirrors.start(h2_mirror)
    made = engine()
    for _ in range(5):
        assert (await made.one(port, protocol="http2")).outcome == "sent"
    assert h2_mirror.connections == 1


async def test_a_connection_that_said_goodbye_is_not_used_again(mirrors: Any, engine: Any, h2_mirror: Any) -> None:
    h2_mirror.goaway = True
    port = await mirrors.start(h2_mirror)
    made = engine()
    for _ in range(3):
        assert (await made.one(port, protocol="http2")).outcome == "sent"
        await asyncio.sleep(0.02)
    assert h2_mirror.connections == 3


async def test_a_big_body_over_http2(mirrors: Any, engine: Any, h2_mirror: Any) -> None:
    port = await mirrors.start(h2_mirror)
    made = engine()
    body = bytes(range(256)) * 8000
    result = await made.one(port, body, request=made.request(b"POST"), protocol="grpc")
    assert result.outcome == "sent"
    assert h2_mirror.bodies == [body]


async def test_a_stream_over_http2(mirrors: Any, engine: Any, h2_mirror: Any) -> None:
    port = await mirrors.start(h2_mirror)
    made = engine()
    upload = made.open(made.shadow(port, None, made.request(b"POST"), protocol="grpc"))
    for _ in range(5):
        upload.write(b"message ")
        await asyncio.sleep(0.01)
    upload.end()
    await made.wait(1)
    assert h2_mirror.bodies == [b"message " * 5]
    assert not any(name == b"transfer-encoding" for name, _ in h2_mirror.headers[0])


@pytest.mark.parametrize(
    ("alpn", "version"), [(("h2", "http/1.1"), "HTTP/2"), (("h2",), "HTTP/2"), (("http/1.1",), "HTTP/1.1")]
)
async def test_over_tls_alpn_decides(
    mirrors: Any, engine: Any, authority: Any, h2_mirror: Any, alpn: tuple[str, ...], version: str
) -> None:
    server = authority.server(HOST, alpn=alpn)
    if version == "HTTP/2":
        port = await mirrors.start(h2_mirror, server)
    else:
        port = await mirrors.answering(tls=server)
    result = await engine().one(port, tls=TLS(ca_certificates=str(authority.path)), protocol="http2")
    assert (result.outcome, result.http_version) == ("sent", version), result


async def test_http1_at_a_port_that_should_speak_http2(mirrors: Any, engine: Any) -> None:
    async def http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        while await reader.read(1000):
            pass

    result = await engine().one(await mirrors.start(http1), protocol="http2")
    assert (result.outcome, result.reason) == ("failed", "protocol"), result
    assert "responded with HTTP/1" in result.detail


async def test_resets_over_http2(mirrors: Any, engine: Any) -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)

    settings, stream = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x02"

    async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(settings)
        await reader.read(1000)
        writer.write(stream)
        await reader.read(1000)

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(settings + b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))
        await reader.read(1000)

    made = engine()
    for handler in (closing, resetting, refusing):
        result = await made.one(await mirrors.start(handler), protocol="grpc", timeout=3)
        assert (result.outcome, result.reason) == ("failed", "reset"), result


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (httpcore.ConnectError(), "connect"),
        (httpcore.ReadError(), "reset"),
        (httpcore.WriteError(), "reset"),
        (httpcore.ConnectionNotAvailable(), "reset"),
        (httpcore.LocalProtocolError("x"), "protocol"),
        (httpcore.RemoteProtocolError("x"), "protocol"),
        (httpcore.RemoteProtocolError(object()), "reset"),
        (RuntimeError(), "protocol"),
    ],
)
def test_words_for_errors(error: Exception, word: str) -> None:
    assert failure(error, None, responded=False) == word


async def test_it_is_an_httpx_transport(mirrors: Any) -> None:
    """Its stream is as httpx's, so that httpx.AsyncClient works with it as well."""
    port = await mirrors.answering()
    target = Target("b", "127.0.0.1", port, False, "b", None)
    transport = LaneTransport(target)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        answer = await client.get("http://elsewhere/", extensions={"target": b"//raw"})
        assert (answer.status_code, answer.content, transport.reused) == (200, b"ok", False)
        assert (await client.get("http://elsewhere/", extensions={"target": b"*"})).content == b"ok"
        assert transport.reused
    assert [received.head.split(b"\r\n")[0] for received in mirrors.received] == [
        b"GET //raw HTTP/1.1",
        b"GET * HTTP/1.1",
    ]
    assert transport.stream is None


async def test_bytes_that_nobody_asked_for_spoil_a_connection(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\n\r\n")
    made = engine()
    for _ in range(3):
        result = await made.one(port)
        assert result.status == 200
        await asyncio.sleep(0.02)
    assert mirrors.connections == 3


class Closing:
    """A server that responds to the first request of its first connection, and ends the connection at the second one
    in the way of `end`. Later connections are served as usual, unless `always`."""

    def __init__(self, end: Callable[[asyncio.StreamWriter], None], *, always: bool = False) -> None:
        self.bodies: list[bytes] = []
        self._end = end
        self._always = always
        self._connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number, served = self._connections, 0
        while True:
            received = await enginetools.read_request(reader)
            served += 1
            if (served > 1 and number == 1) or (number > 1 and self._always):
                self._end(writer)
                return
            self.bodies.append(received.body)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


def begin_a_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 2")
    writer.close()


@pytest.mark.parametrize("end", [close, reset])
async def test_an_idempotent_request_that_meets_a_close_is_sent_once_more(mirrors: Any, engine: Any, end: Any) -> None:
    made = engine()
    for method, body in ((b"GET", b""), (b"PUT", b"x" * 200_000), (b"DELETE", b"")):
        server = Closing(end)
        port = await mirrors.start(server)
        request = enginetools.a_request(method)
        assert (await made.one(port, body, request=request)).connect_ms is not None
        result = await made.one(port, body, request=request)
        assert (result.outcome, result.status) == ("sent", 200)
        assert result.connect_ms is not None
        assert server.bodies == [body, body]


@pytest.mark.parametrize("end", [close, reset, begin_a_head])
async def test_one_that_is_not_is_counted_as_reset(mirrors: Any, engine: Any, end: Any) -> None:
    made = engine()
    port = await mirrors.start(Closing(end))
    request = enginetools.a_request(b"POST")
    await made.one(port, b"body", request=request)
    result = await made.one(port, b"body", request=request)
    assert (result.outcome, result.reason) == ("failed", "reset")
    assert mirrors.connections == 1


async def test_nothing_is_sent_a_third_time_or_after_a_byte_of_a_response(mirrors: Any, engine: Any) -> None:
    made = engine()
    for server, connections in ((Closing(close, always=True), 2), (Closing(begin_a_head), 1)):
        before, port = mirrors.connections, await mirrors.start(server)
        await made.one(port)
        result = await made.one(port)
        assert (result.outcome, result.reason) == ("failed", "reset")
        assert mirrors.connections - before == connections


async def test_a_body_that_came_in_parts_is_not_sent_again(mirrors: Any, engine: Any) -> None:
    made = engine()
    port = await mirrors.start(Closing(close))
    await made.one(port)
    upload = made.open(made.shadow(port, None, enginetools.a_request(b"PUT")))
    upload.write(b"part")
    upload.end()
    await made.wait(2)
    assert (made.results[1].outcome, made.results[1].reason) == ("failed", "reset")


async def test_tls_that_is_closed_in_the_proper_way(mirrors: Any, engine: Any, authority: Any) -> None:
    made = engine()
    for method, outcome in ((b"GET", "sent"), (b"POST", "failed")):
        port = await mirrors.start(Closing(close), tls=authority.server(HOST))
        settings = {"tls": TLS(insecure_skip_verify=True), "request": enginetools.a_request(method)}
        assert (await made.one(port, **settings)).outcome == "sent"
        assert (await made.one(port, **settings)).outcome == outcome
    assert made.results[-1].reason == "reset"


@pytest.mark.parametrize("frame", ["goaway", "refused"])
async def test_http2_that_says_it_did_not_process_the_request(mirrors: Any, engine: Any, frame: str) -> None:
    """Whatever the method is (RFC 9113 8.7)."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        state.initiate_connection()
        writer.write(state.data_to_send())
        while data := await reader.read(65536):
            for event in state.receive_data(data):
                if not isinstance(event, h2.events.StreamEnded) or event.stream_id is None:
                    continue
                if connections == 1 and event.stream_id > 1 and frame == "goaway":
                    state.close_connection(last_stream_id=1)
                elif connections == 1 and event.stream_id > 1:
                    state.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                else:
                    state.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
            writer.write(state.data_to_send())
            await writer.drain()

    made = engine()
    port = await mirrors.start(serve)
    for _ in range(2):
        request = enginetools.a_request(b"POST")
        result = await made.one(port, b"body", protocol="http2", request=request)
        assert (result.outcome, result.status) == ("sent", 200)
    assert connections == 2
