"""Trailers read out of the bytes of an HTTP/2 connection, as h2 writes them."""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.worker.trailers import TrailerReader

TRAILERS = ((b"grpc-status", b"0"), (b"grpc-message", b"\xff fine"))


class Server:
    """The server's side of a connection on which a client has asked so many times."""

    def __init__(self, requests: int) -> None:
        client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=False))
        client.initiate_connection()
        fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
        for number in range(requests):
            client.send_headers(2 * number + 1, fields, end_stream=True)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=False))
        self.h2.initiate_connection()
        self.h2.receive_data(client.data_to_send())
        self._stream = -1

    def answer(self, body: bytes = b"ok", trailers: Any = TRAILERS, head: Any = ((b"x-a", b"1"),)) -> bytes:
        self._stream += 2
        stream = self._stream
        self.h2.send_headers(stream, [(":status", "200"), *head], end_stream=not body and not trailers)
        if body:
            self.h2.send_data(stream, body, end_stream=not trailers)
        if trailers:
            self.h2.send_headers(stream, trailers, end_stream=True)
        data: bytes = self.h2.data_to_send()
        return data


@given(st.lists(st.integers(1, 40), max_size=60), st.binary(max_size=300))
def test_they_are_found_however_the_bytes_are_cut(cuts: list[int], body: bytes) -> None:
    server, reader = Server(3), TrailerReader()
    for trailers in (TRAILERS, (), ((b"grpc-status", b"13"), (b"x-again", b"1"))):
        data = server.answer(body, trailers)
        for cut in cuts:
            reader.feed(data[:cut])
            data = data[cut:]
        reader.feed(data)
        assert reader.take() == trailers
        assert reader.take() == ()


def test_an_interim_answer_is_none() -> None:
    server, reader = Server(1), TrailerReader()
    server.h2.send_headers(1, [(":status", "103"), ("link", "</a>")])
    reader.feed(server.h2.data_to_send())
    assert reader.take() == ()
    reader.feed(server.answer())
    assert reader.take() == TRAILERS


def test_blocks_in_several_frames() -> None:
    long = tuple((b"x-%d" % number, b"v" * 5000) for number in range(10))
    server, reader = Server(1), TrailerReader()
    reader.feed(server.answer(trailers=(*long, *TRAILERS), head=long))
    assert reader.take() == (*long, *TRAILERS)


def test_padding_and_priority_are_no_part_of_a_block() -> None:
    block = hpack.Encoder().encode([("grpc-status", "5")])
    payload = b"\x03" + b"\x00\x00\x00\x00\x10" + block + bytes(3)
    reader = TrailerReader()
    reader.feed(len(payload).to_bytes(3, "big") + b"\x01\x2c" + b"\x00\x00\x00\x01" + payload)
    assert reader.take() == ((b"grpc-status", b"5"),)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\x01\x04\x00\x00\x00\x01",
        b"\x00\x00\x02\x01\x04\x00\x00\x00\x01\xff\xff",
        b"\x00\x00\x00\x01\x0c\x00\x00\x00\x01",
        b"".join(b"\x03\x00\x00%b\x00\x00\x00\x00\x01" % kind + bytes(196608) for kind in (b"\x01", b"\x09")),
    ],
    ids=["a frame of 16 MB", "no header block", "padding that is missing", "a block without end"],
)
def test_what_cannot_be_followed_is_left(data: bytes) -> None:
    reader = TrailerReader()
    reader.feed(data)
    reader.feed(Server(1).answer())
    assert reader.take() in ((), TRAILERS)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_other_bytes_do_nothing(pieces: list[bytes]) -> None:
    reader = TrailerReader()
    for piece in pieces:
        reader.feed(piece)
    reader.take()
