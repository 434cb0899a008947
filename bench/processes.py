"""Starting processes, and reading from /proc what they have used."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.load import REQUEST

TICK = os.sysconf("SC_CLK_TCK")


def allow_descriptors() -> None:
    """As many open files for this process and those it starts as the system lets it have: a hung mirror takes many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu(pid: int) -> float:
    """CPU seconds that a process has used, user and system; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def peak(pid: int) -> float:
    """Most memory that a process has ever had resident, in MiB; 0 for one that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def children(pid: int) -> list[int]:
    """All processes below a process, however deep."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += [int(child), *children(int(child))]
    return found


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far and peak memory in MiB, of the proxy and of its shadow workers."""

    proxy: float
    workers: float
    proxy_peak: float
    workers_peak: float


class Running:
    """A running contender. With `workers`, the processes below its first one are shadow workers."""

    def __init__(self, command: Callable[[Ports, Path], list[str]], v1: int, v2: int, *, workers: bool = False) -> None:
        self.port = free_port()
        self._workers = workers
        self._folder = tempfile.TemporaryDirectory(prefix="mirror-addon-bench-")
        # nginx's worker is not root's, and keeps its temporary files there.
        Path(self._folder.name).chmod(0o755)
        words = command(Ports(self.port, v1, v2), Path(self._folder.name))
        self._process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 30
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"no 200 from {words}")
            time.sleep(0.05)

    def usage(self) -> Usage:
        first, below = self._process.pid, children(self._process.pid)
        times, peaks = (cpu(first), sum(map(cpu, below))), (peak(first), sum(map(peak, below)))
        return Usage(*times, *peaks) if self._workers else Usage(sum(times), 0.0, sum(peaks), 0.0)

    def settle(self, seconds: float) -> None:
        """Waits until it has nothing left to do, or so long."""
        deadline = time.monotonic() + seconds
        before = self.usage()
        while time.monotonic() < deadline:
            time.sleep(0.3)
            now = self.usage()
            if now.proxy + now.workers - before.proxy - before.workers <= 0.02:
                return
            before = now

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._folder.cleanup()


def answers(port: int) -> bool:
    """Whether the load's request is answered with 200 there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(REQUEST)
            return connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def load(port: int, clients: int, seconds: float, count: int, rate: float = 0.0) -> dict[str, float]:
    """What `bench.load` measured, in a process of its own."""
    command = [sys.executable, "-m", "bench.load", str(port), str(clients), str(seconds), str(count), str(rate)]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=seconds + 60)
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


STATES = {"healthy": "0", "hung": "hang", "refused": "refuse", "slow": "0.2"}
"""The mirror's states: what `bench.stub` does."""


@contextlib.contextmanager
def stub(behaviour: str) -> Iterator[int]:
    """A stub upstream in a process of its own; gives its port. `behaviour` is what `bench.stub` takes, or `refuse`: a
    port where nobody listens."""
    if behaviour == "refuse":
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            yield reserved.getsockname()[1]
        return
    command = [sys.executable, "-m", "bench.stub", *behaviour.split()]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def arrived(port: int) -> int:
    """How many requests a stub has received; 0 where nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET /__count HTTP/1.1\r\n\r\n")
            return int(connection.recv(1000).rpartition(b"\r\n\r\n")[2])
    except ConnectionRefusedError:
        return 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
