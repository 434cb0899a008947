from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.admission.request_filter import RequestFilter
from mirror_addon.admission.request_filter import check_filters
from mirror_addon.options.settings import OptionError
from mirror_addon.options.values import parse_mirror_url
from mirror_addon.routing.decision import Request


def request(
    host: bytes = b"shop.test", path: bytes = b"/v1/a?b=c", method: bytes = b"GET", scheme: bytes = b"http"
) -> Request:
    headers = ((b"Content-Type", b"application/json"), (b"X-Team", b"red"))
    return Request(method, scheme, host, path, headers, 8080)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("~d shop.test", True),
        ("~d other.test", False),
        ("~d shop.test & ~u /v1", True),
        ("~d shop.test & ~u /v2", False),
        ("~u ^http://shop.test/v1/a.b=c$", True),
        ("~m POST | ~d shop", True),
        ("!~m GET", False),
        ("~m GET & !(~d a | ~d b)", True),
        ("~h X-Team:.red", True),
        ("~hq X-Team:.blue", False),
        ("~t json", True),
        ("~tq html", False),
        ("~q & ~http & ~all", True),
        ("v1", True),
    ],
)
def test_what_the_head_has(text: str, matches: bool) -> None:
    assert RequestFilter(text)(request()) is matches


@pytest.mark.parametrize(
    ("host", "url"),
    [(b"shop.test:8080", "http://shop.test:8080/v1/a"), (b"[::1]:9", "::1"), (b"SHOP.test", "SHOP")],
)
def test_the_host_is_the_requests_own(host: bytes, url: str) -> None:
    assert RequestFilter(f"~u {url}")(request(host))


@pytest.mark.parametrize("scheme", [b"http", b"https"])
def test_the_scheme(scheme: bytes) -> None:
    assert RequestFilter(f"~u ^{scheme.decode()}://")(request(scheme=scheme))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("~c 500", "~c is not known when the head of a request arrives"),
        ("~d a & !(~s | ~e )", "~s is not known"),
        ("~bq secret", "~bq is not known"),
        ("~src 10.0.0.1", "~src is not known"),
        ("~marked", "~marked is not known"),
        ("~d (", "is not a mitmproxy filter"),
        ("~zz", "is not a mitmproxy filter"),
        ("((((((~m GET))))))", "more than 4 levels of brackets"),
        ("~d [", "is not a mitmproxy filter"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RequestFilter(text)
    with pytest.raises(OptionError, match=f"^mirror_to=.*{said}"):
        check_filters([parse_mirror_url(f"\N{SECTION SIGN}{text}\N{SECTION SIGN}http://localhost:9002")])


def test_without_a_filter_there_is_nothing_to_check() -> None:
    check_filters([parse_mirror_url("http://localhost:9002")])


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=10))
def test_no_request_raises(host: bytes, path: bytes, method: bytes) -> None:
    for text in ("~d a", "~u b", "~m c", "~h d"):
        assert RequestFilter(text)(request(host, path, method)) in (True, False)


def test_what_fails_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    wanted = RequestFilter("~d a")

    def fail(flow: object) -> bool:
        raise RuntimeError("of a filter")

    wanted._filter = fail
    assert not wanted(request()) and not wanted(request())
    assert caplog.messages == ["mirror: mirror_to ~d a: RuntimeError: of a filter"]
