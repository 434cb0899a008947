"""The recorders and the proxy fixture themselves, proved on mitmdump without any addon."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from livetools import recorder
from livetools.children import wait_for
from livetools.client import Client
from livetools.client import exchange
from livetools.forked import can_fork
from livetools.proxy import Proxy
from livetools.proxy import Tool
from livetools.proxy import processes
from livetools.proxy import state
from livetools.proxy import tool
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.wire import chunks
from livetools.wire import lines


def test_recorder_keeps_the_bytes_of_every_request() -> None:
    first = lines(b"PoSt //a?x=[1] HTTP/1.1", b"HOST:  a", b"X: \xff", b"X: ", b"Content-Length: 3") + b"abc"
    second = lines(b"PUT /b HTTP/1.1", b"Transfer-Encoding: chunked") + chunks(b"x" * 20, b"y")
    with Recorder() as upstream, Client(upstream.address) as client:
        assert client.exchange(first).wire == lines(b"HTTP/1.1 200 OK", b"Content-Length: 2") + b"ok"
        assert client.exchange(second).status == 200
        one, two = upstream.take(2)
    assert one.head + one.raw_body == first
    assert one.headers == [(b"HOST", b" a"), (b"X", b"\xff"), (b"X", b""), (b"Content-Length", b"3")]
    assert (one.method, one.target, one.body, one.connection) == (b"PoSt", b"//a?x=[1]", b"abc", 1)
    assert two.head + two.raw_body == second
    assert (two.body, two.connection) == (b"x" * 20 + b"y", 1)


def test_recorder_misbehaves_as_told() -> None:
    request = lines(b"GET / HTTP/1.1", b"Host: a")
    with Recorder(recorder.reset) as upstream:
        with pytest.raises(ConnectionResetError):
            exchange(upstream.address, request)
        upstream.behave(recorder.close)
        with pytest.raises(ConnectionError):
            exchange(upstream.address, request)
        upstream.refuse()
        with pytest.raises(ConnectionRefusedError):
            exchange(upstream.address, request)
        upstream.behave(recorder.hang)
        with pytest.raises(socket.timeout):
            exchange(upstream.address, request, timeout=0.2)
        upstream.behave(recorder.dribble(lines(b"HTTP/1.1 204 No Content"), 0.001))
        assert exchange(upstream.address, request).status == 204
        upstream.behave(recorder.raw(b"SSH-2.0-x\r\n\r\n"))
        with Client(upstream.address) as client:
            client.send(request)
            assert client.stream.rest() == b"SSH-2.0-x\r\n\r\n"
        assert len(upstream.received) == 5
        assert upstream.failures == []


def test_proxy_runs_and_ends(confdir: Path) -> None:
    request = lines(b"GET /x HTTP/1.1", b"Host: a.test")
    with Recorder() as upstream, Proxy(confdir, "--mode", f"reverse:http://{upstream}", script=None) as proxy:
        assert exchange(proxy.address, request).body == b"ok"
        assert upstream.one().target == b"/x"
        assert proxy.workers == set()


def test_tool_finds_what_a_program_left_behind() -> None:
    leaves_a_child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    program = Tool([tool("python"), "-c", leaves_a_child])
    program.process.wait(10)
    with pytest.raises(AssertionError, match="1 processes were left"):
        program.wait_until_gone(timeout=0.5)
    program.wait_until_gone()


WORLD = """
import json, os, signal, sys, threading
print(json.dumps({
    "argv": sys.argv,
    "path": sys.path,
    "name": __name__,
    "cwd": os.getcwd(),
    "environment": {name: value for name, value in os.environ.items() if name != "MIRROR_ADDON_TEST_RUN"},
    "input": sys.stdin.read(),
    "descriptors": sorted(os.listdir("/proc/self/fd")),
    "threads": threading.active_count(),
    "leads": [os.getsid(0) == os.getpgid(0) == os.getpid()],
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "encodings": [sys.stdout.encoding, sys.stderr.encoding, sys.getfilesystemencoding()],
}), flush=True)
print("error", file=sys.stderr)
"""


@pytest.mark.parametrize("safe_path", [[], ["-P"]])
def test_a_forked_program_finds_what_one_started_anew_finds(tmp_path: Path, safe_path: list[str]) -> None:
    worlds = []
    for anew in (False, True):
        command = [tool("python"), *safe_path, "-c", WORLD + "sys.exit(3)", "one", "two words"]
        program = Tool(command, tmp_path, {"TZ": "Asia/Tokyo"}, anew=anew)
        assert isinstance(program.process, subprocess.Popen) is anew
        assert program.finish() == 3
        world, error = program.output.splitlines()
        assert error == "error"
        worlds.append(json.loads(world))
    assert worlds[0] == worlds[1]


@pytest.mark.parametrize("anew", [False, True])
def test_signals_reach_a_program(anew: bool) -> None:
    waits = "import subprocess, sys; child = subprocess.Popen(['sleep', '60']); print('up'); child.wait()"
    program = Tool([tool("python"), "-c", waits], anew=anew)
    program.wait_for("up")
    assert len(processes(program.mark)) == 2, "what it has started has its mark"
    assert program.process.poll() is None
    program.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: state(program.process.pid) == "T")
    program.process.send_signal(signal.SIGCONT)
    wait_for(lambda: state(program.process.pid) == "S")
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait(PATIENCE) == -signal.SIGINT
    assert "KeyboardInterrupt" in program.output
    program.kill()
    program.wait_until_gone()
    killed = Tool([tool("python"), "-c", waits], anew=anew)
    killed.wait_for("up")
    killed.kill()
    assert killed.finish() == -signal.SIGKILL


@pytest.mark.parametrize("setting", ["PYTHONHASHSEED", "MITMPROXY_SSLKEYLOGFILE", "LC_ALL"])
def test_what_an_interpreter_reads_at_its_start_needs_one(setting: str) -> None:
    assert can_fork([tool("mitmdump"), "--version"], {"PYTHONUNBUFFERED": "1"})
    assert not can_fork([tool("mitmdump"), "--version"], {setting: "7"})
    assert not can_fork([tool("python"), "-W", "error", "-c", "pass"], {})
    assert not can_fork(["sleep", "1"], {})
