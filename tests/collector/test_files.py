from __future__ import annotations

import json
import resource
import signal
from pathlib import Path

import pytest
from collectortools import request

from mirror_addon.captures.entry import Recorded
from mirror_addon.captures.reading import read_capture
from mirror_addon.captures.reading import recorded
from mirror_addon.collector.files import Har
from mirror_addon.collector.files import JsonLines
from mirror_addon.collector.files import as_line
from mirror_addon.collector.files import url_of


def test_a_line() -> None:
    assert json.loads(as_line(request())) == {
        "time": "2027-01-15T08:00:00.500Z",
        "client": "127.0.0.1",
        "client_port": 5000,
        "method": "POST",
        "url": "http://shop.example/orders/17?a=1&b",
        "http_version": "HTTP/1.1",
        "headers": [["Host", "shop.example"], ["X-A", "\xff"]],
        "body": "hello",
        "encoding": "utf-8",
        "bytes": 5,
        "cut": False,
        "ms": 1.25,
    }


def test_lines_are_added_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"an": "older line"}')
    for _ in range(2):
        file = JsonLines(path)
        file.write(request(body=b"\xff", size=9))
        file.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("encoding") for line in lines] == [None, "base64", "base64"]
    assert lines[1]["cut"] is True


def test_har_is_whole_after_every_entry(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    file = Har(path, 200)
    for number in range(5):
        entries = json.loads(path.read_bytes())["log"]["entries"]
        assert len(entries) == number
        file.write(request(target=b"/%d?x=%d" % (number, number)))
    file.close()
    last = json.loads(path.read_bytes())["log"]["entries"][-1]
    assert last["request"]["queryString"] == [{"name": "x", "value": "4"}]
    assert last["request"]["postData"]["text"] == "hello"
    assert last["response"]["status"] == 200
    with pytest.raises(FileExistsError):
        Har(path, 200)


def test_a_full_disc_leaves_a_whole_har(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    file = Har(path, 200)
    file.write(request())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 1000, hard))
        with pytest.raises(OSError, match="too large"):
            file.write(request(target=b"/" + b"x" * 2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    file.close()
    assert json.loads(path.read_bytes())["log"]["entries"]


@pytest.mark.parametrize(
    ("target", "url"),
    [
        (b"/a?b", "http://shop.example/a?b"),
        (b"*", "http://shop.example"),
        (b"http://other.example/x", "http://other.example/x"),
        (b"https://other.example/x", "https://other.example/x"),
        (b"/\xff", "http://shop.example/\xff"),
    ],
)
def test_urls(target: bytes, url: str) -> None:
    assert url_of(request(target=target)) == url


def test_bodies_in_a_har(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    file = Har(path, 204)
    file.write(request(body=b"\xff", size=1, headers=((b"Content-Type", b"image/png"),)))
    file.write(request(body=b"", size=0))
    file.close()
    first, second = (entry["request"] for entry in json.loads(path.read_bytes())["log"]["entries"])
    assert first["postData"] == {"mimeType": "image/png", "text": "/w==", "params": [], "_encoding": "base64"}
    assert "postData" not in second


def test_the_har_is_a_capture_that_can_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    file = Har(path, 200)
    file.write(request(body=b"\xff\x00", size=2))
    file.close()
    (entry,) = read_capture(path, lambda _: None)
    found = recorded(entry, b"10.0.0.1")
    assert isinstance(found, Recorded)
    assert (found.body, found.request.authority, found.request.path) == (
        b"\xff\x00",
        b"shop.example",
        b"/orders/17?a=1&b",
    )
    assert found.client == "127.0.0.1:5000"
