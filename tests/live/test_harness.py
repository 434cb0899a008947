"""The recorders and the proxy fixture themselves, proved on mitmdump without any addon."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from livetools import recorder
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.proxy import Tool
from livetools.proxy import tool
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
