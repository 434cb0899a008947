from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.shadow import frames
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.frames import unpack

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)
heads = st.tuples(st.sampled_from(Kind).map(int), values)


@given(values)
def test_packed_values_come_back(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_raw_bytes_in_a_label_come_back() -> None:
    assert unpack(pack("\udcff")) == "\udcff"


@given(st.lists(st.tuples(heads, st.binary(max_size=300)), max_size=6), st.data())
def test_frames_come_back_however_they_are_cut(sent: list[tuple[tuple[Any, ...], bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode(head, len(tail)) + tail for head, tail in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += list(decoder.feed(stream[start:end]))
    assert got == sent


@given(st.binary(max_size=200))
def test_other_bytes_are_waited_for_or_refused(data: bytes) -> None:
    try:
        for head, tail in Decoder().feed(data):
            assert isinstance(head, tuple)
            assert isinstance(tail, bytes)
    except FrameError:
        pass


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_a_head_of_other_bytes(packed: bytes, tail: bytes) -> None:
    try:
        assert list(Decoder().feed(struct.pack(">II", len(packed), len(tail)) + packed + tail))
    except FrameError:
        pass


@pytest.mark.parametrize("lengths", [(frames.MAX_HEAD + 1, 0), (0, frames.MAX_TAIL + 1), (2**32 - 1, 2**32 - 1)])
def test_lengths_that_no_frame_has_are_refused_at_once(lengths: tuple[int, int]) -> None:
    with pytest.raises(FrameError):
        list(Decoder().feed(struct.pack(">II", *lengths)))


@pytest.mark.parametrize("head", [pack(7), pack(()), pack("text"), b"\xc1", b"", pack((1,)) + b"\x01", b"\x91" * 5000])
def test_a_head_is_an_array(head: bytes) -> None:
    with pytest.raises(FrameError):
        list(Decoder().feed(struct.pack(">II", len(head), 0) + head))


def test_what_would_be_no_frame_is_not_made() -> None:
    with pytest.raises(FrameError):
        encode((Kind.CHUNK,), frames.MAX_TAIL + 1)
    with pytest.raises(FrameError):
        encode((Kind.CHUNK, b"x" * (frames.MAX_HEAD + 1)))


def test_a_failure_to_pack_leaves_nothing_behind() -> None:
    with pytest.raises(TypeError):
        pack((b"first", object()))
    assert unpack(pack(1)) == 1


def test_a_big_tail_in_small_parts_is_not_quadratic() -> None:
    tail = bytes(8 * 1024 * 1024)
    stream = encode((Kind.CHUNK, 1, True), len(tail)) + tail
    decoder = Decoder()
    got = [frame for at in range(0, len(stream), 4096) for frame in decoder.feed(stream[at : at + 4096])]
    assert got == [((Kind.CHUNK, 1, True), tail)]
