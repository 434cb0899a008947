"""Shadows over HTTP/2 whose response comes while the request is sent, against servers written with h2."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.events

GRPC = (b"content-type", b"application/grpc")


class Scripted:
    """An HTTP/2 server that passes each event to `react`, which writes to `state`, and keeps the events."""

    def __init__(self, react: Callable[[Scripted, h2.events.Event], None]) -> None:
        self.react = react
        self.events: list[h2.events.Event] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=False))
        self.state.initiate_connection()
        writer.write(self.state.data_to_send())
        while data := await reader.read(65536):
            for event in self.state.receive_data(data):
                self.events.append(event)
                self.react(self, event)
            writer.write(self.state.data_to_send())
            await writer.drain()

    def seen(self, kind: type[h2.events.Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def opened(made: Any, port: int) -> Any:
    return made.open(made.shadow(port, None, made.request(b"POST", b"/a.B/C", (GRPC,)), protocol="grpc"))


async def test_trailers_of_a_streamed_request(mirrors: Any, engine: Any, h2_mirror: Any) -> None:
    made = engine()
    upload = opened(made, await mirrors.start(h2_mirror))
    upload.write(b"message")
    upload.end(((b"X-Sum", b"\xff1"),))
    await made.wait(1)
    assert (made.results[0].outcome, h2_mirror.bodies) == ("sent", [b"message"])
    assert h2_mirror.trailers == [[(b"x-sum", b"\xff1")]]


async def test_a_mirror_that_ends_the_call_before_the_client_does(mirrors: Any, engine: Any) -> None:
    def refuse(server: Scripted, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            server.state.send_headers(event.stream_id or 0, [(":status", "200"), ("grpc-status", "9")], end_stream=True)

    server = Scripted(refuse)
    made = engine(keep_body=100)
    port = await mirrors.start(server)
    for number in range(2):
        upload = opened(made, port)
        upload.write(b"message")
        await made.wait(number + 1)
        assert made.results[number].outcome == "sent"
        assert (b"grpc-status", b"9") in made.results[number].headers
        upload.write(b"more")
        upload.end()
    await until(lambda: len(server.seen(h2.events.StreamReset)) == 2)
    assert server.connections == 1, "the connection is used again"


async def test_a_mirror_that_says_much_before_it_listens_again(mirrors: Any, engine: Any) -> None:
    """More than fits into windows and sockets, all while the client waits."""
    size, sent, begun = 24 * 1024 * 1024, 0, False

    def talk(server: Scripted, event: h2.events.Event) -> None:
        nonlocal sent, begun
        if isinstance(event, h2.events.RequestReceived):
            begun = True
            server.state.send_headers(1, [(":status", "200")])
        while begun and sent < size and (room := min(server.state.local_flow_control_window(1), 16384, size - sent)):
            server.state.send_data(1, bytes(room))
            sent += room
        if isinstance(event, h2.events.StreamEnded):
            server.state.send_headers(1, [("grpc-status", "0")], end_stream=True)

    server = Scripted(talk)
    made = engine()
    upload = opened(made, await mirrors.start(server))
    upload.write(b"go on")
    await until(lambda: sent == size)
    upload.end()
    await made.wait(1)
    assert (made.results[0].outcome, made.results[0].bytes) == ("sent", size)


async def test_pings_are_answered_while_the_client_thinks(mirrors: Any, engine: Any) -> None:
    def ping(server: Scripted, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            server.state.ping(b"are you?")
        elif isinstance(event, h2.events.StreamEnded):
            server.state.send_headers(1, [(":status", "200")], end_stream=True)

    server = Scripted(ping)
    made = engine()
    upload = opened(made, await mirrors.start(server))
    upload.write(b"message")
    await until(lambda: server.seen(h2.events.PingAckReceived))
    upload.end()
    await made.wait(1)
    assert made.results[0].outcome == "sent"


async def test_a_window_that_opens_late(mirrors: Any, engine: Any) -> None:
    body = bytes(range(256)) * 2048
    received = bytearray()

    def hold(server: Scripted, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            received.extend(event.data or b"")
            if len(received) % 65535 == 0 or len(received) == len(body):
                server.state.increment_flow_control_window(65535)
                server.state.increment_flow_control_window(65535, 1)
        elif isinstance(event, h2.events.StreamEnded):
            server.state.send_headers(1, [(":status", "204")], end_stream=True)

    server = Scripted(hold)
    made = engine()
    result = await made.one(
        await mirrors.start(server), body, request=made.request(b"POST", b"/", (GRPC,)), protocol="grpc"
    )
    assert (result.outcome, result.status, bytes(received) == body) == ("sent", 204, True)


async def test_a_mirror_that_goes_away_in_the_middle(mirrors: Any, engine: Any) -> None:
    def leave(server: Scripted, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            server.state.close_connection(last_stream_id=0)

    made = engine()
    upload = opened(made, await mirrors.start(Scripted(leave)))
    upload.write(b"message")
    await made.wait(1)
    assert (made.results[0].outcome, made.results[0].reason) == ("failed", "reset")


async def test_a_client_that_gives_up(mirrors: Any, engine: Any) -> None:
    server = Scripted(lambda server, event: None)
    made = engine()
    upload = opened(made, await mirrors.start(server))
    upload.write(b"message")
    await until(lambda: server.seen(h2.events.DataReceived))
    upload.abort()
    await made.wait(1)
    assert (made.results[0].outcome, made.results[0].reason) == ("dropped", "aborted")
