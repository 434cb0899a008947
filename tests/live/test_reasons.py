"""Requests without a shadow, each with its reason in the summary; and what a shadow cannot carry, named and counted."""

from __future__ import annotations

import time
from pathlib import Path

from livetools import recorder
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import assert_shadow
from livetools.worked_example import endpoints
from livetools.worked_example import request
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reasons}
spec:
  hosts: [istio.gateway.xxxx.tech]
  http:
  - match: [{uri: {prefix: /redirect}}]
    redirect: {uri: /elsewhere}
  - match: [{uri: {prefix: /direct}}]
    directResponse: {status: 418}
  - match: [{uri: {prefix: /abort}}]
    fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
    route: [{destination: {host: here, subset: v1}}]
    mirror: {host: here, subset: v2}
  - match: [{uri: {prefix: /delay}}]
    fault: {delay: {fixedDelay: 300ms, percentage: {value: 100}}}
    route: [{destination: {host: here, subset: v1}}]
    mirror: {host: here, subset: v2}
  - match: [{uri: {prefix: /unavailable}}]
    route: [{destination: {host: here, subset: none}}]
    mirror: {host: here, subset: v2}
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: here, subset: v1}}]
    mirror: {host: here, subset: none}
  - match: [{uri: {prefix: /never}}]
    route: [{destination: {host: here, subset: v1}}]
    mirror: {host: here, subset: v2}
    mirrorPercentage: {value: 0}
  - match: [{uri: {prefix: /}}]
    route: [{destination: {host: here, subset: v1}}]
    mirror: {host: here, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: here}
spec:
  host: here
  subsets: [{name: v1, labels: {v: "1"}}, {name: v2, labels: {v: "2"}}, {name: none, labels: {v: "3"}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: here}
spec:
  hosts: [here.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, labels: {v: "1"}, ports: {http: %d}}
  - {address: 127.0.0.1, labels: {v: "2"}, ports: {http: %d}}
"""


def test_every_request_without_shadow_has_a_reason(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    (tmp_path / "rules.yaml").write_text(RULES % (v1.port, v2.port))
    replayed = tflow.tflow()
    replayed.request.host, replayed.request.port = v1.address
    replayed.request.headers["host"] = HOST.decode()
    with (tmp_path / "replayed.mitm").open("wb") as file:
        FlowWriter(file).add(replayed)
    arguments = ("--set", f"mirror_rules={tmp_path / 'rules.yaml'}", "--set", "mirror_max_body=1KiB")
    arguments += ("--client-replay", str(tmp_path / "replayed.mitm"), "--set", "keepserving=true")
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *arguments) as proxy:
        assert v1.one().target == replayed.request.path.encode()
        for target, status in (
            (b"/redirect", 301),
            (b"/direct", 418),
            (b"/abort", 503),
            (b"/unavailable", 503),
            (b"/nowhere", 200),
            (b"/never", 200),
        ):
            assert exchange(proxy.address, request(b"GET " + target)).status == status
        assert exchange(proxy.address, lines(b"GET / HTTP/1.1", b"Host: " + HOST + b"-shadow")).status == 502
        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
        assert exchange(proxy.address, request(b"GET /upgrade", *upgrade)).status == 200
        big = request(b"POST /big", b"Content-Length: 2000", body=bytes(2000))
        assert exchange(proxy.address, big).status == 200
        with Client(proxy.address) as client:
            client.send(request(b"POST /left", b"Content-Length: 100", body=b"half"))
            time.sleep(0.2)
        started = time.monotonic()
        assert exchange(proxy.address, request(b"GET /delay")).status == 200
        assert v2.one().time - started > 0.29
        assert [primary.target for primary in v1.take(5)] == [b"/nowhere", b"/never", b"/upgrade", b"/big", b"/delay"]
        assert proxy.interrupt() == 0
    assert v2.received == []
    skipped = {name: number for name, number in proxy.totals.items() if name.startswith("skipped.")}
    assert skipped == {
        "skipped.aborted": 1,
        "skipped.local_reply": 2,
        "skipped.no_endpoint": 1,
        "skipped.percent": 1,
        "skipped.replay": 1,
        "skipped.upgrade": 1,
    }
    assert (proxy.totals["sent"], proxy.totals["dropped.body_too_large"]) == (1, 1)


def test_connect_is_no_request_of_the_rules(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    with Proxy(confdir, *endpoints(v1, v2)) as proxy:
        with Client(proxy.address) as client:
            connected = client.exchange(lines(b"CONNECT %b:80 HTTP/1.1" % HOST, b"Host: %b:80" % HOST))
            assert connected.status == 200
            assert client.exchange(request(b"GET /serviceB/in")).status == 200
        assert v2.one().target == v1.one().target == b"//in"
        assert proxy.interrupt() == 0
    assert (proxy.totals["requests"], proxy.totals["sent"]) == (1, 1)


def test_what_cannot_travel_as_it_is_goes_as_near_as_possible(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    arguments = ("--set", "mirror_path_normalization=NONE")
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(v1, v2), *arguments) as proxy:
        exchange(proxy.address, request(b"get /serviceB/case"))
        primary = v1.one()
        assert primary.method == b"get"
        assert_shadow(primary, v2.one())
        exchange(proxy.address, request(b"GET /serviceB/fold", b"X-Folded: a", b"  b", b"X-After: 1"))
        v1.one()
        assert v2.one().value(b"x-folded") == b"a b"
        exchange(proxy.address, request(b"GET /serviceB/caf\xc3\xa9?\xff"))
        v1.one()
        assert v2.one().target == b"//caf%C3%A9?%FF"
        assert proxy.interrupt() == 0
    adapted = {name: number for name, number in proxy.totals.items() if name.startswith("adapted")}
    assert adapted == {"adapted": 2, "adapted.obs_fold": 1, "adapted.target_bytes": 1}


def test_a_request_id_of_both(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    arguments = ("--set", "mirror_request_id=true")
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(v1, v2), *arguments) as proxy:
        ids = set()
        for _ in range(2):
            exchange(proxy.address, request(b"GET /serviceB/without"))
            primary, shadow = v1.one(), v2.one()
            ids.add(primary.value(b"x-request-id"))
            assert len(primary.value(b"x-request-id") or b"") == 36
            assert_shadow(primary, shadow)
        assert len(ids) == 2
        exchange(proxy.address, request(b"GET /serviceB/with", b"X-Request-ID: mine"))
        assert v1.one().value(b"x-request-id") == v2.one().value(b"x-request-id") == b"mine"


def test_what_a_full_queue_drops_is_counted(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    v2.behave(recorder.hang)
    arguments = ("--set", "mirror_queue=1MiB", "--set", "mirror_drain=100ms", "--set", "mirror_concurrency=1")
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(v1, v2), *arguments) as proxy:
        with Client(proxy.address) as client:
            for _ in range(10):
                head = (b"POST /serviceB/big", b"Content-Length: 200000")
                assert client.exchange(request(*head, body=bytes(200_000))).status == 200
        assert proxy.interrupt() == 0
    dropped = {name: number for name, number in proxy.totals.items() if name.startswith("dropped")}
    assert dropped["dropped.queue_full"] >= 4
    assert dropped["dropped.shutdown"] >= 1
    assert proxy.totals["offered"] == dropped["dropped"] == 10
