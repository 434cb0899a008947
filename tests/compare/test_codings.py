"""Content codings undone."""

from __future__ import annotations

import gzip
import os
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare import codings
from mirror_addon.compare.codings import CodingError
from mirror_addon.compare.codings import undo
from mirror_addon.compare.codings import undone_within

CODERS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
CODERS["zstd"] = zstandard.compress


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize(
    "text", [b"", b"a", os.urandom(100_000), b"abc" * 100_000], ids=["empty", "a", "random", "long"]
)
def test_whole(coding: str, text: bytes) -> None:
    assert undo(CODERS[coding](text), coding.upper()) == (text, True)


@pytest.mark.parametrize("coding", CODERS)
def test_cut(coding: str) -> None:
    text = os.urandom(300_000)
    found, complete = undo(CODERS[coding](text)[:-1000], coding)
    assert not complete
    assert text.startswith(found)


@pytest.mark.parametrize("coding", CODERS)
def test_bomb(coding: str) -> None:
    found, complete = undo(CODERS[coding](bytes(20_000_000)), coding, 1_000_000)
    assert (len(found), complete) == (1_000_000, False)


def test_several() -> None:
    assert undo(brotli.compress(gzip.compress(b"a")), "gzip, identity, br") == (b"a", True)
    assert undo(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == (b"ab", True)
    with pytest.raises(CodingError):
        undo(b"a", "gzip,gzip,gzip,gzip,gzip")


def test_deflate_without_zlibs_frame() -> None:
    compress = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert undo(compress.compress(b"abc") + compress.flush(), "deflate") == (b"abc", True)


@pytest.mark.parametrize("coding", [*CODERS, "compress", "no such"])
def test_no_such_thing(coding: str) -> None:
    with pytest.raises(CodingError):
        undo(b"\xff{}", coding)


@given(st.binary(max_size=200), st.sampled_from(list(CODERS)))
def test_any_bytes(body: bytes, coding: str) -> None:
    try:
        undo(body, coding)
        undo(CODERS[coding](body) + body, coding)
    except CodingError as error:
        str(error)


def test_a_damaged_body_is_decoded_up_to_the_damage() -> None:
    text = os.urandom(300_000)
    assert undo(gzip.compress(text) + b"\x1f\x8b\xff" + bytes(20), "gzip") == (text, False)
    coded = brotli.compress(text)
    found, complete = undo(coded[:200_000] + b"\xff" * len(coded), "br")
    assert found[:100_000] == text[:100_000] and not complete


def test_other_data_is_not_an_unfinished_deflate_block() -> None:
    with pytest.raises(CodingError, match="not in the deflate coding"):
        undo(b"\0\0", "deflate")


def test_a_body_of_many_members() -> None:
    """Each takes as long as a body of 64 KiB."""
    assert undo(gzip.compress(b"a") * 1000, "gzip") == (b"a" * 1000, True)
    with pytest.raises(CodingError, match="more than 1000 gzip members"):
        undo(gzip.compress(b"a") * 1001, "gzip")
    padded = gzip.compress(os.urandom(100_000)) + bytes(100_000) + gzip.compress(b"b")
    assert undo(padded, "gzip")[0].endswith(b"b")


@pytest.mark.parametrize("coding", CODERS)
def test_whether_a_body_is_small_when_decoded(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = coding != "br" or hasattr(brotli.Decompressor, "can_accept_more_data")
    assert undone_within(CODERS[coding](bytes(1000)), coding, 1000) == (bytes(1000) if limited else None)
    assert undone_within(CODERS[coding](bytes(1001)), coding, 1000) is None
    assert undone_within(CODERS[coding](bytes(20_000_000)), coding, 1000) is None
    assert undone_within(CODERS[coding](b"abcdefghijk" * 20)[:-12], coding, 1000) is None
    with pytest.raises(CodingError):
        undone_within(b"a" * 10, "no such", 10)
    monkeypatch.setattr(codings, "_brotli_has_limit", lambda: False)
    assert undone_within(CODERS[coding](b"a"), coding, 1000) == (None if coding == "br" else b"a")
    assert undo(CODERS[coding](b"a"), coding) == (b"a", True)
