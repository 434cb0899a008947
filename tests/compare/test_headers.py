"""Header fields."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.compare import headers
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare

Fields = list[tuple[str, str]]


def compared(one: Fields, other: Fields) -> list[tuple[str, str, str]]:
    there, here = (
        Answer(200, tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in fields), b"")
        for fields in (one, other)
    )
    found = compare(there, here, now=1795348800.0)
    return [(each.path, each.kind, each.noise) for each in found.differences]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("X-A", "1"), ("X-B", "2")], [("x-b", "2"), ("x-a", " 1 ")]),
        (
            [("Content-Length", "1"), ("Connection", "close"), ("A", "1")],
            [("Transfer-Encoding", "chunked"), ("A", "1")],
        ),
        ([("Keep-Alive", "timeout=5"), ("A", "1")], [("A", "1")]),
        ([("Content-Type", "text/html;charset=UTF-8")], [("content-type", 'Text/HTML; charset="utf-8"')]),
    ],
)
def test_same(one: Fields, other: Fields) -> None:
    assert compared(one, other) == []


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ([("X-A", "1")], [("X-A", "2")], ("header:x-a", "value", "")),
        ([("X-A", "1"), ("B", "")], [("B", "")], ("header:x-a", "missing", "")),
        ([("B", "")], [("X-A", "1"), ("B", "")], ("header:x-a", "extra", "")),
        ([("X-A", "1"), ("X-A", "2")], [("X-A", "1")], ("header:x-a", "length", "")),
        ([("X-A", "1"), ("X-A", "2")], [("X-A", "2"), ("X-A", "1")], ("header:x-a", "order", "")),
        ([("Content-Type", "text/html")], [("Content-Type", "text/plain")], ("header:content-type", "value", "")),
        ([("ETag", '"a"')], [("ETag", '"b"')], ("header:etag", "value", "etag")),
        ([("ETag", '"a"')], [("ETag", 'W/"b"')], ("header:etag", "value", "")),
        ([("ETag", '"a"')], [("ETag", "b")], ("header:etag", "value", "")),
        ([("ETag", '"a"'), ("B", "")], [("B", "")], ("header:etag", "missing", "")),
        (
            [("Date", "Sun, 22 Nov 2026 12:00:00 GMT")],
            [("Date", "Mon, 23 Nov 2026 12:00:00 GMT")],
            ("header:date", "value", "time"),
        ),
        ([("Date", "Sun, 22 Nov 2026 12:00:00 GMT")], [("Date", "today")], ("header:date", "value", "")),
        (
            [("Last-Modified", "Sun, 22 Nov 2020 12:00:00 GMT")],
            [("Last-Modified", "Mon, 23 Nov 2020 12:00:00 GMT")],
            ("header:last-modified", "value", ""),
        ),
        ([("Age", "5")], [("Age", "7")], ("header:age", "value", "age")),
        (
            [("Server-Timing", "db;dur=53")],
            [("Server-Timing", "db;dur=5")],
            ("header:server-timing", "value", "timing"),
        ),
        ([("X-Request-Id", "0a1b2c3d4e")], [("X-Request-Id", "1a1b2c3d4f")], ("header:x-request-id", "value", "id")),
        (
            [("Set-Cookie", "sid=0a1b2c3d4e; Path=/")],
            [("Set-Cookie", "sid=1a1b2c3d4f; path=/")],
            ("header:set-cookie", "value", "cookie"),
        ),
        (
            [("Set-Cookie", "sid=1; Path=/; HttpOnly")],
            [("Set-Cookie", "sid=1; Path=/")],
            ("header:set-cookie", "value", ""),
        ),
        ([("Set-Cookie", "theme=dark")], [("Set-Cookie", "theme=light")], ("header:set-cookie", "value", "")),
        ([("Set-Cookie", "a=1"), ("Set-Cookie", "b=1")], [("Set-Cookie", "a=1")], ("header:set-cookie", "missing", "")),
        (
            [("Set-Cookie", "a=1; Expires=Sun, 22 Nov 2026 13:00:00 GMT")],
            [("Set-Cookie", "a=1; expires=Sun, 22 Nov 2026 13:00:02 GMT")],
            ("header:set-cookie", "value", "time"),
        ),
        (
            [("Set-Cookie", "a=1; Expires=Sun, 22 Nov 2026 13:00:00 GMT")],
            [("Set-Cookie", "a=1; Expires=Sun, 29 Nov 2026 13:00:00 GMT")],
            ("header:set-cookie", "value", ""),
        ),
    ],
)
def test_differences(one: Fields, other: Fields, found: tuple[str, str, str]) -> None:
    assert compared(one, other) == [found]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("X-A", "a\r\n b")], [("X-A", "a b")]),
        ([("X-A", "a \r\n   b\r\n\tc")], [("X-A", "a  b c")]),
        ([("X-A", "a\n b"), ("B", "")], [("B", ""), ("X-A", "a\r\n\t  b")]),
        ([("Vary", "Accept,\r\n Origin")], [("Vary", "Origin"), ("vary", "accept")]),
    ],
)
def test_folded_lines_are_one(one: Fields, other: Fields) -> None:
    """mitmproxy keeps a fold, and h11 undoes it."""
    assert compared(one, other) == []


def test_spaces_count_where_nothing_was_folded() -> None:
    assert compared([("X-A", "a b")], [("X-A", "a  b")]) == [("header:x-a", "value", "")]
    assert compared([("X-A", "a\r\n b")], [("X-A", "a c")]) == [("header:x-a", "value", "")]


def test_lists_on_one_line_or_several() -> None:
    assert compared([("Vary", "Accept"), ("Vary", "Origin")], [("Vary", "origin, accept")]) == []
    assert compared([("Vary", "Accept, Origin")], [("Vary", "Accept")]) == [("header:vary", "value", "")]
    assert compared([("Via", "1.1 a"), ("Via", "1.1 b")], [("Via", "1.1 b, 1.1 a")]) == [("header:via", "order", "")]


def test_set_cookie_is_never_split_at_commas() -> None:
    one = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=1; Path=/")]
    assert compared(one, [("Set-Cookie", "a=1; Path=/, b=1; Path=/")]) != []


DATE = ("Date", "Sun, 22 Nov 2026 12:00:00 GMT")


@pytest.mark.parametrize(
    ("one", "other", "noise"),
    [
        ("a=1; Expires=Sun, 22 Nov 2026 13:00:00 GMT", "a=1; Expires=Sun, 22 Nov 2026 13:00:02 GMT", "time"),
        ("a=1; Expires=Sun, 22 Nov 2026 12:00:10 GMT", "a=1; Expires=Sun, 22 Nov 2026 12:00:50 GMT", ""),
        ("a=1; Max-Age=60", "a=1; max-age=61", ""),
        ("a=eyJhIjoxfQ--" + "0a" * 20, "a=eyJhIjoxfQ--" + "1b" * 20, "token"),
        ("a=eyJhIjoxfQ--" + "0a" * 20, "a=eyJhIjoyfQ--" + "1b" * 20, ""),
    ],
)
def test_the_end_of_a_cookie(one: str, other: str, noise: str) -> None:
    found = compared([DATE, ("Set-Cookie", one)], [DATE, ("Set-Cookie", other)])
    assert found == [("header:set-cookie", "value", noise)]


def test_cookies_of_one_name_are_told_apart_by_domain_and_path() -> None:
    one = [("Set-Cookie", "a=1; Path=/x"), ("Set-Cookie", "a=2; Path=/y")]
    assert compared(one, one[::-1]) == []
    assert compared(one, [one[0], ("Set-Cookie", "a=3; Path=/y")]) == [("header:set-cookie", "value", "")]
    assert compared(one, one[:1]) != []


Field = tuple[bytes, bytes]
FEW = [(b"A", b"1"), (b"a", b"1"), (b"a", b"2"), (b"b", b"1"), (b"b", b" 1"), (b"C", b"")]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(FEW), max_size=5), st.lists(st.sampled_from(FEW), max_size=5))
def test_fields_that_are_the_same_on_both_sides_are_soon_left_out(one: list[Field], other: list[Field]) -> None:
    left, right = headers._differing(tuple(one), tuple(other))
    whole, others = headers.values_by_name(tuple(one)), headers.values_by_name(tuple(other))
    names = [name for name in {**whole, **others} if whole.get(name) != others.get(name)]
    for name in names:
        assert headers.values_by_name(left).get(name) == whole.get(name)
        assert headers.values_by_name(right).get(name) == others.get(name)
    assert not left or len(one) != len(other) or one != other


DIGEST = 'Digest realm="a", qop="auth", nonce="{}", opaque="{}"'
DRAWN = ("dcd98b7102dd2f0e8b11d0f600bfb0c093", "5ccc069c403ebaf9f0171e9517f40e41")
OTHER = ("8ca523f5e9506fed4657c9700eebdb1ec1", "6ccc069c403ebaf9f0171e9517f40e42")


def test_what_is_drawn_for_a_challenge_is_noise() -> None:
    one = [("WWW-Authenticate", DIGEST.format(*DRAWN))]
    assert compared(one, [("WWW-Authenticate", DIGEST.format(*OTHER))]) == [("header:www-authenticate", "value", "id")]
    for other in (DIGEST.format(*OTHER).replace('"a"', '"b"'), DIGEST.format("", ""), 'Digest realm="a", qop="auth"'):
        assert compared(one, [("WWW-Authenticate", other)]) == [("header:www-authenticate", "value", "")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a=1; SameSite=Lax; Domain=.A.test", "a=1; domain=a.TEST; samesite=LAX"),
        ("a=1; Secure=x; HttpOnly=true;", "a=1; HttpOnly; Secure"),
        ("a=1; Path=/; Path=/x", "a=1; Path=/x"),
        ("a=; Max-Age=0", "a=; Max-Age=-1"),
        ("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=; Expires=Thu, 01-Jan-1970 00:00:10 GMT"),
    ],
)
def test_the_same_cookie(one: str, other: str) -> None:
    assert compared([("Set-Cookie", one)], [("Set-Cookie", other)]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a=1; SameSite=Lax", "a=1; SameSite=None"),
        ("a=1; Domain=a.test", "a=1; Domain=b.test"),
        ("a=1; Path=/A", "a=1; Path=/a"),
        ("a=; Max-Age=0", "a=; Max-Age=1"),
        ("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=; Expires=Thu, 01 Jan 2027 00:00:00 GMT"),
        ("to=http%3A%2F%2Fa.test%3A8443%2Fx", "to=http%3A%2F%2Fb.test%3A8443%2Fx"),
    ],
)
def test_another_cookie(one: str, other: str) -> None:
    assert compared([("Set-Cookie", one)], [("Set-Cookie", other)]) == [("header:set-cookie", "value", "")]


def test_a_retry_at_another_time_counts() -> None:
    one, other = "Sun, 22 Nov 2026 12:01:00 GMT", "Sun, 22 Nov 2026 12:03:00 GMT"
    assert compared([("Retry-After", one)], [("Retry-After", other)]) == [("header:retry-after", "value", "")]


def test_times_in_a_url_are_known_by_the_names_before_them() -> None:
    def told(life: int) -> list[tuple[str, str, str]]:
        url = "https://a.test/cb#x=1&expires_at={}"
        return compared([("Location", url.format(1795352400))], [("Location", url.format(1795348801 + life))])

    assert told(3600) == [("header:location", "value", "time")]
    assert told(3660) == [("header:location", "value", "")]


def test_a_policy_of_cloudfront_is_read() -> None:
    def policy(end: int) -> str:
        text = f'{{"Statement":[{{"Resource":"*","Condition":{{"DateLessThan":{{"AWS:EpochTime":{end}}}}}}}]}}'
        return f"CloudFront-Policy={base64.b64encode(text.encode()).decode().replace('=', '_')}; Path=/"

    one = [("Set-Cookie", policy(1795352400))]
    assert compared(one, [("Set-Cookie", policy(1795352401))]) == [("header:set-cookie", "value", "signed")]
    assert compared(one, [("Set-Cookie", policy(1795356000))]) == [("header:set-cookie", "value", "")]
