from __future__ import annotations

import gzip
import json
from pathlib import Path
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (document(entry()).replace(b'"h2"', b"h2"), "not JSON"),
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


@pytest.mark.parametrize("wrong", ["nul", '"\\x"', "[1,,2]", '{"a" 1}', "1e"])
def test_an_entry_that_is_not_json_is_no_end_of_the_file(folder: Folder, wrong: str) -> None:
    content = document(entry(), entry(_note="WRONG"), entry()).replace(b'"WRONG"', wrong.encode())
    with pytest.raises(CaptureError, match="not JSON after entry 1, before byte") as caught:
        folder.entries(content)
    assert len(str(caught.value)) < 200 + len(str(folder.path))


@pytest.mark.parametrize("number", ["18446744073709551615", "-9223372036854775809", "9" * 4000])
def test_a_number_of_more_than_64_bits_costs_nothing(folder: Folder, number: str) -> None:
    content = document(entry(), entry(_connection="N"), entry()).replace(b'"N"', number.encode())
    assert len(folder.recorded(content)) == 3
    before = b'{"comment": %b, ' % number.encode() + content[1:]
    assert len(folder.recorded(before)) == 3


@pytest.mark.parametrize(
    "content",
    [
        b'{"\x01',
        b'{"a": "\x01", "log": {"entries": []}}',
        b'{"\xff": "\x01", "log": {"entries": []}}',
        b'{"a": %b, "log": {"entries": []}}' % (b"9" * 5000),
        b'{"log": {"entries": [' + b"[" * 100_000,
        b'{"log": {"a": "\\ud800", "entries": [' + b'{"a":[' * 50_000,
        b'{"a": ' + b"[" * 100_000,
    ],
)
def test_a_hostile_file_is_refused(folder: Folder, content: bytes) -> None:
    """An integer of 5,000 digits ended the process, and 100,000 brackets took all of its machine's memory."""
    with pytest.raises(CaptureError):
        folder.entries(content)


def test_a_har_without_entries(folder: Folder) -> None:
    assert folder.entries(document()) == []


@pytest.mark.parametrize(
    "members",
    [
        {"log": {"version": "1.2", "entries": [entry()]}},
        {"comment": "exported", "log": {"entries": [entry()]}},
        {
            "a": {"log": 1},
            "b": [{"log": []}],
            "c": "x" * 100_000,
            "log": {"creator": {}, "entries": [entry()], "pages": []},
        },
        {"\udcff": 1, "log": {"entries": [entry()]}},
    ],
)
def test_log_stands_anywhere_among_the_members(folder: Folder, members: dict[str, Any]) -> None:
    for text in (json.dumps(members), json.dumps(members, indent=2), "\ufeff\n " + json.dumps(members)):
        assert folder.one(text.encode()).request.path == b"/a?b=c"


def test_an_object_without_log_is_no_har(folder: Folder) -> None:
    with pytest.raises(CaptureError, match="name a mitmproxy dump, a HAR, or a record"):
        folder.entries(json.dumps({"a": {"log": {"entries": []}}}).encode())


def test_an_entry_that_cannot_be_read_costs_that_entry(folder: Folder) -> None:
    found = folder.recorded(document(entry(), None, entry(), {}, [], "x", 5, {"request": {"method": "GET"}}, entry()))  # type: ignore[arg-type]
    assert reasons(found) == ["", "malformed", "", *["malformed"] * 5, ""]
    assert [warning.partition(": ")[2] for warning in folder.warnings] == [
        "entry 2 is not HAR 1.2: it is null; left out",
        "entry 4 is not HAR 1.2: request.method is missing; left out",
        "entry 5 is not HAR 1.2: it is a list; left out",
        "entry 6 is not HAR 1.2: it is a str; left out",
        "entry 7 is not HAR 1.2: it is a int; left out",
        "entry 8 is not HAR 1.2: request.url is missing; left out",
    ]


def test_many_such_entries_are_counted(folder: Folder) -> None:
    assert reasons(folder.recorded(document(*[None] * 500))) == ["malformed"] * 500  # type: ignore[arg-type]
    assert len(folder.warnings) == 10
    assert folder.warnings[-1].endswith("further ones are only counted")


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
    with pytest.raises(CaptureError, match="not JSON after entry 1"):
        folder.entries(har(flows[30], flows[0]).replace(b"example/0", b'example/" nul, "'))


@pytest.mark.parametrize(
    ("program", "requests"),
    {
        "chrome": [
            ("GET", "/orders", b"", 200, b'{"a": 1}'),
            ("POST", "/orders", b'{"n": 5}', 200, b'{"a": 1}'),
            "body_cut",
            ("GET", "/old", b"", 302, None),
            ("GET", "/logo", b"", 200, b"\x89PNG"),
            ("GET", "/blocked", b"", None, None),
            ("GET", "/login", b"", 200, b"ok"),
        ],
        "firefox": [
            ("GET", "/a?x=1", b"", 200, "gr\u00fc\u00dfe".encode()),
            ("POST", "/form", b"a=1+2&b", 200, "gr\u00fc\u00dfe".encode()),
            ("DELETE", "/a", b"", 204, b""),
            "upgrade",
        ],
        "safari": [
            ("GET", "/a", b"", 200, b"{}"),
            ("POST", "/a", b'{"n": 5}', 200, b"{}"),
            ("GET", "/b", b"", 200, None),
        ],
        "charles": [
            ("POST", "/a", gzip.compress(b'{"n": 5}', mtime=0), 200, gzip.compress(b"{}", mtime=0)),
            ("GET", "/b", b"", None, None),
        ],
        "fiddler": [("PUT", "/a", b"abc", 200, b"ok")],
        "proxyman": [("GET", "/a?b=%20c", b"", 200, b"ok")],
        "postman": [("POST", "/a", b'{\n  "n": 5\n}', 201, b"{}"), ("GET", "/b", b"", None, None)],
        "playwright": [("GET", "/a", b"", 200, None), "body_not_kept"],
        "k6": [("POST", "/a", b"a=1&b=2", 200, b"")],
    }.items(),
)
def test_what_programs_write(folder: Folder, program: str, requests: list[Any]) -> None:
    found = folder.recorded((Path(__file__).parent / "programs" / f"{program}.har").read_bytes())
    read: list[Any] = []
    for each in found:
        if isinstance(each, str):
            read.append(each)
            continue
        request, response = each.request, each.flow.response
        assert request.authority.startswith(b"shop.example") and each.started >= 1763805600.0
        status, body = (response.status_code, response.raw_content) if response else (None, None)
        read.append((request.method.decode(), request.path.decode(), each.body, status, body))
    assert [_decoded(each) for each in read] == [_decoded(each) for each in requests]
    assert folder.warnings == []


MAGIC = b"\x1f\x8b"


def _decoded(read: Any) -> Any:
    """With gzip undone: two compressors need not give the same bytes."""
    if isinstance(read, str):
        return read
    return tuple(
        gzip.decompress(each) if isinstance(each, bytes) and each[:2] == b"\x1f\x8b" else each for each in read
    )


GET = {"startedDateTime": "2025-11-22T10:00:00Z", "request": {"method": "GET", "url": "http://shop.example/a"}}
LOG = {"log": {"version": "1.2", "entries": [GET]}}
POST = {"request": {"method": "POST", "url": "http://shop.example/a", "postData": {"text": "TEXT"}}}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (json.dumps(LOG["log"]), 1),
        (json.dumps([GET, GET]), 2),
        (json.dumps([LOG, LOG]), 2),
        (json.dumps(GET) + "\n" + json.dumps(GET) + "\n", 2),
        (json.dumps(LOG) + "\n" + json.dumps(LOG), 2),
        (json.dumps([None, GET]), 2),
    ],
)
def test_logs_and_entries_in_a_row(folder: Folder, text: str, count: int) -> None:
    """As tools write them that log what they see."""
    assert len(folder.entries(text.encode())) == count


@pytest.mark.parametrize("text", ['[{"a": 1}]', "[1]", "[]", '{"a": 1}'])
def test_other_json_is_no_har(folder: Folder, text: str) -> None:
    with pytest.raises(CaptureError):
        folder.entries(text.encode())


@pytest.mark.parametrize(
    "odd", [b"NaN", b"-Infinity", b"1" + b"0" * 400, b"1" * 5000, b'"a\tb"', b'"a\xe9"', b'"\\ud800"']
)
def test_what_is_not_quite_json_is_read(folder: Folder, odd: bytes) -> None:
    text = json.dumps({"log": {"entries": [GET, {**GET, "time": "ODD"}, GET]}}).encode().replace(b'"ODD"', odd)
    assert len(folder.entries(text)) == 3
    with pytest.raises(CaptureError, match="not JSON after"):
        folder.entries(text.replace(b"}, {", b"} {"))


@pytest.mark.parametrize(
    ("text", "left_out"),
    [("\\ud83d", True), ("\\ud83d x", True), ("\\ud83d\\ude00", False), ("\\\\ud83d", False), ("\\udcff", False)],
)
def test_half_a_pair_of_surrogates_is_no_body(folder: Folder, text: str, left_out: bool) -> None:
    """Nobody can tell what was sent; it is not sent as a question mark."""
    written = json.dumps({"log": {"entries": [GET, POST]}}).replace("TEXT", text).encode()
    found = folder.recorded(written)[1]
    assert (found == "body_altered") if left_out else isinstance(found, Recorded)
