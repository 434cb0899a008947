from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from mirror_addon.captures.entry import Entry
from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.reading import read_capture
from mirror_addon.captures.reading import recorded
from mirror_addon.captures.stream import CaptureError
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.shadow_flows import metadata as meta

OWN = b"10.9.8.7"


def exchange(
    method: bytes = b"GET",
    path: bytes = b"/orders/17?x=1",
    body: bytes | None = b"",
    answer: bytes = b'{"a": 1}',
    at: float = 1000.0,
    fields: Sequence[tuple[bytes, bytes]] = (),
    answer_fields: Sequence[tuple[bytes, bytes]] = ((b"Content-Type", b"application/json"),),
) -> http.HTTPFlow:
    flow = tflow.tflow(resp=True)
    flow.request = http.Request(
        "10.0.0.9", 80, method, b"http", b"", path, b"HTTP/1.1",
        ((b"Host", b"shop.example"), *fields), body, None, at, at + 0.25,
    )  # fmt: skip
    flow.response = http.Response(b"HTTP/1.1", 200, b"OK", tuple(answer_fields), answer, None, at + 0.3, at + 0.5)
    flow.client_conn.peername = ("198.51.100.7", 4321)
    flow.client_conn.timestamp_tls_setup = None
    return flow


def dump(*flows: mitm_flow.Flow) -> bytes:
    file = io.BytesIO()
    writer = FlowWriter(file)
    for flow in flows:
        writer.add(flow)
    return file.getvalue()


def har(*flows: http.HTTPFlow) -> bytes:
    return json.dumps(SaveHar().make_har(flows)).encode()


ASKED = RecordedRequest(((b"Host", b"shop.example"), (b"X-A", b"1")), b"hello", False)
ANSWERED = Answer(201, ((b"Content-Type", b"text/plain"),), b"done", 4, 12.5)


def line(
    flow: str = "f1",
    number: int = 0,
    request: RecordedRequest | None = ASKED,
    answer: Answer = ANSWERED,
    redacted: frozenset[bytes] = frozenset(),
    **changes: Any,
) -> bytes:
    about = About(
        f"{flow}/{number}", flow, 1000.5, "default/shop http[0]", "shop/v1", "shop/v2", False, "POST",
        "http://shop.example/orders?x=1", 77, "198.51.100.7:4321",
    )  # fmt: skip
    shadow = Answer(200, (), b"", 0, 1.0)
    return record_line(
        about._replace(**changes), answer, shadow, Comparison("same", ()), request=request, redacted=redacted
    )


class Folder:
    """Files to read, and what was warned of."""

    def __init__(self, path: Path) -> None:
        self.path = path / "capture"
        self.warnings: list[str] = []

    def entries(self, content: bytes) -> list[Entry]:
        self.path.write_bytes(content)
        self.warnings = []
        return list(read_capture(self.path, self.warnings.append))

    def recorded(self, content: bytes) -> list[Recorded | str]:
        return [recorded(entry, OWN) for entry in self.entries(content)]

    def one(self, content: bytes) -> Recorded:
        (found,) = self.recorded(content)
        assert isinstance(found, Recorded), found
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def reasons(found: Sequence[Recorded | str]) -> list[str]:
    return [each if isinstance(each, str) else "" for each in found]


# mitmproxy's dump


def test_a_dump(folder: Folder) -> None:
    flow = exchange(b"POST", body=b"\x00\xff", fields=[(b"Content-Length", b"2")])
    found = folder.one(dump(flow))
    assert (found.id, found.body, found.draw, found.client) == (flow.id, b"\x00\xff", None, "198.51.100.7:4321")
    request = found.request
    assert (request.method, request.scheme, request.authority, request.path, request.port) == (
        b"POST", b"http", b"shop.example", b"/orders/17?x=1", 80,
    )  # fmt: skip
    assert request.headers == ((b"Content-Length", b"2"),)
    assert request.client == b"198.51.100.7"
    assert (found.started, found.ended) == (1000.0, 1000.0), "HTTP/1: what comes next on the connection waits"
    assert found.connection == flow.client_conn.id
    assert found.position == folder.path.stat().st_size


def test_of_http2_requests_may_overlap(folder: Folder) -> None:
    flow = exchange()
    flow.request.data.http_version = b"HTTP/2.0"
    found = folder.one(dump(flow))
    assert found.started < found.ended < 1000.5


def test_what_this_addons_proxy_rewrote_is_undone(folder: Folder) -> None:
    flow = exchange(path=b"//rewritten", fields=[(b"x-forwarded-for", b"203.0.113.1,198.51.100.7"), (b"X-A", b"1")])
    flow.metadata[meta.ASKED_KEY] = ["GET", "http", "public.example:8080", "/serviceB/rewritten"]
    request = folder.one(dump(flow)).request
    assert (request.authority, request.path, request.port) == (b"public.example:8080", b"/serviceB/rewritten", 8080)
    assert request.headers == ((b"x-forwarded-for", b"203.0.113.1"), (b"X-A", b"1"))


def test_a_hop_that_was_the_proxys_alone_goes_with_its_field(folder: Folder) -> None:
    flow = exchange(fields=[(b"x-forwarded-for", b"198.51.100.7")])
    flow.metadata[meta.ASKED_KEY] = ["GET", "http", "shop.example", "/"]
    assert folder.one(dump(flow)).request.headers == ()


def test_what_cannot_be_sent_again_says_why(folder: Folder) -> None:
    shadow, ghost, upgrade, unfinished = exchange(), exchange(), exchange(), exchange()
    shadow.metadata[meta.PRIMARY_KEY] = "x"
    ghost.marked = ":ghost:"
    upgrade.request.headers.fields += ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    unfinished.request.timestamp_end = None
    flows = [
        tflow.ttcpflow(), shadow, ghost, tflow.twebsocketflow(), exchange(b"CONNECT"), upgrade,
        exchange(body=None), unfinished, exchange(),
    ]  # fmt: skip
    assert reasons(folder.recorded(dump(*flows))) == [
        "not_http", "shadow", "shadow", "websocket", "connect", "upgrade", "body_not_kept", "incomplete", "",
    ]  # fmt: skip


def test_a_request_whose_primary_failed_is_sent_again(folder: Folder) -> None:
    flow = exchange()
    flow.response = None
    flow.error = mitm_flow.Error("connection refused")
    assert folder.one(dump(flow)).flow.error is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_a_dump_that_is_torn_anywhere_gives_what_is_whole(folder: Folder, data: st.DataObject) -> None:
    parts = [dump(exchange(path=b"/%d" % number, body=b"x" * 30)) for number in range(3)]
    whole = b"".join(parts)
    cut = data.draw(st.integers(1, len(whole) - 1))
    ends = [sum(map(len, parts[: count + 1])) for count in range(3)]
    complete = sum(end <= cut for end in ends)
    if not complete:
        with pytest.raises(CaptureError, match=r"at byte 0|neither"):
            folder.entries(whole[:cut])
        return
    found = folder.recorded(whole[:cut])
    assert [each.request.path for each in found if isinstance(each, Recorded)] == [
        b"/%d" % number for number in range(complete)
    ]
    start = ends[complete - 1]
    assert [f"from byte {start} on, is torn" in each for each in folder.warnings] == ([] if cut in ends else [True])


@pytest.mark.parametrize(
    "garbage", [b"no flow\nat all\n", b"999999999999:xx, and more", b"3:abc,6:foobar;", b"5:1:a,]}\n"]
)
def test_a_dump_that_is_broken_says_where(folder: Folder, garbage: bytes) -> None:
    whole = dump(exchange())
    folder.path.write_bytes(whole + garbage)
    entries = read_capture(folder.path, folder.warnings.append)
    assert isinstance(recorded(next(entries), OWN), Recorded)
    with pytest.raises(CaptureError, match=f"capture: no flow of mitmproxy at byte {len(whole)}"):
        list(entries)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"hello\n", b"[1]", b"\x00\x01", b"<har/>"])
def test_what_is_no_capture(folder: Folder, content: bytes) -> None:
    with pytest.raises(CaptureError, match=r"capture is (neither mitmproxy's dump|empty)"):
        folder.entries(content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="gone: No such file"):
        list(read_capture(tmp_path / "gone", lambda _: None))


@pytest.mark.parametrize("squeeze", [gzip.compress, zlib.compress], ids=["gzip", "zlib, as .zhar"])
def test_compressed(folder: Folder, squeeze: Any) -> None:
    one, two = dump(exchange()), dump(exchange())
    assert len(folder.recorded(squeeze(one + two))) == 2
    assert len(folder.recorded(squeeze(har(exchange())))) == 1
    folder.entries(squeeze(one + two)[:-9])
    assert "its compression ends in the middle" in folder.warnings[-1]


def test_compressed_in_several_members_and_broken(folder: Folder) -> None:
    assert len(folder.recorded(gzip.compress(dump(exchange())) + gzip.compress(dump(exchange())))) == 2
    with pytest.raises(CaptureError, match="cannot be decompressed before byte"):
        folder.entries(gzip.compress(dump(exchange()))[:10] + b"\xff" * 100)


# HAR


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
        (document(entry()).replace(b'"h2"', b"h2"), "no JSON"),
        (document({"request": {}}), "entry 1 is none of HAR 1.2: lacks 'response'"),
        (document(entry(startedDateTime="yesterday")), "entry 1 is none of HAR 1.2"),
        (document(entry(response={"status": "no", "headers": [], "content": {}})), "entry 1 is none of HAR 1.2"),
        (b'{"log": ', "no JSON"),
    ],
)
def test_a_broken_har_says_where(folder: Folder, content: bytes, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        folder.entries(content)


def test_a_torn_har_gives_what_came_before(folder: Folder) -> None:
    whole = document(*(entry(connection=str(number)) for number in range(300)))
    found = folder.recorded(whole[: len(whole) * 2 // 3])
    assert 100 < len(found) <= 200
    assert "torn" in folder.warnings[0]


def test_a_har_without_entries(folder: Folder) -> None:
    assert folder.entries(document()) == []


# records


def test_a_record(folder: Folder) -> None:
    found = folder.one(line())
    assert (found.id, found.body, found.draw, found.client) == ("f1", b"hello", 77, "198.51.100.7:4321")
    assert found.request.headers == ((b"X-A", b"1"),)
    assert (found.request.authority, found.request.path) == (b"shop.example", b"/orders?x=1")
    assert found.answer == ANSWERED
    assert (found.started, found.ended) == (1000.5, pytest.approx(1000.5115))
    assert found.connection == "198.51.100.7:4321"


def test_one_request_of_the_lines_of_its_shadows(folder: Folder) -> None:
    missing = RecordedRequest((), None, False)
    content = line(request=missing) + line(number=1) + line(number=2) + line("f2", request=missing) + line("f2", 1)
    found = folder.recorded(content)
    assert [each.id for each in found if isinstance(each, Recorded)] == ["f1", "f2"]


def test_records_that_lack_bodies(folder: Folder) -> None:
    cut = RecordedRequest((), b"abc", True)
    content = line(request=None) + line("f2", request=cut) + line("f3", request=RecordedRequest((), None, False))
    assert sorted(reasons(folder.recorded(content))) == ["body_cut", "body_not_kept", "body_not_kept"]


def test_redacted_fields_are_not_sent_and_not_compared(folder: Folder) -> None:
    request = RecordedRequest(((b"Authorization", b"secret"), (b"X-A", b"1")), b"", False)
    answer = Answer(200, ((b"Set-Cookie", b"a=b"),), b"", 0, 1.0)
    found = folder.one(line(request=request, answer=answer, redacted=frozenset({b"authorization", b"set-cookie"})))
    assert found.request.headers == ((b"X-A", b"1"),)
    assert (found.redacted, found.redacted_answer) == (("Authorization",), ("Set-Cookie",))


@given(body=st.binary(max_size=50), answer=st.binary(max_size=50), value=st.binary(max_size=10))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_any_bytes_come_back_from_a_record(folder: Folder, body: bytes, answer: bytes, value: bytes) -> None:
    request = RecordedRequest(((b"X-A", value),), body, False)
    found = folder.one(line(request=request, answer=Answer(200, ((b"X-B", value),), answer, len(answer), 1.0)))
    assert found.body == body
    assert found.request.headers == ((b"X-A", value),)
    assert found.answer == Answer(200, ((b"X-B", value),), answer, len(answer), 1.0)


def test_an_asterisk_and_a_failed_primary(folder: Folder) -> None:
    failed = Answer(None, error="connect")
    found = folder.one(line(method="OPTIONS", url="http://shop.example", answer=failed))
    assert found.request.path == b"*"
    assert found.answer is not None
    assert found.answer.error == "connect"


def test_a_torn_line_and_a_broken_one(folder: Folder) -> None:
    whole = line()
    assert len(folder.recorded(whole + b"\n" + b'{"version": 9}\n' + line("f2") + whole[:50])) == 2
    assert [each.partition(":")[2].partition(":")[0] for each in folder.warnings] == ["3", "5"]
    assert "torn" in folder.warnings[1]
    assert "version" in folder.warnings[0]


@pytest.mark.parametrize("content", [b'{"method": "GET"}\n', b'{"version": 1,', b"{oops}\n"])
def test_no_record_at_all(folder: Folder, content: bytes) -> None:
    with pytest.raises(CaptureError, match="capture:1: "):
        folder.entries(content)
