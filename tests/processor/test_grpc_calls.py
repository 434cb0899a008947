from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from hpack import Encoder
from http2tools import PATH
from http2tools import REQUEST
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.processor.grpc_calls import CallReader
from mirror_addon.processor.grpc_calls import leaves_table
from mirror_addon.processor.grpc_status import METHOD_NOT_ALLOWED
from mirror_addon.processor.grpc_status import UNSUPPORTED_MEDIA_TYPE
from mirror_addon.processor.http2_frames import ConnectionFault
from mirror_addon.processor.http2_frames import StreamFault

MORE = ((b"x-mirror-share", b"10"), (b"grpc-timeout", b"1S"))


def literal(name: bytes, value: bytes) -> bytes:
    """A field that enters no table, as nghttp2 writes `:path`."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


def test_a_call() -> None:
    asked = CallReader().read(Encoder().encode((*REQUEST, *MORE)))
    assert asked == (PATH, (("x-mirror-share", "10"),), b"")


def test_the_same_bytes_mean_the_same_until_the_table_changes() -> None:
    encoder, reader = Encoder(), CallReader()
    first = reader.read(encoder.encode((*REQUEST, *MORE)))
    again = encoder.encode((*REQUEST, *MORE))
    assert leaves_table(again)
    assert reader.read(again) == first
    assert reader.read(again) is reader.read(again)
    # Another entry moves the others: the same bytes have another meaning.
    other = reader.read(encoder.encode((*REQUEST, (b"x-mirror-share", b"20"))))
    assert other.metadata == (("x-mirror-share", "20"),)
    moved = encoder.encode((*REQUEST, *MORE))
    assert moved != again
    assert reader.read(moved) == first


def test_paths_that_enter_no_table_are_remembered() -> None:
    encoder, reader = Encoder(), CallReader()
    rest = tuple(field for field in REQUEST if field[0] != b":path")
    blocks = [literal(b":path", PATH) + encoder.encode(rest) for _ in range(3)]
    assert not leaves_table(blocks[0])
    assert blocks[1] == blocks[2] and leaves_table(blocks[1])
    asked = [reader.read(block) for block in blocks]
    assert asked[0] == asked[1] == (PATH, (), b"")
    assert asked[1] is asked[2]


@settings(max_examples=100)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([b"", b"1", b"2", b"x" * 200])), max_size=4
        ),
        max_size=12,
    ),
    st.sampled_from([4096, 120]),
)
def test_what_is_remembered_is_what_would_be_read(calls: list[list[tuple[bytes, bytes]]], size: int) -> None:
    """Against a reader that decodes each block."""
    encoder, reader = Encoder(), CallReader()
    encoder.header_table_size = size
    for fields in calls:
        asked = reader.read(encoder.encode((*REQUEST, *fields)))
        assert asked.metadata == tuple((name.decode(), value.decode()) for name, value in fields)


@pytest.mark.parametrize(
    ("block", "leaves"),
    [
        (b"", True),
        (b"\x82\xbe", True),
        (b"\xff\x00", True),
        (b"\xff\xff\x01\x82", True),
        (b"\xff", False),
        (b"\xff\xff\xff\xff\xff\xff\xff\x01", False),
        (b"\x40\x01a\x01b", False),
        (b"\x20", False),
        (literal(b"a", b"b") + b"\x82", True),
        (b"\x10\x01a\x01b", True),
        (b"\x04\x01a", True),
        (b"\x0f\x00\x01a", True),
        (b"\x00\x01a", False),
        (b"\x04\x05a", False),
    ],
)
def test_which_blocks_leave_the_table(block: bytes, leaves: bool) -> None:
    assert leaves_table(block) is leaves


def without(name: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(field for field in REQUEST if field[0] != name)


@pytest.mark.parametrize(
    "fields",
    [
        without(b":method"),
        without(b":scheme"),
        without(b":path"),
        (*REQUEST, (b":path", b"/")),
        ((b":method", b"POST"), *REQUEST),
        ((b":status", b"200"), *REQUEST),
        (*REQUEST, (b"connection", b"close")),
        (*REQUEST, (b"Upper", b"x")),
        (*REQUEST, (b"", b"x")),
    ],
)
def test_malformed_requests(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(StreamFault) as raised:
        CallReader().read(Encoder().encode(fields))
    assert raised.value.code == ErrorCodes.PROTOCOL_ERROR


def test_what_is_no_grpc() -> None:
    for content_type in (b"text/html", b"application/grpc-web", b""):
        block = Encoder().encode((*without(b"content-type"), (b"content-type", content_type)))
        assert CallReader().read(block).refusal == UNSUPPORTED_MEDIA_TYPE
    for content_type in (b"application/grpc+proto", b"application/grpc;x=y"):
        block = Encoder().encode((*without(b"content-type"), (b"content-type", content_type)))
        assert not CallReader().read(block).refusal
    get = ((b":method", b"GET"), *without(b":method"))
    assert CallReader().read(Encoder().encode(get)).refusal == METHOD_NOT_ALLOWED


def test_too_many_fields() -> None:
    block = Encoder().encode([(b"a", b"x" * 4000)]) + b"\xbe" * 100
    with pytest.raises(ConnectionFault) as raised:
        CallReader().skip(block)
    assert raised.value.code == ErrorCodes.ENHANCE_YOUR_CALM


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_nonsense(block: bytes) -> None:
    codes = {ErrorCodes.COMPRESSION_ERROR, ErrorCodes.ENHANCE_YOUR_CALM, ErrorCodes.PROTOCOL_ERROR}
    found = None
    try:
        CallReader().read(block)
    except (ConnectionFault, StreamFault) as fault:
        found = fault.code
    assert found is None or found in codes
