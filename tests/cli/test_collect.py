from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.cli.collect import collect
from mirror_addon.cli.collect import parse_listen
from mirror_addon.cli.collect import parse_status
from mirror_addon.collector.files import Har
from mirror_addon.collector.files import JsonLines
from mirror_addon.collector.files import as_line
from mirror_addon.collector.server import PREFACE
from mirror_addon.collector.server import Collected
from mirror_addon.collector.server import Collector
from mirror_addon.collector.summary import MAX_NAMES
from mirror_addon.collector.summary import OTHERS
from mirror_addon.collector.summary import Tally


@dataclass
class Collecting:
    """A collector and what it took."""

    taken: list[Collected] = field(default_factory=list)
    address: tuple[str, int] = ("", 0)
    collector: Collector | None = None

    def take(self, request: Collected) -> bool:
        self.taken.append(request)
        return True

    async def exchange(self, *parts: bytes) -> bytes:
        """Send these one after the other, each when something came back for the one before; read to the close."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            answered = b""
            for number, part in enumerate(parts):
                if number:
                    answered += await reader.read(65536)
                writer.write(part)
            writer.write_eof()
            return answered + await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def collecting(**options: Any) -> AsyncIterator[Collecting]:
    found = Collecting()
    async with Collector("127.0.0.1", 0, found.take, **options) as collector:
        found.collector = collector
        found.address = collector.addresses[0]
        yield found


OK = b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"


async def test_http1_keeps_what_came() -> None:
    async with collecting() as found:
        answered = await found.exchange(
            b"PoST /a//b?x=%2F HTTP/1.1\r\nHOST: shop.example-shadow\r\nX-A: 1\r\nx-a: 2\r\n"
            b"Content-Length: 3\r\n\r\nabc"
            b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
        )
    assert answered == OK * 2, "both on one connection"
    first, second = found.taken
    assert (first.method, first.target, first.authority, first.body) == (
        b"PoST", b"/a//b?x=%2F", b"shop.example-shadow", b"abc",
    )  # fmt: skip
    assert first.headers == (
        (b"HOST", b"shop.example-shadow"), (b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Length", b"3"),
    )  # fmt: skip
    assert (second.method, second.size) == (b"GET", 0)


async def test_chunked_and_expect() -> None:
    async with collecting() as found:
        answered = await found.exchange(
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
        )
    assert answered == b"HTTP/1.1 100 \r\n\r\n" + OK
    assert found.taken[0].body == b"abcde"


async def test_http10_and_head() -> None:
    async with collecting(status=404) as found:
        assert b" 404 " in await found.exchange(b"HEAD /x HTTP/1.0\r\n\r\n")
    assert (found.taken[0].http_version, found.taken[0].authority) == ("HTTP/1.0", b"")


async def test_a_body_is_kept_in_part_and_counted_whole() -> None:
    async with collecting(keep=4) as found:
        await found.exchange(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert (found.taken[0].body, found.taken[0].size) == (b"xxxx", 100_000)


@pytest.mark.parametrize("status", [204, 304, 503])
async def test_the_status_is_the_same_for_all(status: int) -> None:
    async with collecting(status=status) as found:
        answered = await found.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
    assert answered.count(b"HTTP/1.1 %d" % status) == 2
    assert (b"Content-Length" in answered) == (status != 204)


async def test_answers_wait() -> None:
    async with collecting(delay=0.15) as found:
        began = asyncio.get_running_loop().time()
        await found.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asyncio.get_running_loop().time() - began >= 0.15


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_http(data: bytes) -> None:
    async with collecting() as found:
        assert (await found.exchange(data)).startswith(b"HTTP/1.1 400 ")
        assert found.collector is not None
        assert found.collector.refused == 1
    assert found.taken == []


async def test_connections_that_end_anywhere() -> None:
    request = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    async with collecting() as found:
        await asyncio.gather(*(found.exchange(request[:cut]) for cut in range(len(request))))
        await asyncio.gather(*(found.exchange(PREFACE[:cut]) for cut in range(len(PREFACE))))
        assert found.taken == []
        await found.exchange(request)
        assert len(found.taken) == 1


async def test_http2_with_prior_knowledge() -> None:
    async with collecting(status=201, keep=100) as found:
        reader, writer = await asyncio.open_connection(*found.address)
        client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        client.initiate_connection()
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"grpc.example"), (b":path", b"/p?q=1")]
        for stream in (1, 3):
            client.send_headers(stream, [*head, (b"x-stream", b"%d" % stream)])
        for _ in range(3):
            client.send_data(1, b"y" * 16_000)
        client.end_stream(3)
        client.end_stream(1)
        writer.write(client.data_to_send())
        statuses: dict[int, bytes] = {}
        ended: set[int] = set()
        while len(ended) < 2:
            for event in client.receive_data(await reader.read(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[b":status"]
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
            writer.write(client.data_to_send())
        writer.close()
        await writer.wait_closed()
    assert statuses == {1: b"201", 3: b"201"}
    second, first = found.taken
    assert (first.size, first.body, first.headers) == (48_000, b"y" * 100, ((b"x-stream", b"1"),))
    assert (second.method, second.authority, second.target, second.http_version) == (
        b"POST", b"grpc.example", b"/p?q=1", "HTTP/2",
    )  # fmt: skip


async def test_broken_http2_is_refused() -> None:
    async with collecting() as found:
        await found.exchange(PREFACE + b"\0\0\1\0\0\0\0\0\0x")
        assert found.collector is not None
        assert found.collector.refused == 1


# files


def request(**changes: Any) -> Collected:
    fields: dict[str, Any] = {
        "time": 1_800_000_000.5,
        "ms": 1.25,
        "client": ("127.0.0.1", 5000),
        "method": b"POST",
        "authority": b"shop.example",
        "target": b"/orders/17?a=1&b",
        "http_version": "HTTP/1.1",
        "headers": ((b"Host", b"shop.example"), (b"X-A", b"\xff")),
        "body": b"hello",
        "size": 5,
    }
    return Collected(**{**fields, **changes})


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


def test_the_summary() -> None:
    tally = Tally()
    for number in range(10):
        tally.add(request(target=b"/orders/%d?a=1&b=2" % number, size=number * 100, body=b""))
    found = tally.document()
    assert found["endpoints"] == {"POST /orders/{id}": 10}
    assert found["queries"] == {"a": 10, "b": 10}
    assert found["headers"] == {"host": 10, "x-a": 10}
    assert found["bytes"] == {"total": 4500, "without_body": 1, "p50": 511, "p95": 900, "largest": 900, "cut": 9}


def test_the_summary_is_bounded() -> None:
    tally = Tally()
    for number in range(MAX_NAMES + 50):
        tally.add(request(target=b"/x?%s=1" % f"name{number}".encode()))
    assert len(tally.names["queries"]) == MAX_NAMES + 1
    assert tally.names["queries"][OTHERS] == 50


# the command


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (":9002", ("127.0.0.1", 9002)),
        ("9002", ("127.0.0.1", 9002)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_addresses(text: str, where: tuple[str, int]) -> None:
    assert parse_listen(text) == where


@pytest.mark.parametrize("text", ["", ":", "a", "127.0.0.1", "::1:80", ":70000", ":-1", "http://a:1", "a b:1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        parse_listen(text)


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        host, port = parse_listen(text)
        assert host
        assert 0 <= port <= 65535


@pytest.mark.parametrize("text", ["100", "600", "2xx", ""])
def test_no_status(text: str) -> None:
    with pytest.raises(ValueError, match="200 to 599"):
        parse_status(text)


class Running:
    """`mirror-addon collect` in a process of its own, listening."""

    def __init__(self, *arguments: str) -> None:
        program = "from mirror_addon.cli.main import main; main(prog_name='mirror-addon')"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "collect", "--listen", ":0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        self.port = int(self.said.split("127.0.0.1:")[1].split()[0])

    def ask(self, count: int = 1) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n" * count)
            answered = b""
            while answered.count(b"HTTP/1.1") < count and (data := connection.recv(65536)):
                answered += data
            return answered

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def begin(*arguments: str) -> Running:
        running.append(Running(*arguments))
        return running[-1]

    yield begin
    for each in running:
        each.process.kill()
        each.process.communicate()


@pytest.mark.parametrize("name", ["a.har", "a.jsonl"])
def test_ctrl_c(start: Callable[..., Running], tmp_path: Path, name: str) -> None:
    running = start("-o", str(tmp_path / name))
    assert "this machine only" in running.said
    assert running.ask(3).count(b" 200 ") == 3
    running.process.send_signal(signal.SIGINT)
    code, out, err = running.end()
    assert (code, err) == (0, "")
    assert "3 requests" in out
    assert "GET /a" in out


def test_it_ends_after_a_count(start: Callable[..., Running], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    running = start("-o", str(path), "--count", "2", "--json")
    assert running.ask(2).count(b" 200 ") == 2
    code, out, _ = running.end()
    assert (code, json.loads(out)["requests"]) == (0, 2)
    assert len(path.read_text().splitlines()) == 2


def test_it_ends_after_a_time(start: Callable[..., Running], tmp_path: Path) -> None:
    code, out, _ = start("-o", str(tmp_path / "a"), "--for", "100ms").end()
    assert code == 0
    assert out.startswith("0 requests")


def test_a_kill_leaves_what_came(start: Callable[..., Running], tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    running = start("-o", str(path))
    running.ask(5)
    running.process.kill()
    assert len(json.loads(path.read_bytes())["log"]["entries"]) == 5


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(collect, ["--listen", f":{port}", "-o", str(tmp_path / "a")])
    assert result.exit_code == 2
    assert f"Cannot listen at 127.0.0.1:{port}: Address already in use; name another" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "no/such/folder/a.jsonl"], "does not exist"),
        (["-o", "no/such/folder/a.har"], "No such file"),
        (["-o", "a.har", "--for", "soon"], "soon"),
        (["-o", "a.har", "--count", "0"], "0"),
        (["-o", "a.har", "--status", "100"], "200 to 599"),
        (["-o", "a.har", "--listen", "x"], "ADDRESS:PORT"),
        ([], "--output"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(collect, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_har_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    path.write_text("mine")
    result = CliRunner().invoke(collect, ["-o", str(path)])
    assert result.exit_code == 2
    assert "exists; name a new file" in result.output
    assert path.read_text() == "mine"
