from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from livetools.ports import reserved_port

from mirror_addon.cli.collect import collect
from mirror_addon.cli.collect import parse_status


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


def test_in_this_process_with_a_warning(tmp_path: Path) -> None:
    """A connection that is not HTTP, then a request: the summary names both."""
    path = tmp_path / "a.jsonl"
    with reserved_port() as port:
        sender = threading.Thread(
            target=send, args=(port, b"\x16\x03\x01\r\n\r\n", b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        )
        sender.start()
        result = CliRunner().invoke(collect, ["--listen", str(port), "-o", str(path), "--count", "1"])
        sender.join()
    assert result.exit_code == 0, result.output
    assert "GET /a" in result.stdout
    assert "warning: 1 connection sent something that is not HTTP" in result.stderr
    assert len(path.read_text().splitlines()) == 1


def send(port: int, *requests: bytes) -> None:
    """Each on a connection of its own, when somebody listens."""
    deadline = time.monotonic() + 30
    for request in requests:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 10) as connection:
                    connection.sendall(request)
                    connection.recv(65536)
                    break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_a_full_disc(tmp_path: Path) -> None:
    """On a device that is full."""
    with reserved_port() as port:
        sender = threading.Thread(target=send, args=(port, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"))
        sender.start()
        result = CliRunner().invoke(collect, ["--listen", str(port), "-o", "/dev/full", "--json"])
        sender.join()
    assert result.exit_code == 1
    assert "Error: /dev/full cannot be written any more: No space left on device" in result.output
    assert json.loads(result.stdout.splitlines()[0])["requests"] == 0


def test_the_number_of_requests_in_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    program = "from mirror_addon.cli.main import main; main()"
    with reserved_port() as port:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "collect", "--listen", str(port), "-o", str(tmp_path / "a")],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "COLUMNS": "100"},
        )
        try:
            seen = b""
            while b"waiting for requests" not in seen:
                seen += os.read(ours, 1 << 16)
            send(port, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            while b"1 request" not in seen:
                seen += os.read(ours, 1 << 16)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
            os.close(ours)
            os.close(theirs)
