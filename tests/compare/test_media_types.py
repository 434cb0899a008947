"""What a body is, and in which charset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.media_types import form_of
from mirror_addon.compare.media_types import is_stream
from mirror_addon.compare.media_types import media_type
from mirror_addon.compare.media_types import safe_charset
from mirror_addon.compare.media_types import text_of


def test_reading() -> None:
    found = media_type('Text/HTML; Charset="UTF-8" ;boundary=A;x="a;\\"b"')
    assert (found.name, found.parameters) == (
        "text/html",
        (("charset", "utf-8"), ("boundary", "A"), ("x", 'a;"b')),
    )


@pytest.mark.parametrize(
    ("content_type", "body", "form"),
    [
        ("application/json", b"x", "json"),
        ("application/vnd.api+json", b"", "json"),
        ("text/html", b'\n{"a"', "json"),
        ("application/jsonl", b"{}", "json-lines"),
        ("application/xhtml+xml", b"<html>", "xml"),
        ("application/octet-stream", b"<?xml ?>", "xml"),
        ("text/plain", b" <!-- x --><!DOCTYPE HTML>", "html"),
        ("multipart/mixed; boundary=b", b"", "multipart"),
        ("multipart/mixed", b"\0", "bytes"),
        ("text/plain", b"\xff", "text"),
        ("", b"caf\xc3\xa9", "text"),
        ("", b"caf\xe9", "bytes"),
        ("application/octet-stream", b"a\0b", "bytes"),
        ("application/yaml", b"a: b", "text"),
        ("application/vnd.x+x-ndjson;v=8", b"1", "json-lines"),
        ("application/geo+json-seq", b"1", "json-sequence"),
    ],
)
def test_forms(content_type: str, body: bytes, form: str) -> None:
    assert form_of(media_type(content_type), body) == form


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "zip", "hex", "unicode_escape", "rot13", "utf-7", "\0", "x" * 999]
)
def test_unsafe_charsets(charset: str) -> None:
    assert safe_charset(media_type(f"text/plain; charset={charset}")) == ""


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "é".encode(), "é"),
        ("text/plain; charset=iso-8859-1", b"\xe9", "é"),
        ("text/plain; charset=windows-1252", b"\x80", "€"),
        ("text/plain; charset=shift_jis", "あ".encode("shift_jis"), "あ"),
        ("text/plain; charset=latin-1", b"\xef\xbb\xbfa", "a"),
        ("text/plain", "é".encode("utf-16"), "é"),
        ("text/plain", b"\xe9", "\udce9"),
    ],
)
def test_charsets(content_type: str, body: bytes, text: str) -> None:
    assert text_of(body, media_type(content_type)) == (text, "")


@given(st.text(), st.binary())
def test_anything(content_type: str, body: bytes) -> None:
    declared = media_type(content_type)
    form_of(declared, body)
    text_of(body, declared)


def test_what_a_text_says_of_its_charset() -> None:
    assert text_of(b"\xef\xbb\xbf\xff", media_type("text/plain"))[0] == "\ufeff\udcff"
    assert text_of(b"\xff", media_type("text/plain; charset=ascii")) == (
        "\udcff",
        "has bytes that are invalid in ASCII; read as UTF-8",
    )
    assert text_of(b"a", media_type("text/plain; charset=zip"))[1] == "has the unknown charset 'zip'; read as UTF-8"


def test_streams() -> None:
    for name in ("text/event-stream; charset=utf-8", "Application/X-NDJSON", "application/geo+json-seq", "text/jsonl"):
        assert is_stream(name)
    for name in ("application/json", "text/plain", ""):
        assert not is_stream(name)
