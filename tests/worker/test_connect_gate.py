"""New connections to a server that accepts slowly."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.request import Target
from mirror_addon.worker import connect_gate
from mirror_addon.worker.budget import Budget
from mirror_addon.worker.connect_gate import LEAST
from mirror_addon.worker.connect_gate import START
from mirror_addon.worker.connect_gate import ConnectGate
from mirror_addon.worker.job import Job
from mirror_addon.worker.lanes import TargetLanes


@pytest.fixture
async def gate() -> ConnectGate:
    return ConnectGate(lambda: None)


async def test_the_window_grows_while_responses_come_as_fast_as_the_first(gate: ConnectGate) -> None:
    for number in range(START):
        assert gate.window == START, number
        slot = gate.enter()
        slot._begun -= 0.1
        slot.proved()
        slot.proved()
    assert (gate.window, gate.open) == (START + 1, 0)
    for _ in range(20):
        late = gate.enter()
        late._begun -= 0.2
        late.proved()
    assert gate.window == START + 1, "they waited for each other"


async def test_a_connection_that_fails_proves_nothing(gate: ConnectGate) -> None:
    slot = gate.enter()
    slot.release()
    slot.release()
    slot.proved()
    assert (gate.window, gate.open) == (START, 0)


async def test_lost_connections_halve_the_window_once_a_burst(
    mirrors: Any, gate: ConnectGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect_gate, "HOLD_SECONDS", 0.02)
    gate.window = 16
    for _ in range(16):
        gate.enter()
    assert gate.full
    await mirrors.until(lambda: not gate.open)
    assert gate.window == 8
    established = gate.enter()
    established.established = lambda: True
    await mirrors.until(lambda: not gate.open)
    assert gate.window == 8, "the mirror hangs, but it accepts"
    for _ in range(20):
        gate.enter().proved()
    assert gate.window == 8, "it rests"
    for _ in range(8):
        gate._rests_until = 0.0
        gate.enter()
        await mirrors.until(lambda: not gate.open)
    assert gate.window == LEAST


class SlowServer:
    """As `http.server`: a backlog of 5, one connection at a time, each closed after its response."""

    def __init__(self, seconds: float) -> None:
        self.accepted = 0
        self._seconds = seconds
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=5)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(10)
                    while b"\r\n\r\n" not in connection.recv(65536):
                        pass
                    time.sleep(self._seconds)
                    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def slow_server() -> Iterator[SlowServer]:
    server = SlowServer(0.01)
    yield server
    server.close()


class Sent:
    """The lanes of one target, and their reports."""

    def __init__(self, port: int, concurrency: int = 64) -> None:
        self.reports: dict[int, Report] = {}
        target = Target("b/v2", "127.0.0.1", port, False, "b", None)
        self.lanes = TargetLanes(target, concurrency, self._done, lambda *_: None, Budget(0))

    async def _done(self, job: Job, report: Report, body: bytes) -> None:
        self.reports[job.number] = report

    def submit(self, count: int) -> None:
        for number in range(len(self.reports) + 1, len(self.reports) + 1 + count):
            self.lanes.submit(Job(number, pack((b"GET", b"b", b"/", (), 30.0, 0, 1000, 0)), b"", True))

    async def end(self, until: Any) -> None:
        self.lanes.sweep(float("inf"))
        await until(lambda: not self.lanes._tasks)


async def test_a_burst_loses_no_connection_to_a_small_backlog(mirrors: Any, slow_server: SlowServer) -> None:
    sent = Sent(slow_server.port)
    sent.submit(60)
    await mirrors.until(lambda: len(sent.reports) == 60)
    assert [report.error for report in sent.reports.values()] == [""] * 60
    slow = [report.connect_ms for report in sent.reports.values() if (report.connect_ms or 0) > 900]
    assert not slow, "a SYN was lost, and sent again after a second"
    assert slow_server.accepted == 60
    await sent.end(mirrors.until)


async def test_a_mirror_that_responds_late_gets_all_connections(mirrors: Any) -> None:
    """It accepts at once, so the number of requests in flight soon is what `mirror_concurrency` allows."""
    sent = Sent(await mirrors.hanging(), 32)
    sent.submit(32)
    await mirrors.until(lambda: mirrors.connections == 32)
    for task in sent.lanes._tasks:
        task.cancel()
    await mirrors.until(lambda: not sent.lanes._tasks)


async def test_a_mirror_that_does_not_accept_delays_no_other(mirrors: Any) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        filling = [socket.socket() for _ in range(3)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        hung, healthy = Sent(full.getsockname()[1]), Sent(await mirrors.answering())
        hung.submit(32)
        healthy.submit(32)
        await mirrors.until(lambda: len(healthy.reports) == 32)
        assert not any(report.error for report in hung.reports.values())
        assert hung.lanes.gate.window <= START
        for task in hung.lanes._tasks:
            task.cancel()
        await mirrors.until(lambda: not hung.lanes._tasks)
        await healthy.end(mirrors.until)
        for each in filling:
            each.close()
