from __future__ import annotations

import gzip
import random

import pytest
from capturetools import Folder
from capturetools import reasons
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.stream import CaptureError

END = "\n🐵🙈🙉\n".encode()
SECOND = 1_000_000_000


def payload(kind: int, id: str, message: bytes, at: float = 1000.0) -> bytes:
    return b"%d %s %d %d\n" % (kind, id.encode(), int(at * SECOND), 0) + message + END


def get(path: str = "/a", *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: shop.example:8080", *fields, "", ""]).encode()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


def test_requests_with_their_responses_in_the_order_of_the_requests(folder: Folder) -> None:
    parts = [
        payload(1, "a", get("/1?x=1", "X-A: 1"), 1000.0),
        payload(1, "b", get("/2"), 1000.5),
        payload(2, "b", OK.replace(b"ok", b"no"), 1001.0),
        payload(3, "a", OK.replace(b"ok", b"v2"), 1001.0),
        payload(2, "a", OK, 1002.0),
        payload(1, "c", get("/3"), 1003.0),
    ]
    for content in (b"".join(parts), gzip.compress(b"".join(parts))):
        first, second, third = folder.recorded(content)
        assert isinstance(first, Recorded) and isinstance(second, Recorded) and isinstance(third, Recorded)
        request = first.request
        assert (request.method, request.scheme, request.authority, request.path, request.port) == (
            b"GET", b"http", b"shop.example:8080", b"/1?x=1", 8080,
        )  # fmt: skip
        assert request.headers == ((b"X-A", b"1"),)
        assert (first.started, second.started) == (1000.0, 1000.5)
        assert first.connection != second.connection, "a file has no names of connections; nothing waits"
        for found, body, ended in ((first, b"ok", 1002.0), (second, b"no", 1001.0)):
            response = found.flow.response
            assert response is not None
            assert (response.status_code, response.raw_content, response.timestamp_end) == (200, body, ended)
        assert third.flow.response is None and third.flow.error is not None
    assert folder.warnings == []


def test_bodies(folder: Folder) -> None:
    post = b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b"
    chunked = b"3\r\nabc\r\n0\r\n\r\n"
    parts = [
        payload(1, "a", post % (b"Content-Length: 3", b"abc")),
        payload(1, "b", post % (b"Transfer-Encoding: chunked", chunked)),
        payload(1, "c", post % (b"Content-Length: 3", b"ab")),
        payload(1, "d", post % (b"Transfer-Encoding: chunked", chunked[:-7])),
        payload(2, "a", b"HTTP/1.0 200 OK\r\n\r\nto the end"),
        payload(2, "b", OK[:-1]),
    ]
    found = folder.recorded(b"".join(parts))
    assert reasons(found) == ["", "", "body_cut", "body_cut"]
    first, second = found[:2]
    assert isinstance(first, Recorded) and isinstance(second, Recorded)
    assert (first.body, second.body) == (b"abc", b"abc")
    assert first.flow.response is not None and first.flow.response.raw_content == b"to the end"
    assert second.flow.response is not None and second.flow.response.raw_content is None


@pytest.mark.parametrize(
    "message",
    [b"", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHo", OK, b"\x16\x03\x01", get("ftp://x/")],
)
def test_a_payload_that_is_no_request_costs_that_payload(folder: Folder, message: bytes) -> None:
    found = folder.recorded(payload(1, "a", message) + payload(1, "b", get()))
    assert reasons(found) == ["malformed", ""]
    assert "payload 1 is not an HTTP request" in folder.warnings[0]


def test_a_response_that_is_none(folder: Folder) -> None:
    parts = [
        payload(1, "a", get()),
        payload(2, "a", b"junk\r\n\r\n"),
        payload(1, "b", get()),
        payload(2, "b", b"HTTP/1.1 2"),
    ]
    for found in folder.recorded(b"".join(parts)):
        assert isinstance(found, Recorded) and found.flow.response is None


def test_targets(folder: Folder) -> None:
    options = b"OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n"
    found = folder.recorded(payload(1, "a", get("http://other.example/x")) + payload(1, "b", options))
    assert [each.request.path for each in found if isinstance(each, Recorded)] == [b"/x", b"*"]
    assert isinstance(found[0], Recorded) and found[0].request.authority == b"other.example"


def test_an_id_that_comes_again(folder: Folder) -> None:
    found = folder.recorded(payload(1, "a", get("/1")) + payload(1, "a", get("/2")) + payload(2, "a", OK))
    assert [each.flow.response is not None for each in found if isinstance(each, Recorded)] == [False, True]


def test_requests_do_not_wait_for_ever(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirror_addon.captures.gor._WAITING", 3)
    parts = [payload(1, str(number), get(f"/{number}")) for number in range(10)] + [
        payload(2, "0", OK),
        payload(2, "9", OK),
    ]
    found = [each for each in folder.recorded(b"".join(parts)) if isinstance(each, Recorded)]
    assert [each.request.path for each in found] == [b"/%d" % number for number in range(10)]
    assert [number for number, each in enumerate(found) if each.flow.response] == [9]


def test_a_file_that_is_none(folder: Folder) -> None:
    with pytest.raises(CaptureError, match="no payload ends"):
        folder.entries(b"1 a 5\n" + get())
    with pytest.raises(CaptureError, match="payload 2 has no line of type, id and time but b'9 b 5'"):
        folder.entries(payload(1, "a", get()) + b"9 b 5\nx" + END)


def test_a_payload_without_end(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirror_addon.captures.gor._MAX_PAYLOAD", 1000)
    with pytest.raises(CaptureError, match="payload 2 does not end within 1,000 bytes"):
        folder.entries(payload(1, "a", get()) + b"1 b 5\n" + b"x" * 100_000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.integers(1, 400))
def test_a_file_that_is_torn_gives_what_came_before(folder: Folder, cut: int) -> None:
    parts = [
        payload(1, str(number), get(f"/{number}", "X: " + "x" * random.Random(number).randrange(90)))
        for number in range(5)
    ]
    whole = b"".join(parts)
    cut = min(cut, len(whole) - 1)
    ends = [len(b"".join(parts[: number + 1])) for number in range(5)]
    complete = sum(end <= cut for end in ends)
    if complete:
        assert len(folder.recorded(whole[:cut])) == complete
        assert (cut in ends) == (folder.warnings == [])
