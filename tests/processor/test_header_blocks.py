from __future__ import annotations

import pytest
from h2.errors import ErrorCodes

from mirror_addon.processor import http2_frames as frames
from mirror_addon.processor.header_blocks import Block
from mirror_addon.processor.header_blocks import HeaderBlocks
from mirror_addon.processor.http2_frames import ConnectionFault

END = frames.END_HEADERS


def begin(blocks: HeaderBlocks, flags: int, stream: int, payload: bytes) -> Block | None:
    return blocks.begin(flags, stream, b"before" + payload + b"after", 6, 6 + len(payload))


def test_in_one_frame() -> None:
    blocks = HeaderBlocks()
    assert begin(blocks, END, 1, b"ab") == (1, b"ab", False)
    assert begin(blocks, END | frames.END_STREAM, 3, b"") == (3, b"", True)
    assert not blocks.open


def test_in_several() -> None:
    blocks = HeaderBlocks()
    assert begin(blocks, frames.END_STREAM | frames.PADDED, 1, b"\x01ab\0") is None
    assert blocks.open
    assert blocks.add(frames.CONTINUATION, 0, 1, b"") is None
    assert blocks.add(frames.CONTINUATION, END, 1, b"cd") == (1, b"abcd", True)
    assert not blocks.open


@pytest.mark.parametrize(("kind", "stream"), [(frames.DATA, 1), (frames.HEADERS, 1), (frames.CONTINUATION, 3)])
def test_nothing_may_come_between(kind: int, stream: int) -> None:
    blocks = HeaderBlocks()
    begin(blocks, 0, 1, b"ab")
    with pytest.raises(ConnectionFault, match="interrupted"):
        blocks.add(kind, END, stream, b"")


@pytest.mark.parametrize("stream", [0, 2])
def test_streams_of_a_client_are_odd(stream: int) -> None:
    with pytest.raises(ConnectionFault, match="cannot open"):
        begin(HeaderBlocks(), END, stream, b"")


@pytest.mark.parametrize("payload", [b"", b"x" * 16384])
def test_a_block_ends(payload: bytes) -> None:
    """CVE-2024-27316 and others: frames without end, or without content."""
    blocks = HeaderBlocks()
    begin(blocks, 0, 1, b"ab")
    with pytest.raises(ConnectionFault) as raised:
        [blocks.add(frames.CONTINUATION, 0, 1, payload) for _ in range(100)]
    assert raised.value.code == ErrorCodes.ENHANCE_YOUR_CALM
