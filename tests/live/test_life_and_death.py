"""Signals and crashes: no shadow lost without need, no process left, the client served throughout."""

from __future__ import annotations

import os
import re
import resource
import signal
import threading
import time
from pathlib import Path

import pytest
from livetools import recorder
from livetools.children import cpu_ticks
from livetools.children import many_routes
from livetools.children import wait_for
from livetools.client import Client
from livetools.client import exchange
from livetools.live_page import LivePage
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Conversation
from livetools.recorder import Recorder
from livetools.wire import Received
from livetools.worked_example import endpoints
from livetools.worked_example import request


def start(confdir: Path, v1: Recorder, v2: Recorder, *arguments: str) -> Proxy:
    return Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(v1, v2), *arguments)


def send(proxy: Proxy, count: int) -> None:
    with Client(proxy.address) as client:
        for number in range(count):
            assert client.exchange(request(b"GET /serviceB/%d" % number)).status == 200


@pytest.mark.parametrize("ends", ["SIGINT", "SIGTERM", "Ctrl-C in the terminal"])
def test_shadows_that_wait_are_sent_before_the_end(confdir: Path, v1: Recorder, v2: Recorder, ends: str) -> None:
    told = threading.Event()

    def when_told(conversation: Conversation, received: Received) -> bool:
        assert told.wait(PATIENCE)
        return recorder.slow(0.2)(conversation, received)

    v2.behave(when_told)
    with start(confdir, v1, v2, "--set", "mirror_concurrency=1", "--set", "mirror_drain=30s") as proxy:
        send(proxy, 5)
        assert v2.one().target == b"//0"
        assert v2.received == [], "no shadow was left waiting"
        if ends == "Ctrl-C in the terminal":
            os.killpg(proxy.process.pid, signal.SIGINT)
        else:
            proxy.process.send_signal(signal.Signals[ends])
        told.set()
        assert proxy.finish() == 0
    assert {shadow.target for shadow in v2.take(4)} == {b"//1", b"//2", b"//3", b"//4"}


def test_a_hung_mirror_delays_the_end_by_the_drain_at_most(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    v2.behave(recorder.hang)
    with start(confdir, v1, v2, "--set", "mirror_drain=1s") as proxy:
        send(proxy, 3)
        v2.take(3)
        started = time.monotonic()
        assert proxy.interrupt() == 0
        assert time.monotonic() - started < 15, "far from the 30 s of mirror_timeout"


def test_without_pending_shadows_the_end_is_immediate(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with start(confdir, v1, v2, "--set", "mirror_drain=25s") as proxy:
        send(proxy, 3)
        v2.take(3)
        started = time.monotonic()
        assert proxy.interrupt() == 0
        assert time.monotonic() - started < 15, "far from the drain"


def test_a_killed_worker_is_replaced(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with start(confdir, v1, v2) as proxy:
        send(proxy, 2)
        v2.take(2)
        killed = proxy.workers
        assert killed
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while not v2.received:
            assert time.monotonic() < deadline, "no shadow arrived after the worker was killed"
            send(proxy, 1)
            time.sleep(0.05)
        assert proxy.workers
        assert not proxy.workers & killed
        send(proxy, 5)


def test_a_frozen_worker_is_not_felt_and_not_left_behind(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with start(confdir, v1, v2, "--set", "mirror_drain=500ms", "--set", "mirror_queue=1MiB") as proxy:
        send(proxy, 1)
        for pid in proxy.workers:
            os.kill(pid, signal.SIGSTOP)
        with Client(proxy.address) as client:
            for _ in range(20):
                started = time.monotonic()
                body = b"x" * 200_000
                head = (b"POST /serviceB/big", b"Content-Length: %d" % len(body))
                assert client.exchange(request(*head, body=body)).status == 200
                assert time.monotonic() - started < 10, "a frozen worker is waited for, for ever"
        assert proxy.interrupt() == 0
        assert "dropped.queue_full" in proxy.output


def test_a_worker_without_file_descriptors_is_not_felt_and_recovers(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with reserved_port() as port, start(confdir, v1, v2, "--set", f"mirror_web_port={port}") as proxy:
        page = LivePage(("127.0.0.1", port), proxied=False)
        send(proxy, 1)
        v2.take(1)
        (worker,) = proxy.workers
        v2.behave(recorder.close)  # so that each shadow needs a connection of its own
        limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, limits[1]))
        send(proxy, 3)
        proxy.wait_for(r"a shadow to serviceB/v2 was dropped \(unsendable: .*Too many open files")
        page.wait_until(lambda status: status["counters"].get("dropped.unsendable", 0) == 3)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
        v2.restore()
        deadline = time.monotonic() + PATIENCE
        while not v2.received:
            assert time.monotonic() < deadline, "no shadow arrived"
            send(proxy, 1)
            time.sleep(0.1)
        assert proxy.workers == {worker}
        assert proxy.interrupt() == 0
    assert proxy.totals["dropped.unsendable"] >= 3


def test_a_killed_proxy_leaves_no_worker(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    v2.behave(recorder.hang)
    with start(confdir, v1, v2) as proxy:
        send(proxy, 3)
        v2.take(3)
        assert proxy.workers
        proxy.process.kill()
        assert proxy.finish() == -signal.SIGKILL


@pytest.mark.parametrize("ends", ["SIGINT", "SIGKILL"])
def test_an_end_while_rules_are_read(ends: str, confdir: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "many.yaml").write_text(many_routes(1))
    with Proxy(confdir, "--set", f"mirror_rules={rules}", "--set", "mirror_drain=25s") as proxy:
        idle = cpu_ticks(proxy.process.pid)
        (rules / "many.yaml").write_text(many_routes(10_000))
        wait_for(lambda: cpu_ticks(proxy.process.pid) > idle + os.sysconf("SC_CLK_TCK") // 2)
        started = time.monotonic()
        if ends == "SIGINT":
            assert proxy.interrupt() == 0
        else:
            proxy.process.kill()
            assert proxy.finish() == -signal.SIGKILL
        assert time.monotonic() - started < 15, "far from the drain"
        assert not re.search("(?i) error|exception", proxy.output), proxy.output


def test_counts_add_up_at_the_end(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    before = v2.answered
    with start(confdir, v1, v2) as proxy:
        send(proxy, 7)
        v2.wait_until_answered(before + 7)
        v2.take(7)
        v2.refuse()
        send(proxy, 2)
        assert exchange(proxy.address, request(b"GET /nowhere")).status == 404
        assert proxy.interrupt() == 0
    for line in ("requests 10", "offered 9", "sent 7", "failed 2", "dropped 0", "pending 0"):
        assert f"{line}\n" in proxy.output, proxy.output
