from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.routing.decision import Request
from mirror_addon.routing.lookup import RequestLookup

Ask = Callable[..., Request]


@pytest.fixture
def lookup(ask: Ask) -> RequestLookup:
    headers = (
        ("X-A", "1"),
        ("x-a", "2"),
        ("Accept", ""),
        ("accept", "b"),
        ("ACCEPT", "c"),
        ("Cookie", 'a=1; sid="x=y";b'),
    )
    request = ask("/p?a=%31&b&a=2&c=#d=4", "Example.com:81", *headers, ("cookie", "sid=second; z=9"), method="PUT")
    return RequestLookup(request, b"/p")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (b"x-a", [b"1", b"2"]),
        (b"accept", [b"b,c"]),
        (b"absent", []),
        (b":method", [b"PUT"]),
        (b":scheme", [b"http"]),
        (b":authority", [b"Example.com:81"]),
        (b"host", [b"Example.com:81"]),
        (b":path", [b"/p?a=%31&b&a=2&c=#d=4"]),
    ],
)
def test_lines(name: bytes, lines: list[bytes], lookup: RequestLookup) -> None:
    assert lookup.lines(name) == lines


def test_a_joined_header_of_empty_lines_is_empty(ask: Ask) -> None:
    assert RequestLookup(ask("/", "h", ("accept", ""), ("accept", "")), b"/").lines(b"accept") == [b""]


@pytest.mark.parametrize(("name", "value"), [(b"a", b"%31"), (b"b", b""), (b"c", b""), (b"d", None), (b"x", None)])
def test_param(name: bytes, value: bytes | None, lookup: RequestLookup) -> None:
    assert lookup.param(name) == value


def test_there_are_no_params_without_a_query(ask: Ask) -> None:
    assert RequestLookup(ask("/p"), b"/p").param(b"") is None


@pytest.mark.parametrize(
    ("name", "value"), [(b"a", b"1"), (b"sid", b"x=y"), (b"z", b"9"), (b"b", None), (b"absent", None)]
)
def test_cookie(name: bytes, value: bytes | None, lookup: RequestLookup) -> None:
    assert lookup.cookie(name) == value
