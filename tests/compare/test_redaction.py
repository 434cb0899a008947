"""What is left out of records and pages."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from mirror_addon.compare.difference import Difference
from mirror_addon.compare.paths import PathError
from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import MAX_PARSED
from mirror_addon.compare.redaction import NOTHING
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.redaction import check_entry

CARD = "4111111111111111"
JSON = ((b"Content-Type", b"application/json"),)
FORM = ((b"content-type", b"application/x-www-form-urlencoded"),)


def body(redaction: Redaction, content: Any, headers: Any = JSON, **more: bool) -> Any:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    found = redaction.message(headers, data, **more)[1]
    return found if found is None or isinstance(content, bytes) else json.loads(found)


def test_names_of_header_fields_match_in_any_case_and_order_is_kept() -> None:
    headers = ((b"Accept", b"*/*"), (b"AUTHORIZATION", b"Bearer x"), (b"cookie", b"a=1"), (b"Cookie", b"b=2"))
    assert Redaction(("Authorization", "cookie")).headers(headers) == (
        (b"Accept", b"*/*"),
        (b"AUTHORIZATION", REDACTED),
        (b"cookie", REDACTED),
        (b"Cookie", REDACTED),
    )
    assert NOTHING.headers(headers) == headers


def test_the_default_covers_credentials() -> None:
    assert {"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Api-Key"} <= set(DEFAULT_REDACTED)
    default = Redaction(DEFAULT_REDACTED)
    location = default.headers(((b"Location", b"https://a/cb?code=1#access_token=abc&x=1"),))[0][1]
    assert b"abc" not in location and location.startswith(b"https://a/cb?code=1#access_token=%3Credacted%20")
    assert location.endswith(b"&x=1")


def test_equal_values_have_equal_placeholders_within_a_run() -> None:
    one, other = Redaction(key=b"1"), Redaction(key=b"2")
    assert one.placeholder("a") == Redaction(key=b"1").placeholder("a") != one.placeholder("b")
    assert one.placeholder("a") != other.placeholder("a")
    assert one.placeholder({"a": 1, "b": 2}) == one.placeholder({"b": 2, "a": 1})
    assert one.placeholder("\udcff").startswith("<redacted ") and len(one.placeholder(1)) == len("<redacted 3f2a>")


def test_urls() -> None:
    redaction = Redaction(("query:token", "query:a b"))
    url = redaction.url(f"http://a/x/{CARD}?q=1&TOKEN=s3cret;token=&a%20b=2#token=z")
    assert "s3cret" not in url and CARD not in url and "=2" not in url and "=z" not in url
    assert url.startswith("http://a/x/%3Credacted%20") and "q=1" in url and ";token=&" in url
    assert redaction.url("http://a/?tokens=1") == "http://a/?tokens=1"
    assert NOTHING.url("http://a/?token=1") == "http://a/?token=1"


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (("$.user.password",), {"user": {"password": "#", "name": "n"}, "items": [{"pin": 1}, {"pin": 2}]}),
        (("$..pin",), {"user": {"password": "p", "name": "n"}, "items": [{"pin": "#"}, {"pin": "#"}]}),
        (("$.items[1].pin",), {"user": {"password": "p", "name": "n"}, "items": [{"pin": 1}, {"pin": "#"}]}),
        (("$.items[*]", "$.user.*"), {"user": {"password": "#", "name": "#"}, "items": ["#", "#"]}),
        (("$.none",), {"user": {"password": "p", "name": "n"}, "items": [{"pin": 1}, {"pin": 2}]}),
    ],
)
def test_paths_in_json(paths: tuple[str, ...], left: Any) -> None:
    document = {"user": {"password": "p", "name": "n"}, "items": [{"pin": 1}, {"pin": 2}]}
    found = body(Redaction(paths), document)

    def blank(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: blank(item) for key, item in value.items()}
        if isinstance(value, list):
            return [blank(item) for item in value]
        return "#" if isinstance(value, str) and value.startswith("<redacted ") else value

    assert blank(found) == left


def test_secrets_in_any_body() -> None:
    assert CARD not in str(body(NOTHING, {"a": [CARD, {CARD: int(CARD)}], "b": True, "c": None, "d": 1.5}))
    assert CARD not in str(body(Redaction(("$.x",)), {"a": [CARD, {CARD: int(CARD)}], "n": 10**30}))
    assert CARD.encode() not in body(NOTHING, f"<a>{CARD}</a>".encode(), ((b"content-type", b"text/xml"),))
    untouched = b'{"a" : 1.50}'
    assert body(Redaction(("$.x",)), untouched) is untouched


def test_lines_and_events() -> None:
    redaction = Redaction(("$.p",))
    events = body(
        redaction, b'id: 1\ndata: {"p": "x1", "q": 2}\n\ndata: plain\n', ((b"content-type", b"text/event-stream"),)
    )
    assert b"x1" not in events and b'"q": 2' in events and b"data: plain" in events
    lines = body(redaction, b'{"p": "x1"}\r\n{"p": "x2"}\n', ((b"content-type", b"application/x-ndjson"),))
    assert b"x1" not in lines and b"x2" not in lines and lines.count(b"\n") == 2
    assert body(redaction, b'data: {"p": \n', ((b"content-type", b"text/event-stream"),)) is None


def test_what_cannot_be_searched_is_withheld() -> None:
    redaction = Redaction(("$.p", "form:p"))
    for content in (b'{"p": "x', b'{"p": "x"', b"[" * 100_000, b'{"a": "' + b"x" * MAX_PARSED + b'"}', b'{"p":\xff}'):
        assert body(redaction, content) is None
        assert body(NOTHING, content) == content
    assert body(redaction, b'{"q": 1}', whole=False) is None
    assert body(redaction, b"p=1", FORM, whole=False) is None
    assert redaction.message(((b"Content-Encoding", b"gzip"),), b"no gzip")[1] is None
    assert NOTHING.message(((b"Content-Encoding", b"gzip"),), b"no gzip")[1] == b"no gzip"
    assert redaction.message(JSON, None) == (JSON, None)
    assert redaction.message(JSON, b"") == (JSON, b"")


def test_forms() -> None:
    redaction = Redaction(("form:pass",))
    found = body(redaction, b"user=u&pass=s3cret&passe=1", FORM)
    assert found.startswith(b"user=u&pass=%3Credacted%20") and found.endswith(b"&passe=1")
    parts = (
        b'--x\r\nContent-Disposition: form-data; name="user"\r\n\r\nu\r\n'
        b'--x\r\nContent-Disposition: form-data; name="pass"; filename="f"\r\nContent-Type: text/plain\r\n\r\n'
        b"s3\r\ncret\r\n--x--\r\n"
    )
    found = body(redaction, parts, ((b"content-type", b"multipart/form-data; boundary=x"),))
    assert (
        b"s3" not in found and b"cret" not in found and b"\r\n\r\nu\r\n" in found and found.endswith(b">\r\n--x--\r\n")
    )
    assert body(redaction, b"pass=1", ((b"content-type", b"text/plain"),)) == b"pass=1"


def test_a_coded_body_is_recorded_without_its_coding_where_something_was_left_out() -> None:
    redaction = Redaction(("$.p",))
    headers = ((b"Content-Encoding", b"gzip"), (b"Content-Length", b"99"), (b"A", b"b"))
    packed = gzip.compress(b'{"p": "x"}')
    clean, found = redaction.message(headers, packed)
    assert found is not None and b"redacted" in found
    assert clean == ((b"Content-Length", b"%d" % len(found)), (b"A", b"b"))
    packed = gzip.compress(b'{"q": "x"}')
    assert redaction.message(headers, packed) == (headers, packed)
    assert redaction.message(headers, packed[:-12]) == (headers, None)


@pytest.mark.parametrize(
    ("path", "value", "hidden"),
    [
        ("$.user.password", "s3cret", True),
        ("$.user.password.deep", "s3cret", True),
        ("$.user.passwords", "s3cret", False),
        ("$.user", {"password": "s3cret", "name": "n"}, True),
        ("$.user", '{"name": "n", "x": "s3cret…', True),
        ("$.users", '{"name": "n", "x": "s3cret…', False),
        ("$.list[*]", {"id": 1, "pin": "s3cret"}, True),
        ("$.list[*].id", "s3cret", False),
        ("$['a b'].c", "s3cret", True),
        ("form:pin", "s3cret", True),
        ("form:pins", "s3cret", False),
        ("header:x-a", "s3cret", True),
        ("body", f"s3cret {CARD}", False),
        ("status", 200, False),
    ],
)
def test_differences(path: str, value: Any, hidden: bool) -> None:
    redaction = Redaction(("$.user.password", "$.list[*].pin", "$['a b'].c", "form:pin", "X-A"))
    difference = Difference(path, "extra", None, value, "noise", "where")
    found = redaction.difference(difference)
    assert found.primary is None and (found.path, found.noise, found.where) == (path, "noise", "where")
    assert ("s3cret" not in str(found.shadow)) is (hidden or path == "status")
    assert CARD not in str(found.shadow)
    if not hidden and path != "body":
        assert found is difference


@pytest.mark.parametrize("entry", ["$.a", "form:a", "query:a"])
def test_entries(entry: str) -> None:
    assert check_entry(entry)
    assert not check_entry("Cookie") and not check_entry("a:b")


@pytest.mark.parametrize("entry", ["$", "$.", "$x", "form:", "query: "])
def test_wrong_entries(entry: str) -> None:
    with pytest.raises(PathError):
        check_entry(entry)


def test_values() -> None:
    assert NOTHING.value([1, CARD, {"a": None}])[::2] == [1, {"a": None}]
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert str(NOTHING.value(deep)).startswith("<redacted ")
    while deep:
        deep = deep.pop()


def test_messages_are_withheld_where_a_path_may_be_in_them() -> None:
    for kind in (b"application/grpc+proto", b"application/x-protobuf"):
        fields = ((b"content-type", kind),)
        assert body(Redaction(("$.p",)), b"\x0a\x01x", fields) is None
        assert body(NOTHING, b"\x0a\x01x", fields) == b"\x0a\x01x"


def test_paths_below_a_field() -> None:
    difference = Difference("header:grpc-status-details-bin.details[*].a", "value", "x", "y")
    assert Redaction(("Grpc-Status-Details-Bin",)).difference(difference).primary == "[redacted]"
    assert Redaction(("Grpc-Status",)).difference(difference) == difference
