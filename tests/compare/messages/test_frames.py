from __future__ import annotations

import base64

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.event_streams import StreamError
from mirror_addon.compare.messages.frames import is_web
from mirror_addon.compare.messages.frames import read_frames
from mirror_addon.compare.messages.frames import unwrapped


def test_messages() -> None:
    body = b"\0\0\0\0\x01a\0\0\0\0\0"
    assert read_frames(body, "", False) == [b"a", b""]
    assert read_frames(body + b"\0", "", True) == [b"a", b""]
    with pytest.raises(StreamError, match="ends within"):
        read_frames(body + b"\0", "", False)
    assert read_frames(b"\x01\0\0\0\x01a", "identity", False) == [b"a"]


def response(content_type: bytes, body: bytes | None, size: int | None = None) -> Answer:
    return Answer(200, ((b"Content-Type", content_type),), body, len(body or b"") if size is None else size)


def test_the_trailers_of_grpc_web_are_fields() -> None:
    body = b"\0\0\0\0\x01a\x80\0\0\0\x1agrpc-status: 0\r\nnonsense\r\n\0"
    found = unwrapped(response(b"Application/grpc-web+proto", body))
    assert found.body == b"\0\0\0\0\x01a\0" and found.bytes == 7
    assert found.headers[1:] == ((b"grpc-status", b"0"),)
    cut = unwrapped(response(b"application/grpc-web", body, len(body) + 100))
    assert cut.bytes - len(cut.body or b"") == 100


def test_text_in_several_parts() -> None:
    parts = (b"\0\0\0\0\x01a", b"\0\0\0\0\x02bc")
    text = b"\n".join(map(base64.b64encode, parts))
    assert unwrapped(response(b"application/grpc-web-text", text)).body == b"".join(parts)
    assert unwrapped(response(b"application/grpc-web-text", text[:-1])).body is not None


def test_what_is_left_as_it_is() -> None:
    for each in (response(b"application/grpc", b"\x80\0\0\0\0"), response(b"application/grpc-web", None)):
        assert unwrapped(each) is each
    assert not is_web("application/grpc") and is_web(" Application/GRPC-web-text")


def test_text_that_is_none() -> None:
    wrong = response(b"application/grpc-web-text", b"A!!!")
    assert unwrapped(wrong) is wrong
