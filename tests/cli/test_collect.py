from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.cli.collect import collect
from mirror_addon.cli.collect import parse_listen
from mirror_addon.cli.collect import parse_status


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
