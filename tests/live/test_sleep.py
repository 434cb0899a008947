"""A machine that sleeps: all processes stop and go on later, by the clocks minutes or hours later.

Linux and macOS stop the monotonic clock in a suspend; a paused virtual machine, or SIGSTOP as here, does not.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path

from livetools import recorder
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.proxy import state
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.web import Web
from livetools.worked_example import endpoints
from livetools.worked_example import request


def sleep(proxy: Proxy, seconds: float) -> None:
    """The proxy and its workers, stopped for so long."""
    pids = {proxy.process.pid, *proxy.workers}
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    while any(state(pid) != "T" for pid in pids):
        time.sleep(0.005)
    time.sleep(max(seconds, 0))
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def start(confdir: Path, v1: Recorder, v2: Recorder, *arguments: str) -> Proxy:
    return Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(v1, v2), *arguments)


def test_shadows_and_uploads_survive_a_sleep(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    """Longer than a worker may be silent (3 s) and a lane idle (4 s)."""
    with start(confdir, v1, v2, "--set", "stream_large_bodies=10k") as proxy:
        with Client(proxy.address) as client:
            assert client.exchange(request(b"GET /serviceB/first")).status == 200
            assert v2.one().target == b"//first"
            workers = proxy.workers
            v2.behave(recorder.slow(0.5))
            for number in range(3):
                assert client.exchange(request(b"GET /serviceB/%d" % number)).status == 200
            v2.take(3)  # there, and not answered
            body = os.urandom(40_000)
            client.send(request(b"POST /serviceB/upload", b"Content-Length: %d" % len(body)) + body[:20_000])
            sleep(proxy, 4.5)
            assert client.exchange(body[20_000:]).status == 200
        assert v2.one().body == body
        assert exchange(proxy.address, request(b"GET /serviceB/after")).status == 200
        assert v2.one().target == b"//after"
        assert proxy.workers == workers, "a worker was started again without need"
        assert proxy.interrupt() == 0
    assert proxy.totals["offered"] == proxy.totals["sent"] == 6, proxy.totals


def test_a_deadline_that_passes_during_a_sleep_is_a_timeout_and_no_more(
    confdir: Path, v1: Recorder, v2: Recorder
) -> None:
    """Five at once, which open the circuit breaker: for half a second, from then on."""
    v2.behave(recorder.hang)
    with start(confdir, v1, v2, "--set", "mirror_timeout=1500ms") as proxy:
        for number in range(5):
            assert exchange(proxy.address, request(b"GET /serviceB/%d" % number)).status == 200
        v2.take(5)
        sleep(proxy, 2.5)
        proxy.wait_for(r"shadows to serviceB/v2 fail \(timeout")
        v2.restore()
        deadline = time.monotonic() + PATIENCE
        while not v2.received:
            assert time.monotonic() < deadline, "no shadow arrived"
            assert exchange(proxy.address, request(b"GET /serviceB/again")).status == 200
            time.sleep(0.05)
        assert proxy.interrupt() == 0
    assert proxy.totals["failed"] == proxy.totals["failed.timeout"] == 5


def test_expiry_goes_by_the_wall_clock(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with Web(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(v1, v2)) as proxy:
        over = datetime.now(UTC) + timedelta(seconds=60)
        proxy.call("PUT", "/options", {"mirror_expires": over.isoformat()})
        exchange(proxy.address, request(b"GET /serviceB/before"))
        assert v2.one().target == b"//before"
        over = datetime.now(UTC) + timedelta(seconds=3)
        proxy.call("PUT", "/options", {"mirror_expires": over.isoformat()})
        sleep(proxy, (over - datetime.now(UTC)).total_seconds() + 0.1)
        assert exchange(proxy.address, request(b"GET /serviceB/after")).status == 200
        assert proxy.interrupt() == 0
    assert (proxy.totals["sent"], proxy.totals["skipped.expired"]) == (1, 1)
    assert v2.received == []
