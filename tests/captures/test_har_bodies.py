from __future__ import annotations

import base64
import gzip
import zlib
from typing import Any

import brotli
import pytest
import zstandard

from mirror_addon.captures.har_bodies import ALTERED
from mirror_addon.captures.har_bodies import CUT
from mirror_addon.captures.har_bodies import NOT_KEPT
from mirror_addon.captures.har_bodies import request_body
from mirror_addon.captures.har_bodies import response_body

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def fields(**values: str | None) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (name.replace("_", "-").encode(), value.encode()) for name, value in values.items() if value is not None
    )


def request(
    text: Any = None,
    kind: str = "text/plain",
    length: int | None = None,
    size: Any = None,
    coding: str | None = None,
    **data: Any,
) -> tuple[bytes | None, str]:
    """What is read of a request with these members; `length` is its Content-Length."""
    headers = fields(Content_Type=kind, Content_Length=None if length is None else str(length), Content_Encoding=coding)
    posted = {"mimeType": kind, **({} if text is None else {"text": text}), **data}
    return request_body({"bodySize": size, "postData": posted}, headers)


@pytest.mark.parametrize(
    ("text", "kind", "length", "body"),
    [
        ('{"a": 1}', "application/json", 8, b'{"a": 1}'),
        ("é", "application/json", 2, "é".encode()),
        ("é", "text/plain", 2, "é".encode()),
        ("é", "text/plain", 1, b"\xe9"),
        ("é", "text/plain; charset=ascii", None, "é".encode()),
        ("é", "text/plain; charset=no-such", None, "é".encode()),
        ("é", "text/plain; charset=base64", None, "é".encode()),
        ("€", "text/plain; charset=utf-8", 1, b"\x80"),
        ("é€", "text/plain", 4, b"\xe9\x00\xac\x20"),
        ("\udcff", "text/plain", None, b"\xff"),
        ("", "text/plain", 0, b""),
    ],
)
def test_bytes_of_a_text(text: str, kind: str, length: int | None, body: bytes) -> None:
    assert request(text, kind, length) == (body, "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": '{"a": 1', "length": 100, "size": 100}, CUT),
        ({"text": '{"a": 1', "length": 100, "size": 7}, CUT),
        ({"text": '{"a": 1', "size": 100}, CUT),
        ({"text": "", "length": 5}, CUT),
        ({"length": 5}, NOT_KEPT),
        ({"size": 5}, NOT_KEPT),
        ({"text": "abcdef", "length": 3}, ALTERED),
        ({"text": "a\ufffdb", "length": 3}, ALTERED),
        ({"text": {"a": 1}, "length": 8}, ALTERED),
        ({"text": "!", "encoding": "base64"}, ALTERED),
        ({"text": "YWJj", "encoding": "base64", "length": 9}, CUT),
        ({"text": "YWJj", "encoding": "base64", "length": 2}, ALTERED),
        ({"text": "x", "coding": "compress"}, ALTERED),
        ({"params": [{"name": "a", "fileName": "x.png"}], "kind": MULTIPART, "length": 900}, NOT_KEPT),
        ({"params": [{"name": "a", "value": "1"}], "kind": ""}, NOT_KEPT),
        ({"params": [{"name": "a", "value": "1"}], "kind": FORM, "length": 9}, CUT),
        ({"params": [{"name": "a", "value": "1"}], "kind": FORM, "length": 2}, ALTERED),
    ],
)
def test_a_body_that_is_not_there_whole(changes: dict[str, Any], reason: str) -> None:
    assert request(**changes) == (None, reason)


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"length": 0}, b""),
        ({}, b""),
        ({"size": -1}, b""),
        ({"text": "é", "size": 1, "kind": "text/plain; charset=utf-8"}, "é".encode()),  # counted in characters
        ({"text": "abc", "size": "no"}, b"abc"),
        ({"text": "YW\r\nJj", "encoding": "BASE64", "length": 3}, b"abc"),
        ({"text": "_-8", "encoding": "base64"}, b"\xff\xef"),
        ({"text": "", "encoding": "base64"}, b""),
        ({"text": "/w==", "_encoding": "base64"}, b"\xff"),
        ({"params": [{"name": "a", "value": "1 2"}, None, {"name": "b"}], "kind": FORM}, b"a=1+2&b="),
        ({"params": [{"name": "a", "value": "1 2"}], "kind": FORM, "length": 7}, b"a=1%202"),
        ({"params": [{"name": "a", "value": "1%202"}], "kind": FORM, "length": 7}, b"a=1%202"),
        ({"params": "x", "text": "abc"}, b"abc"),
    ],
)
def test_a_body_that_is(changes: dict[str, Any], body: bytes) -> None:
    assert request(**changes) == (body, "")


def multipart(*parts: str) -> str:
    return "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"


NAMED = 'Content-Disposition: form-data; name="f"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n'


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (multipart('Content-Disposition: form-data; name="a"\r\n\r\n1', NAMED + "PNG"), True),
        (multipart('Content-Disposition: form-data; name="a"\r\n\r\n1', NAMED), False),
        (multipart('Content-Disposition: form-data; name="f"; filename=""\r\n\r\n'), True),  # no file was chosen
        (multipart('Content-Disposition: form-data; name="a"\r\n\r\n'), True),
        ("no multipart", True),
    ],
)
def test_a_part_without_its_file(text: str, whole: bool) -> None:
    assert request(text, MULTIPART) == ((text.encode(), "") if whole else (None, NOT_KEPT))
    assert request(text, MULTIPART, len(text)) == (text.encode(), ""), "an empty file"


@pytest.mark.parametrize("data", [None, {}, [], 5])
def test_without_post_data(data: Any) -> None:
    assert request_body({"postData": data}, ()) == (b"", "")
    assert request_body({"postData": data, "bodySize": 5}, fields(Content_Length="0")) == (b"", "")
    assert request_body({"postData": data, "bodySize": 0}, fields(Content_Length="5")) == (None, NOT_KEPT)


def test_post_data_that_is_a_text() -> None:
    assert request_body({"postData": "abc"}, fields(Content_Length="3")) == (b"abc", "")


@pytest.mark.parametrize(
    "coding", ["utf-8", "base64", "rot13", "hex", "none", "aws-chunked", "gzip, utf-8", "zip", "\udcff"]
)
def test_what_is_no_content_coding_changes_no_byte(coding: str) -> None:
    headers = ((b"Content-Encoding", coding.encode("utf-8", "surrogateescape")),)
    assert request_body({"postData": {"text": "aGVsbG8="}}, headers) == (b"aGVsbG8=", "")
    assert response_body({"content": {"text": "aGVsbG8="}}, headers, 200, "GET") == b"aGVsbG8="


@pytest.mark.parametrize(
    ("coding", "decode"),
    [
        ("gzip", gzip.decompress),
        ("X-GZIP", gzip.decompress),
        ("deflate", zlib.decompress),
        ("br", brotli.decompress),
        ("zstd", zstandard.ZstdDecompressor().decompress),
        ("gzip, br", lambda body: gzip.decompress(brotli.decompress(body))),
        ("identity, gzip", gzip.decompress),
        ("identity", bytes),
    ],
)
def test_a_content_coding_is_put_back(coding: str, decode: Any) -> None:
    body, problem = request("hello " * 50, coding=coding)
    assert (decode(body), problem) == (b"hello " * 50, "")


def test_a_coding_that_was_not_undone_stays() -> None:
    packed = gzip.compress(b"hello")
    text = base64.b64encode(packed).decode()
    assert request(text, encoding="base64", coding="gzip", length=len(packed)) == (packed, "")
    assert request("é", "text/plain; charset=utf-8", size=2, coding="gzip") == ("é".encode(), "")


@pytest.mark.parametrize(
    ("content", "length", "status", "body"),
    [
        ({"text": "ok", "size": 2}, None, 200, b"ok"),
        ({"text": "ok"}, 2, 200, b"ok"),
        ({"text": "ok"}, 5, 200, None),
        ({"text": "ok", "size": 5}, None, 200, None),
        ({"text": ""}, None, 200, b""),
        ({"text": ""}, 5, 200, None),
        ({"size": 9}, None, 200, None),
        ({"size": 0}, None, 200, b""),
        ({}, None, 200, b""),
        (None, None, 200, b""),
        ([], None, 200, b""),
        ({"text": 5, "size": 1}, None, 200, None),
        ({"size": 0}, None, 302, None),
        ({"size": -1}, None, 301, None),
        ({}, 0, 302, b""),
        ({"text": ""}, None, 302, None),
        ({"size": 0}, 9, 200, None),
        ({"size": 0}, 9, 304, b""),
    ],
)
def test_bodies_of_responses(content: Any, length: int | None, status: int, body: bytes | None) -> None:
    headers = fields(Content_Length=None if length is None else str(length))
    assert response_body({"content": content}, headers, status, "GET") == body
    assert response_body({"content": content}, headers, status, "HEAD") == b""


@pytest.mark.parametrize("lengths", [("5", "6"), ("-5",), ("٥",), ("9" * 5000,), ("5 5",)])
def test_a_content_length_that_makes_no_sense_is_none(lengths: tuple[str, ...]) -> None:
    headers = tuple((b"Content-Length", each.encode()) for each in lengths)
    assert request_body({"postData": {"text": "abc"}}, headers) == (b"abc", "")
    assert request_body({"postData": {"text": "abc"}}, ((b"Content-Length", b"3"),) * 2) == (b"abc", "")


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"text": "a\ufffd"}, (None, ALTERED)),
        ({"text": "a\ufffd", "size": 4}, (None, ALTERED)),  # computed from the text
        ({"text": "a\ufffd", "length": 4}, ("a\ufffd".encode(), "")),  # it was sent
        ({"text": "a\ufffd", "length": 2}, (None, ALTERED)),
        ({"text": "a\ufffd", "coding": "gzip"}, (None, ALTERED)),
        ({"text": "77+9", "encoding": "base64"}, (b"\xef\xbf\xbd", "")),
        ({"text": "\ud83d"}, (None, ALTERED)),
        ({"params": [{"name": "a", "value": "1%202"}], "kind": FORM, "size": 7}, (b"a=1%202", "")),
        ({"text": "--b\r\n\r\n1", "kind": MULTIPART}, (None, CUT)),
        ({"text": "--b\r\n\r\n1\r\n--b--", "kind": MULTIPART}, (b"--b\r\n\r\n1\r\n--b--", "")),
    ],
)
def test_what_a_text_has_lost(changes: dict[str, Any], result: Any) -> None:
    assert request(**changes) == result


def test_bytes_that_still_have_their_coding_are_not_coded_again() -> None:
    packed = base64.b64encode(gzip.compress(b"abc")).decode()
    assert request(packed, encoding="base64", coding="gzip")[0] == gzip.compress(b"abc")
    body, _ = request(base64.b64encode(b"abc").decode(), encoding="base64", coding="gzip")
    assert body is not None
    assert gzip.decompress(body) == b"abc"


@pytest.mark.parametrize(
    ("asked", "headers", "lost"),
    [
        ({"method": "POST"}, fields(Content_Type="application/json"), True),
        ({"method": "POST", "bodySize": 0}, fields(Content_Type="application/json"), False),
        ({"method": "POST"}, fields(Content_Type="application/json", Content_Length="0"), False),
        ({"method": "GET"}, fields(Content_Type="application/json"), False),
        ({"method": "DELETE", "bodySize": -1}, fields(Transfer_Encoding="chunked"), True),
        ({"method": "POST", "postData": {"mimeType": "a/b"}}, fields(Content_Type="a/b"), True),
        ({"method": "POST"}, (), False),
    ],
)
def test_a_body_of_which_nothing_is_kept(asked: dict[str, Any], headers: Any, lost: bool) -> None:
    assert request_body(asked, headers) == ((None, NOT_KEPT) if lost else (b"", ""))
