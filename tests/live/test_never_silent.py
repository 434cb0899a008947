"""What plain mitmdump logs while nothing is asked of it: that mirroring works, and which requests no rule names."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints

from mirror_addon.mirroring.comparison_samples import BURST
from mirror_addon.mirroring.comparison_samples import PER_SECOND

MANY = 400
"""Requests, more than are compared within the seconds that they take."""


def send_many(proxy: tuple[str, int]) -> None:
    """All of them on one connection, without waiting for the responses in between."""
    one, last = (lines(b"GET /serviceB/x HTTP/1.1", b"Host: " + HOST, *more) for more in ((), (b"Connection: close",)))
    with socket.create_connection(proxy, PATIENCE) as connection:
        connection.sendall(one * (MANY - 1) + last)
        received = b""
        while part := connection.recv(65536):
            received += part
    assert received.count(b"HTTP/1.1 200 OK") == MANY


def test_plain_mitmdump(confdir: Path, upstreams: tuple[Recorder, Recorder], v1: Recorder, v2: Recorder) -> None:
    """One process for all of it."""
    v1.behave(answer(b"200 OK", b"Content-Type: application/json", body=b'{"price": 1}'))
    v2.behave(answer(b"200 OK", b"Content-Type: application/json", body=b'{"price": 2}'))
    with Proxy(confdir, "--mode", f"reverse:http://{v1}", *endpoints(*upstreams)) as proxy:

        def send(host: bytes, path: bytes = b"/serviceB/x") -> None:
            exchange(proxy.address, lines(b"GET %b HTTP/1.1" % path, b"Host: " + host))

        send(HOST)
        proxy.wait_for(
            r"first shadow of default/serviceB http\[0\]: GET http://istio\.gateway\.xxxx\.tech/serviceB/x -> "
            r"serviceB/v2: 200 vs 200, different: \$\.price, [+-]"
        )
        send(HOST)
        v2.one()
        for _ in range(2):
            send(b"127.0.0.1:8080")
            send(b"istio.gatewy.xxxx.tech")
            send(HOST, b"/elsewhere")
        proxy.wait_for(r"no rule for host '127\.0\.0\.1:8080'; the rules have: istio\.gateway\.xxxx\.tech; rules go by")
        proxy.wait_for(r"no rule for host 'istio\.gatewy\.xxxx\.tech'; .*; did you mean istio\.gateway\.xxxx\.tech\?")
        proxy.wait_for(r"no rule of host 'istio\.gateway\.xxxx\.tech' matches 'GET' '/elsewhere': 404")
        output = proxy.output
        assert output.count("first shadow of") == 1
        assert output.count("no rule ") == 3
        started = time.monotonic()
        send_many(proxy.address)
        lasted = time.monotonic() - started
    totals = proxy.totals
    assert (totals["requests"], totals["unmatched"], totals["offered"]) == (8 + MANY, 6, 2 + MANY)
    assert list(totals)[:3] == ["requests", "unmatched", "offered"]
    said = re.search(r"compared (\d+) of (\d+); of the others, only the status codes", proxy.output.replace("\n", " "))
    assert said and int(said[2]) == 2 + MANY
    compared = int(said[1])
    assert BURST <= compared <= 2 + BURST + PER_SECOND * (lasted + 1)
    assert re.search(rf" {2 + MANY} +{compared} +{compared} ", proxy.output), "all that were compared differ"
