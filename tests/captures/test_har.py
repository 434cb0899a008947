from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from capturetools import Folder
from capturetools import exchange
from capturetools import har
from capturetools import reasons

from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.stream import CaptureError


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/json", '{"é": "ü"}'.encode()),
        (b"text/plain; charset=iso-8859-1", "é".encode("latin-1")),
        (b"text/plain", "é".encode()),
        (b"application/octet-stream", b"\x00\xff\x80abc"),
        (b"application/x-www-form-urlencoded", b"a=1&b=%20"),
        (b"", b"x"),
    ],
)
def test_bodies_of_mitmproxys_har(folder: Folder, kind: bytes, body: bytes) -> None:
    fields = [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(body))]
    flow = exchange(b"POST", body=body, fields=fields, answer=body, answer_fields=fields[:1])
    found = folder.one(har(flow))
    assert found.body == body
    assert found.request.headers == tuple(fields)
    assert found.flow.response is not None
    assert found.flow.response.raw_content == body


def test_a_content_coding_is_put_back(folder: Folder) -> None:
    flow = exchange(
        answer=gzip.compress(b"hello"), answer_fields=[(b"content-encoding", b"gzip"), (b"content-type", b"text/plain")]
    )
    response = folder.one(har(flow)).flow.response
    assert response is not None
    assert (response.content, gzip.decompress(response.raw_content or b"")) == (b"hello", b"hello")


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-11-22T10:00:00.000Z",
        "time": 125.0,
        "request": {
            "method": "GET",
            "url": "https://shop.example:8443/a?b=c#d",
            "httpVersion": "h2",
            "headers": [{"name": ":authority", "value": "shop.example:8443"}, {"name": "accept", "value": "*/*"}],
            "bodySize": 0,
        },
        "response": {"status": 200, "httpVersion": "h2", "headers": [], "content": {"size": 2, "text": "ok"}},
        **changes,
    }


def document(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


def test_a_browsers_har(folder: Folder) -> None:
    found = folder.one(document(entry(connection="443")))
    request = found.request
    assert (request.scheme, request.authority, request.path, request.port) == (
        b"https", b"shop.example:8443", b"/a?b=c", 8443,
    )  # fmt: skip
    assert request.headers == ((b"accept", b"*/*"),)
    assert found.connection == "443"
    assert found.ended - found.started == pytest.approx(0.124)


def test_entries_without_a_connection_are_one_clients(folder: Folder) -> None:
    first, second = folder.recorded(b"\xef\xbb\xbf" + document(entry(), entry()))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert first.connection == second.connection
    assert first.id != second.id


def test_bodies_that_a_har_lacks_or_has_in_parts(folder: Folder) -> None:
    asked = entry()["request"] | {"method": "POST", "bodySize": 7}
    form = {"name": "content-type", "value": "application/x-www-form-urlencoded"}
    entries = [
        entry(request=asked),
        entry(request=asked | {"postData": {"mimeType": "", "params": [{"name": "a", "value": "1"}]}}),
        entry(request=asked | {"headers": [form], "postData": {"params": [{"name": "a", "value": "1 2"}]}}),
        entry(request=asked | {"postData": {"text": base64.b64encode(b"\xff").decode(), "encoding": "base64"}}),
        entry(_resourceType="websocket"),
        entry(request=asked | {"url": "wss://shop.example/x"}),
        entry(response={"status": 0, "headers": [], "content": {}, "_error": "net::ERR_FAILED"}),
    ]
    found = folder.recorded(document(*entries))
    assert reasons(found) == ["body_not_kept", "body_not_kept", "", "", "websocket", "not_http", ""]
    assert [each.body for each in found if isinstance(each, Recorded)] == [b"a=1+2", b"\xff", b""]
    last = found[-1]
    assert isinstance(last, Recorded)
    assert last.flow.response is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (document(entry()).replace(b'"h2"', b"h2"), "not JSON"),
        (document({"request": {}}), "entry 1 is not HAR 1.2: lacks 'response'"),
        (document(entry(startedDateTime="yesterday")), "entry 1 is not HAR 1.2"),
        (document(entry(response={"status": "no", "headers": [], "content": {}})), "entry 1 is not HAR 1.2"),
        (b'{"log": ', "not JSON"),
    ],
)
def test_a_broken_har_says_where(folder: Folder, content: bytes, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        folder.entries(content)


def test_a_torn_har_gives_what_came_before(folder: Folder) -> None:
    whole = document(*(entry(connection=str(number)) for number in range(300)))
    found = folder.recorded(whole[: len(whole) * 2 // 3])
    assert 100 < len(found) <= 200
    assert "the file ends after" in folder.warnings[0]


def test_a_har_without_entries(folder: Folder) -> None:
    assert folder.entries(document()) == []


def test_host_is_made_of_the_url_where_http1_lacks_it(folder: Folder) -> None:
    asked = entry()["request"]
    for version, host in (("HTTP/1.1", ((b"Host", b"shop.example:8443"),)), ("h3", ())):
        found = folder.one(document(entry(request=asked | {"httpVersion": version, "headers": []})))
        assert found.flow.request.headers.fields == host
        assert found.request.authority == b"shop.example:8443"


def test_a_response_whose_body_is_not_in_the_file(folder: Folder) -> None:
    found = folder.one(document(entry(response=entry()["response"] | {"content": {"size": 9}})))
    assert found.flow.response is not None
    assert found.flow.response.raw_content is None


@pytest.mark.parametrize(
    ("text", "kind", "coding", "size", "body"),
    [
        ("é", "text/plain; charset=ascii", "", 2, "é".encode()),
        ("é", "text/plain; charset=no-such", "", -1, "é".encode()),
        ("é", "text/plain; charset=iso-8859-1", "", 2, "é".encode()),
        ("é", "text/plain; charset=iso-8859-1", "", 1, b"\xe9"),
        ("\udcff", "text/plain", "", -1, b"\xff"),
        ("\udcff\ud800", "text/plain", "", -1, b"??"),
        ("é", "text/plain", "no-such-coding", 9, b"\xe9"),
        ("é", "text/plain; charset=utf-8", "gzip", 2, "é".encode()),
    ],
)
def test_bytes_of_a_text(folder: Folder, text: str, kind: str, coding: str, size: int, body: bytes) -> None:
    """Where the file's size is that of the text, the body had no content coding, whatever its header says."""
    headers = [{"name": "content-type", "value": kind}, {"name": "content-encoding", "value": coding}]
    asked = entry()["request"] | {"method": "POST", "headers": headers, "bodySize": size, "postData": {"text": text}}
    assert folder.one(document(entry(request=asked))).body == body


def test_a_body_that_is_no_base64(folder: Folder) -> None:
    asked = entry()["request"] | {"method": "POST", "postData": {"text": "!", "encoding": "base64"}}
    with pytest.raises(CaptureError, match=r"entry 1 is not HAR 1\.2: a body is not base64"):
        folder.entries(document(entry(request=asked)))


def test_a_byte_that_is_not_utf8_among_many_entries(folder: Folder) -> None:
    """As mitmproxy writes it; all entries are read, each once."""
    flows = [exchange(b"POST", path=b"/%d" % number, body=b'{"a": 1}') for number in range(50)]
    flows[30].request.raw_content = b'{"\xff": 1}'
    for flow in flows:
        flow.request.headers["Content-Type"] = "application/json"
    found = [each for each in folder.recorded(har(*flows)) if isinstance(each, Recorded)]
    assert [each.request.path for each in found] == [b"/%d" % number for number in range(50)]
    assert found[30].body == b'{"\xff": 1}'
    whole = har(*flows)
    assert len(folder.recorded(whole[: whole.index(b"shop.example/49")])) == 49
    assert "the file ends after 49 entries" in folder.warnings[0]
    with pytest.raises(CaptureError, match="not JSON after byte"):
        folder.entries(har(flows[30], flows[0]).replace(b"example/0", b"example/\xff"))
