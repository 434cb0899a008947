"""The body of a response without its content coding, and what is noted of it."""

from __future__ import annotations

import gzip

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.decoded_body import DecodedBody
from mirror_addon.compare.decoded_body import read_body

GZIP = ((b"Content-Type", b"text/plain"), (b"content-encoding", b"gzip"))


def read(response: Answer) -> tuple[DecodedBody, list[str]]:
    notes: list[str] = []
    return read_body(response, "shadow", notes), notes


def test_plain() -> None:
    body, notes = read(Answer(200, (), b"abc", 3))
    assert (body.content, body.cut, body.bytes, notes) == (b"abc", False, 3, [])
    body, notes = read(Answer(200, (), None, 0))
    assert (body.content, body.text()) == (b"", "")


def test_cut() -> None:
    body, notes = read(Answer(200, (), b"abc", 9))
    assert (body.cut, body.bytes, notes) == (True, 9, ["shadow's body cut at 3 of 9 bytes"])


def test_a_stream_that_went_on() -> None:
    body, notes = read(Answer(200, (), b"abc", 3, ended=False))
    assert (body.cut, body.bytes) == (True, None)
    assert notes == ["shadow's stream cut after 3 bytes, compared as far as both went"]


def test_what_was_decoded_before_is_not_decoded_again() -> None:
    body, notes = read(Answer(200, GZIP, b"not gzip", 8, plain=b"abc"))
    assert (body.content, body.bytes, notes) == (b"abc", None, [])


def test_codings() -> None:
    body, notes = read(Answer(200, GZIP, gzip.compress(b"abc"), 23))
    assert (body.content, body.type.name, notes) == (b"abc", "text/plain", [])
    body, notes = read(Answer(200, GZIP, b"abc", 3))
    assert body.content == b"abc"
    assert "compared without decoding" in notes[0]
    whole = gzip.compress(bytes(range(256)) * 9)
    body, notes = read(Answer(200, GZIP, whole[:-9], len(whole) - 9))
    assert "ends too early" in notes[0]
