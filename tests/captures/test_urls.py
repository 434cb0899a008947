from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.captures.urls import RequestError
from mirror_addon.captures.urls import split_url
from mirror_addon.captures.urls import to_bytes
from mirror_addon.captures.urls import to_text


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a/b?c#d", (b"http", b"a", b"/b?c#d")),
        ("HTTPS://A:1", (b"https", b"A:1", b"/")),
        ("http://a?b/c", (b"http", b"a", b"/?b/c")),
        ("http://a#b", (b"http", b"a", b"/#b")),
        ("http://[::1]:2//x/../%2F", (b"http", b"[::1]:2", b"//x/../%2F")),
        ("http://ü/\udcff", (b"http", b"\xc3\xbc", b"/\xff")),
    ],
)
def test_nothing_is_normalised(url: str, parts: tuple[bytes, bytes, bytes]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize("url", ["", "/a", "a", "ftp://a/", "ws://a/", "data:,x", "://a"])
def test_relative_urls_and_other_schemes(url: str) -> None:
    with pytest.raises(RequestError, match="must be absolute"):
        split_url(url)


@pytest.mark.parametrize("url", ["http://", "http:///a", "https://?x"])
def test_no_host(url: str) -> None:
    with pytest.raises(RequestError, match="has no host"):
        split_url(url)


@given(st.binary())
def test_any_bytes_have_a_text(raw: bytes) -> None:
    assert to_bytes(to_text(raw)) == raw
