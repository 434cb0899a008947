from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from mirror_addon.diff_view.requests import RequestDifference
from mirror_addon.diff_view.requests import request_differences


def request(path: bytes = b"/x", *fields: tuple[bytes, bytes], **more: object) -> http.Request:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": 9001,
        "method": b"GET",
        "scheme": b"http",
        "authority": b"",
        "http_version": b"HTTP/1.1",
        "content": b"",
        "trailers": None,
        "timestamp_start": 0.0,
        "timestamp_end": 0.0,
    }
    return http.Request(path=path, headers=http.Headers(fields), **{**values, **more})  # type: ignore[arg-type]


HOST = b"Host", b"shop.test"


@pytest.mark.parametrize(
    ("shadow", "expected"),
    [
        (request(b"/x", HOST), []),
        (request(b"/y", HOST), [("path", "/x", "/y")]),
        (request(b"/x", (b"host", b"shop.test-shadow")), [("Host", "shop.test", "shop.test-shadow")]),
        (request(b"/x", HOST, (b"X-A", b"1"), (b"x-a", b"2")), [("header x-a", None, "1\n2")]),
        (request(b"/x", HOST, method=b"get"), [("method", "GET", "get")]),
        (request(b"/x", HOST, content=b"abc"), [("body", "0 bytes", "3 bytes")]),
        (request(b"/x", HOST, content=None), []),
        (request(b"/x", HOST, port=9002), [("sent to", "http://127.0.0.1:9001", "http://127.0.0.1:9002")]),
        (
            request(b"/x", authority=b"shop.test", http_version=b"HTTP/2.0"),
            [("version", "HTTP/1.1", "HTTP/2.0")],
        ),
    ],
)
def test_what_differs(shadow: http.Request, expected: list[tuple[str, str | None, str | None]]) -> None:
    assert list(request_differences(request(b"/x", HOST), shadow)) == [RequestDifference(*each) for each in expected]


def test_order_and_case_of_names_do_not_count() -> None:
    one = request(b"/x", (b"A", b"1"), (b"B", b"2"))
    assert list(request_differences(one, request(b"/x", (b"b", b"2"), (b"a", b"1")))) == []


@given(st.binary(), st.binary(), st.binary())
def test_any_bytes(path: bytes, name: bytes, value: bytes) -> None:
    for each in request_differences(request(), request(path, (name, value), method=value, authority=name)):
        assert each.primary != each.shadow
