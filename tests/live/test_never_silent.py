"""What plain mitmdump logs while nothing is asked of it: that mirroring works, and which requests no rule names."""

from __future__ import annotations

from pathlib import Path

from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints


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
    totals = proxy.totals
    assert (totals["requests"], totals["unmatched"], totals["offered"]) == (8, 6, 2)
    assert list(totals)[:3] == ["requests", "unmatched", "offered"]
    assert "Whole responses were compared in 1 of 2 pairs" in proxy.output.replace("\n", " ")
