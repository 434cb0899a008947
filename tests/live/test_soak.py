"""A mirror with mixed faults, and the books checked ten times a second meanwhile: `make soak`.

SOAK_SECONDS says for how long; an hour with make, twenty seconds without.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from livetools import recorder
from livetools.client import Client
from livetools.live_page import LivePage
from livetools.proxy import Proxy
from livetools.recorder import Conversation
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import Received
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints

pytestmark = pytest.mark.long

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
EVERY = 0.1
FAULTS = (
    answer(b"200 OK", body=b"ok"),
    answer(b"500 Oops", body=b"oops"),
    recorder.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    recorder.raw(b"garbage\r\n\r\n"),
    recorder.raw(b""),
    recorder.hang,
)


def faulty(conversation: Conversation, request: Received) -> bool:
    return random.choice(FAULTS)(conversation, request)


def clients(proxy: Proxy, end: float, failed: list[str], sent: list[int]) -> None:
    with Client(proxy.address) as client:
        while time.monotonic() < end:
            body = b"x" * random.choice((0, 10, 100_000))
            length = b"Content-Length: %d" % len(body)
            head = lines(b"POST http://%b/serviceB/x HTTP/1.1" % HOST, b"Host: " + HOST, length)
            response = client.exchange(head + body)
            sent.append(1)
            if response.status != 200:
                failed.append(repr(response))


def test_the_books_balance_and_no_client_notices(
    confdir: Path, tmp_path: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder
) -> None:
    v1.behave(answer(b"200 OK", body=b"ok"))
    v2.behave(faulty)
    options = {"timeout": "500ms", "queue": "1MiB", "workers": "2", "max_body": "64KiB"}
    options["record"] = str(tmp_path / "record.jsonl")
    given = [part for name, value in options.items() for part in ("--set", f"mirror_{name}={value}")]
    failed: list[str] = []
    sent: list[int] = []
    checks = 0
    with Proxy(confdir, *endpoints(*upstreams), *given, anew=True) as proxy:
        page, end = LivePage(proxy.address), time.monotonic() + SECONDS
        threads = [threading.Thread(target=clients, args=(proxy, end, failed, sent), daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        kill_at = time.monotonic() + SECONDS / 4
        while time.monotonic() < end:
            counters = page.status()["counters"]
            parts = sum(counters.get(name, 0) for name in ("sent", "failed", "dropped", "pending"))
            assert counters.get("offered", 0) == parts, counters
            checks += 1
            if time.monotonic() > kill_at and (workers := list(proxy.workers)):
                kill_at += SECONDS / 4
                os.kill(random.choice(workers), signal.SIGKILL)
            time.sleep(EVERY)
        for thread in threads:
            thread.join()
    assert failed == []
    assert sent and checks > SECONDS
