from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.har_entry import HarError
from mirror_addon.captures.har_entry import har_entry
from mirror_addon.captures.reading import recorded

START = 1763805600.0


def value(**changes: Any) -> dict[str, Any]:
    """An entry of HAR 1.2; the changes are of members by their path, as in `request__headers`."""
    made: dict[str, Any] = {
        "startedDateTime": "2025-11-22T10:00:00.000Z",
        "time": 125,
        "request": {"method": "GET", "url": "http://shop.example/a", "httpVersion": "HTTP/1.1", "headers": []},
        "response": {"status": 200, "statusText": "OK", "headers": [], "content": {"size": 2, "text": "ok"}},
    }
    for path, new in changes.items():
        *above, name = path.split("__")
        place = made
        for each in above:
            place = place[each]
        place[name] = new
    return made


def read(**changes: Any) -> Entry:
    return har_entry(value(**changes), 0, START - 100)


def flow(**changes: Any) -> http.HTTPFlow:
    found = read(**changes).flow
    assert isinstance(found, http.HTTPFlow)
    return found


@pytest.mark.parametrize(
    ("start", "moment"),
    [
        ("2025-11-22T10:00:00.000Z", START),
        ("2025-11-22T11:00:00.0000000+01:00", START),  # Fiddler
        (" 2025-11-22 10:00:00+0000 ", START),
        ("Sat, 22 Nov 2025 10:00:00 GMT", START),
        (START, START),
        (START * 1000, START),
        (str(int(START * 1000)), START),
        *((odd, START - 100) for odd in (None, "", "yesterday", True, -1, [], {}, 1e300, "inf", "nan")),
    ],
)
def test_a_start_is_read_in_any_form_else_it_is_that_of_the_entry_before(start: Any, moment: float) -> None:
    assert flow(startedDateTime=start).request.timestamp_start == moment


@pytest.mark.parametrize(
    ("time", "seconds"), [(125, 0.125), ("125", 0.125), (-1, 0), (None, 0), ("x", 0), ([], 0), (1e400, 0), ("nan", 0)]
)
def test_durations(time: Any, seconds: float) -> None:
    response = flow(time=time).response
    assert response is not None and response.timestamp_end == START + seconds
    assert flow(timings={"send": time}).request.timestamp_end == START + seconds


@pytest.mark.parametrize("timings", [None, [], "x", {"send": None}, {}])
def test_odd_timings(timings: Any) -> None:
    assert flow(timings=timings).request.timestamp_end == START


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ([{"name": "X-A"}], [(b"X-A", b"")]),
        ([{"name": "X-A", "value": None}], [(b"X-A", b"")]),
        ([{"name": "X-A", "value": 5}, {"name": "X-B", "value": 5.0}], [(b"X-A", b"5"), (b"X-B", b"5")]),
        ([{"name": "X-A", "value": 0.5}, {"name": "X-B", "value": True}], [(b"X-A", b"0.5"), (b"X-B", b"true")]),
        ([["X-A", "1"], ["X-B", ["2", "3"]]], [(b"X-A", b"1"), (b"X-B", b"2"), (b"X-B", b"3")]),
        (["X-A: 1", ":method: GET", "X-B:2"], [(b"X-A", b"1"), (b"X-B", b"2")]),
        ({"X-A": "1", "X-B": ["2", None]}, [(b"X-A", b"1"), (b"X-B", b"2"), (b"X-B", b"")]),
        ([None, 5, [], ["X"], {}, {"value": "x"}, {"name": None, "value": "x"}, {"name": ""}], []),
        ([{"name": ":authority", "value": "x"}], []),
        (None, []),
        ("x", []),
        ([{"name": "Cookie", "value": "a=1\nb=2"}], [(b"Cookie", b"a=1"), (b"Cookie", b"b=2")]),
        ([{"name": "X-A", "value": "1\r\n 2\n\t3\r\n4\n"}], [(b"X-A", b"1 2 3"), (b"X-A", b"4")]),
        ([{"name": "X-A", "value": "\udcff"}, {"name": "X-B", "value": "\ud800"}], [(b"X-A", b"\xff"), (b"X-B", b"?")]),
    ],
)
def test_header_fields(headers: Any, fields: list[tuple[bytes, bytes]]) -> None:
    assert list(flow(request__headers=headers).request.headers.fields) == [(b"Host", b"shop.example"), *fields]
    response = flow(response__headers=headers).response
    assert response is not None and list(response.headers.fields) == fields


def test_lines_of_a_name_that_were_joined() -> None:
    response = flow(response__headers=[{"name": "Set-Cookie", "value": "a=1; Path=/\nb=2; Path=/"}]).response
    assert response is not None and response.headers.get_all("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]


@pytest.mark.parametrize(("status", "read_as"), [(200, 200), ("200", 200), ("200 OK", 200), ("200.0", 200), (999, 999)])
def test_a_status(status: Any, read_as: int) -> None:
    response = flow(response__status=status).response
    assert response is not None and response.status_code == read_as


@pytest.mark.parametrize("status", [0, None, "error", "", [], {}, -1, 99, 1000, 1e400, "1e999", True])
def test_without_a_status_there_is_no_response(status: Any) -> None:
    found = flow(response__status=status)
    assert found.response is None
    assert found.error is not None and found.error.msg == "unanswered"


@pytest.mark.parametrize("response", [None, [], "x", 5, {}])
def test_without_a_response_the_request_is_still_there(response: Any) -> None:
    found = read(response=response)
    assert (found.left_out, flow(response=response).response) == ("", None)


def test_what_the_browser_says_of_a_failure() -> None:
    error = flow(response={"status": 0, "_error": "net::ERR_FAILED"}).error
    assert error is not None and error.msg == "net::ERR_FAILED"


@pytest.mark.parametrize(
    ("version", "read_as"),
    [
        ("h2", "HTTP/2.0"), ("HTTP/2", "HTTP/2.0"), ("http/2.0", "HTTP/2.0"), ("h3", "HTTP/3"), ("HTTP/3.0", "HTTP/3"),
        ("HTTP/1.1", "HTTP/1.1"), ("http/1.0", "HTTP/1.1"), ("", "HTTP/1.1"), (None, "HTTP/1.1"), (2, "HTTP/1.1"),
    ],
)  # fmt: skip
def test_versions(version: Any, read_as: str) -> None:
    assert flow(request__httpVersion=version).request.http_version == read_as


def test_host_is_made_of_the_url_where_http1_lacks_it() -> None:
    for version, host in (("HTTP/1.1", ((b"Host", b"shop.example:8443"),)), ("h3", ())):
        found = flow(request__url="https://shop.example:8443/", request__httpVersion=version).request
        assert found.headers.fields == host
        assert (found.host, found.port, found.authority) == ("shop.example", 8443, "" if host else "shop.example:8443")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"_resourceType": "websocket"}, "websocket"),
        ({"_webSocketMessages": []}, "websocket"),
        ({"request__url": "wss://shop.example/x"}, "not_http"),
        ({"request__url": "data:,x"}, "not_http"),
        ({"request__url": "/relative"}, "not_http"),
        ({"request__bodySize": 7}, "body_not_kept"),
    ],
)
def test_what_cannot_be_sent_again(changes: dict[str, Any], reason: str) -> None:
    assert read(**changes).left_out == reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"request": None}, "request.method"),
        ({"request": []}, "request.method"),
        ({"request__method": 5}, "request.method"),
        ({"request__method": ""}, "request.method"),
        ({"request__url": None}, "request.url"),
        ({"request__url": ["http://a/"]}, "request.url"),
        ({"request__url": "http://[::1/"}, "request.url"),
    ],
)
def test_without_a_request_there_is_no_exchange(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(HarError, match=message):
        read(**changes)


@pytest.mark.parametrize(
    ("connection", "peer"),
    [
        ("198.51.100.7:4321", ("198.51.100.7", 4321)),
        *((odd, ("127.0.0.1", 0)) for odd in ("443", 443, None, [], "a:b", "a:²", ":5", "a:99999999")),
    ],
)
def test_the_clients_address(connection: Any, peer: tuple[str, int]) -> None:
    assert flow(connection=connection).client_conn.peername == peer


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
MEMBERS = (
    "startedDateTime", "time", "connection", "timings", "request", "response", "_resourceType", "request__method",
    "request__url", "request__httpVersion", "request__headers", "request__postData", "request__bodySize",
    "response__status", "response__statusText", "response__headers", "response__content", "response__bodySize",
    "response__httpVersion", "response__content__text", "response__content__size", "response__content__encoding",
)  # fmt: skip


@given(st.sampled_from(MEMBERS), json_values)
def test_any_value_anywhere_is_read_or_a_har_error(member: str, odd: Any) -> None:
    with suppress(HarError):
        read(**{member: json.loads(json.dumps(odd))})


def test_entries_without_a_connection_are_sent_in_turn() -> None:
    """Where several began at the same moment; see replay.player."""
    assert read().in_turn and read().connection == "har"
    assert not read(connection="7").in_turn
    found = recorded(read(), b"10.0.0.1")
    assert isinstance(found, Recorded) and found.in_turn


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        (" http://a.test/a b?c\td#e ", b"a.test", b"/a%20b?c%09d"),
        ("http://b\u00fccher.test:8080/", b"xn--bcher-kva.test:8080", b"/"),
        ("http://u:p@a.test/x", b"a.test", b"/x"),
        ("HTTP://[2001:db8::1]:81/x?", b"[2001:db8::1]:81", b"/x?"),
        ("http://a.test/\u00e9|%2f", b"a.test", "/\u00e9|%2f".encode()),
    ],
)
def test_urls_as_programs_show_them(url: str, authority: bytes, path: bytes) -> None:
    request = flow(request__url=url).request
    assert (request.headers.fields[0], request.data.path) == ((b"Host", authority), path)


def test_a_host_that_is_no_name() -> None:
    with pytest.raises(HarError, match="its host is no name"):
        read(request__url="http://\u00fc..test/")


def test_cookies_and_types_that_stand_elsewhere_only() -> None:
    cookies = [{"name": "a", "value": "1"}, None, {"name": ""}, {"name": "b"}]
    data = {"mimeType": "application/json", "text": "{}"}
    found = flow(request__cookies=cookies, request__postData=data).request.headers
    assert (found["cookie"], found["content-type"]) == ("a=1; b=", "application/json")
    headers = [{"name": "cookie", "value": "c=1"}, {"name": "content-type", "value": "text/plain"}]
    found = flow(request__cookies=cookies, request__postData=data, request__headers=headers).request.headers
    assert (found["cookie"], found["content-type"]) == ("c=1", "text/plain")
    for kind in ("", None, "application/octet-stream"):
        assert "content-type" not in flow(request__postData={"mimeType": kind, "text": "x"}).request.headers
    typed = {"size": 2, "mimeType": "application/json", "text": "{}"}
    response = flow(response__content=typed).response
    assert response is not None
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers", ["X-A: 1\r\nX-B: 2\r\n", [{"key": "X-A", "value": "1"}, {"name": "X-B ", "value": " 2"}]]
)
def test_header_fields_in_other_forms(headers: Any) -> None:
    assert flow(request__headers=headers).request.headers.fields[1:] == ((b"X-A", b"1"), (b"X-B", b"2"))
