"""Starting processes, and reading from /proc what they have used."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import ROOT

TICK = os.sysconf("SC_CLK_TCK")


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
    """CPU seconds so far and peak memory in MiB, of a contender's first process and of all below it."""

    proxy: float
    workers: float
    proxy_peak: float
    workers_peak: float


class Contender:
    """A running contender."""

    def __init__(self, name: str, command: list[str], port: int) -> None:
        self.name = name
        self.port = port
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"{name} does not listen: {command}") from None
                time.sleep(0.05)

    def usage(self) -> Usage:
        below = children(self.process.pid)
        return Usage(cpu(self.process.pid), sum(map(cpu, below)), peak(self.process.pid), sum(map(peak, below)))

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
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def stub(behaviour: str) -> Iterator[int]:
    """A stub upstream in a process of its own; gives its port. `refuse` is a port where nobody listens."""
    if behaviour == "refuse":
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            yield reserved.getsockname()[1]
        return
    command = [sys.executable, "-m", "bench.stub", behaviour]
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
