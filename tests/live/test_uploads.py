"""Bodies that are streamed, while the rules change, the script is saved, the mirror sips, or the worker dies."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Self

import pytest
from livetools import recorder
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.wire import chunks
from livetools.worked_example import assert_shadow
from livetools.worked_example import endpoints
from livetools.worked_example import request

MIB = 1024 * 1024
STREAMING = ("--mode", "reverse:http://127.0.0.1:9", "--set", "stream_large_bodies=10k")


class SlowReader:
    """A mirror that reads a little and no more until it is told to `go_on`; it answers when it has `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.read = 0
        self.go_on = threading.Event()
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.go_on.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            while self.read < self.size and (data := connection.recv(64 * 1024)):
                self.read += len(data)
                self.go_on.wait()
                if self._stopped.is_set():
                    return
            if self.read >= self.size:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                self._stopped.wait(PATIENCE)


def peak_memory(pid: int) -> float:
    """MiB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def begin(client: Client, body: bytes) -> bytes:
    """Send the head and the first half of a body, which is long enough to be streamed; gives the rest."""
    half = len(body) // 2
    client.send(request(b"POST /serviceB/upload", b"Content-Length: %d" % len(body)) + body[:half])
    return body[half:]


def test_an_upload_keeps_its_decision_when_the_rules_change(
    confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder
) -> None:
    rules = shutil.copytree(ROOT / "rules", tmp_path / "rules")
    file = rules / "virtual-service.yaml"
    body = os.urandom(400_000)
    with Proxy(confdir, *STREAMING, *endpoints(v1, v2), "--set", f"mirror_rules={rules}") as proxy:
        assert exchange(proxy.address, request(b"GET /serviceB/before")).status == 200
        assert v1.one().target == v2.one().target == b"//before"
        with Client(proxy.address) as client:
            rest = begin(client, body)
            said = len(proxy.output)
            file.write_text(file.read_text().replace("uri: /\n", "uri: /new\n"))
            proxy.wait_for("reloaded", after=said)
            assert exchange(proxy.address, request(b"GET /serviceB/x")).status == 200
            assert v1.one().target == v2.one().target == b"/new/x"
            assert client.exchange(rest).status == 200
        primary = v1.one()
        assert (primary.target, primary.body) == (b"//upload", body)
        assert_shadow(primary, v2.one())
        assert proxy.interrupt() == 0
    assert proxy.totals["sent"] == 3


@pytest.mark.parametrize("framing", ["counted", "chunked"])
def test_an_upload_survives_a_reload_of_the_script(
    confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder, framing: str
) -> None:
    shutil.copy(ROOT / "mirror_addon", tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "src").symlink_to(ROOT / "src")
    body = os.urandom(400_000)
    drain = ("--set", "mirror_drain=10s")
    with Proxy(confdir, *STREAMING, *endpoints(v1, v2), *drain, cwd=tmp_path) as proxy:
        with Client(proxy.address) as client:
            connections = v2.connections
            if framing == "counted":
                rest = begin(client, body)
            else:
                sent = chunks(body[:200_000])[:-5]
                client.send(request(b"POST /serviceB/upload", b"Transfer-Encoding: chunked") + sent)
                rest = chunks(body[200_000:])
            deadline = time.monotonic() + PATIENCE
            while v2.connections == connections or not proxy.workers:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            before = proxy.workers
            script = tmp_path / "mirror_addon"
            script.write_text(script.read_text() + "\nimport logging\nlogging.warning('saved again')\n")
            proxy.wait_for("saved again")
            while not proxy.workers - before:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert client.exchange(rest).status == 200
        primary = v1.one()
        assert primary.body == body
        assert_shadow(primary, v2.one())
        assert exchange(proxy.address, request(b"GET /serviceB/after")).status == 200
        assert v2.one().target == b"//after"
        proxy.wait_for("mirror: at the end")
        assert proxy.interrupt() == 0


def test_a_worker_that_dies_during_an_upload_is_not_felt(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    body = os.urandom(400_000)
    with Proxy(confdir, *STREAMING, *endpoints(v1, v2)) as proxy:
        with Client(proxy.address) as client:
            connections = v2.connections
            rest = begin(client, body)
            deadline = time.monotonic() + PATIENCE
            while v2.connections == connections:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            for pid in proxy.workers:
                os.kill(pid, signal.SIGKILL)
            assert client.exchange(rest).status == 200
        assert v1.one().body == body
        assert proxy.interrupt() == 0
    assert proxy.totals["dropped"] == proxy.totals["dropped.worker_lost"] == 1
    v2.behave(recorder.close)  # ends its connections
    v2.failures.clear()  # it got half an upload


def test_a_mirror_that_reads_slowly_is_not_waited_for(confdir: Path, v1: Recorder) -> None:
    size = 24 * MIB
    body = os.urandom(size)
    with SlowReader(size) as slow, Proxy(confdir, *STREAMING, *endpoints(v1, slow)) as proxy:
        head = (b"POST /serviceB/upload", b"Content-Length: %d" % size)
        assert exchange(proxy.address, request(*head, body=body)).status == 200
        assert slow.read < size, "the client's answer came before the mirror went on"
        assert v1.one().body == body
        slow.go_on.set()
        deadline = time.monotonic() + PATIENCE
        while slow.read < size:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert proxy.interrupt() == 0
    assert proxy.totals["sent"] == 1


NOTING_PARTS = """
import logging

class NotingParts:
    def requestheaders(self, flow):
        sizes, forward = [], flow.request.stream
        if not forward:
            return

        def note(part):
            sizes.append(len(part))
            if not part:
                logging.warning("largest part: %d", max(sizes))
            return forward(part) if callable(forward) else part

        flow.request.stream = note

addons = [NotingParts()]
"""


@pytest.mark.parametrize("mirrored", [True, False])
def test_what_is_mirrored_is_read_in_bigger_parts(
    confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder, mirrored: bool
) -> None:
    """Of all the connection brings, and what has no shadow as mitmproxy reads it."""
    script = tmp_path / "noting_parts.py"
    script.write_text(NOTING_PARTS)
    body, small = os.urandom(8 * MIB), os.urandom(100)
    enabled = ("--set", f"mirror_enabled={str(mirrored).lower()}")
    with Proxy(confdir, "-s", str(script), *STREAMING, *enabled, *endpoints(v1, v2)) as proxy:
        with Client(proxy.address) as client:
            for content in (body, small, body):
                said = len(proxy.output)
                fields = (b"Content-Length: %d" % len(content),)
                assert client.exchange(request(b"POST /serviceB/upload", *fields, body=content)).status == 200
                primary = v1.one()
                assert primary.body == content
                if mirrored:
                    assert_shadow(primary, v2.one())
                if content is body:
                    largest = int(proxy.wait_for(r"largest part: (\d+)", after=said)[1])
                    assert largest <= 256 * 1024
                    assert (largest > 65535) == mirrored
        assert proxy.interrupt() == 0


def test_an_upload_that_does_not_fit_is_given_up_and_not_held(confdir: Path, v1: Recorder) -> None:
    """One that waits beside another: what is alone may always wait, up to `mirror_max_body`."""
    size = 48 * MIB
    queue = ("--set", "mirror_queue=4MiB", "--set", "mirror_drain=100ms")
    with SlowReader(size) as slow, Proxy(confdir, *STREAMING, *queue, *endpoints(v1, slow), anew=True) as proxy:
        assert exchange(proxy.address, request(b"GET /serviceB/first")).status == 200
        assert v1.one().target == b"//first"
        deadline = time.monotonic() + PATIENCE
        while not slow.read:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        before = sum(map(peak_memory, {proxy.process.pid, *proxy.workers}))
        head = (b"POST /serviceB/upload", b"Content-Length: %d" % size)
        assert exchange(proxy.address, request(*head, body=bytes(size))).status == 200
        assert v1.one().body == bytes(size)
        assert sum(map(peak_memory, {proxy.process.pid, *proxy.workers})) - before < 25
        assert proxy.interrupt() == 0
    assert (proxy.totals["dropped.queue_full"], proxy.totals["dropped.shutdown"]) == (1, 1)
