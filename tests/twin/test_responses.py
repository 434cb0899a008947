from __future__ import annotations

import gzip

import pytest
from twintools import answer

from mirror_addon.compare.answer import Answer
from mirror_addon.twin import responses

HTML = (b"Content-Type", b"text/html; charset=utf-8")


def test_bodies_that_are_read() -> None:
    assert responses.read_body(answer({"a": 1})).document == {"a": 1}
    packed = gzip.compress(b'{"a": 2}')
    coded = Answer(200, ((b"content-type", b"application/json"), (b"content-encoding", b"gzip")), packed, len(packed))
    assert responses.read_body(coded).document == {"a": 2}
    assert responses.read_body(answer(None, HTML, body=b"<html>")).form == "html"


@pytest.mark.parametrize(
    "response",
    [
        answer(None, body=b""),
        answer(None, (b"Content-Type", b"application/json"), body=b"{"),
        answer(None, (b"Content-Type", b"image/png"), body=b"\0"),
        answer(None, (b"Content-Encoding", b"gzip"), body=b"no gzip"),
        answer(None, (b"Content-Encoding", b"gzip"), body=gzip.compress(b" " * 300_000)),
        answer(["x" * 300_000]),
        Answer(200, (), b"{}", 5),
        Answer(200, (), b"{}", 2, ended=False),
    ],
)
def test_bodies_that_are_not(response: Answer) -> None:
    assert responses.read_body(response) is responses.NO_BODY


def test_cookies_that_are_set() -> None:
    fields = [b"sid=a1; Path=/", b"gone=x; Max-Age=0", b"old=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", b"empty=", b";"]
    assert responses.cookies(answer({}, *[(b"Set-Cookie", each) for each in fields])) == {"sid": "a1"}


def test_a_cookie_that_is_repeated_elsewhere() -> None:
    assert responses.cookie_keys("theme", "dark") == (("cookie", "theme", "dark"),)
    assert responses.cookie_keys("csrftoken", "t")[1] == ("token", "", "t")


def test_entity_tags_and_locations() -> None:
    assert responses.etag(answer({}, (b"ETag", b'W/"1"')), "/x") == ("etag", "/x", 'W/"1"')
    assert responses.etag(answer({}, (b"ETag", b"1")), "/x") is None
    assert responses.location(answer({}, (b"Location", b"/orders/1"))) == "/orders/1"
    assert responses.location(answer({})) == ""


def test_tokens_of_a_page() -> None:
    page = """<meta name='csrf-token' content='m1'><INPUT type=hidden value="a&b" name="authenticity_token">
    <input name=csrf value=x1><input name="quantity" value="7"><input name="token">"""
    assert responses.html_tokens(page) == {"csrf-token": "m1", "authenticity_token": "a&b", "csrf": "x1"}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(1007), "1007"),
        (answer("ORD-7"), "ORD-7"),
        (answer(None, (b"Content-Type", b"text/plain"), body=b"1007\n"), "1007"),
        (answer(None, (b"Content-Type", b"text/plain"), body=b"done"), ""),
        (answer({"id": 7}), ""),
        (answer("two words"), ""),
    ],
)
def test_a_body_that_is_one_id(response: Answer, expected: str) -> None:
    assert responses.single_id(responses.read_body(response)) == expected


@pytest.mark.parametrize(
    ("primary", "shadow", "pairs"),
    [
        ("/orders/7", "/orders/8", [("7", "8")]),
        ("http://v1/orders/7?order_id=7", "/v2/orders/8?order_id=8", [("7", "8"), ("7", "8")]),
        ("/orders/7", "/carts/8", []),
        ("/orders/7", "/orders/new", []),
        ("/orders/7/items/1", "/orders/8/items/1", [("7", "8")]),
    ],
)
def test_urls_of_one_thing(primary: str, shadow: str, pairs: list[tuple[str, str]]) -> None:
    assert [(spot.text, other) for spot, other in responses.paired_segments(primary, shadow)] == pairs


def test_what_is_a_url() -> None:
    assert responses.is_url("/orders/7") and responses.is_url("https://shop.test")
    assert not responses.is_url("/") and not responses.is_url("see /orders") and not responses.is_url("")
