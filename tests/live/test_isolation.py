"""Whatever v2 does, the client's answers are the same bytes, and no later."""

from __future__ import annotations

import gzip
import re
import time
from pathlib import Path

import pytest
from livetools import recorder
from livetools.client import Client
from livetools.client import exchange
from livetools.live_page import LivePage
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Conversation
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import Received
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request

SLOWEST = 10.0
"""Seconds that no answer may take: less than whoever waits for these mirrors needs (12 s for the one that dribbles, 30
for those that hang), and more than a busy machine may lose."""


def endless(conversation: Conversation, _request: Received) -> bool:
    """Chunk after chunk, a few megabytes a second, until the recorder does something else."""
    conversation.send(lines(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"))
    while not conversation.stopped:
        conversation.send(b"10000\r\n" + bytes(65536) + b"\r\n")
        conversation.wait(0.02)
    return False


ANSWERS_LIKE_NO_SERVER = {
    "hang": recorder.hang,
    "reset": recorder.reset,
    "close": recorder.close,
    "garbage": recorder.raw(b"\x00\xffSSH-2.0-nonsense\r\n\r\n" * 50),
    "half an answer": recorder.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "bad chunks": recorder.raw(lines(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + b"zz\r\nnot hex\r\n"),
    "two answers": recorder.raw(2 * (lines(b"HTTP/1.1 200 OK", b"Content-Length: 2") + b"ok"), keep=True),
    "redirect": answer(b"302 Found", b"Location: http://127.0.0.1:9/", b"Set-Cookie: a=b"),
    "slow": recorder.slow(30),
    "dribble": recorder.dribble(lines(b"HTTP/1.1 200 OK", b"X-Long: " + b"x" * 200), 0.05),
    "enormous": answer(body=bytes(30_000_000)),
    "endless": endless,
    "compressed bomb": answer(b"200 OK", b"Content-Encoding: gzip", body=gzip.compress(bytes(200_000_000), 9)),
    "a head without end": recorder.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + bytes(2_000_000), keep=True),
    "switching protocols": recorder.raw(lines(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: x"), keep=True),
}


def talk(proxy: Proxy, count: int = 8) -> list[bytes]:
    """A few different requests on one connection: the answers' bytes, each checked to have come soon."""
    answers = []
    with Client(proxy.address) as client:
        for number in range(count):
            started = time.monotonic()
            body = b"x" * 100 * number
            answers.append(
                client.exchange(
                    request(
                        b"POST http://%b/serviceB/%d" % (HOST, number), b"Content-Length: %d" % len(body), body=body
                    )
                ).wire
            )
            assert time.monotonic() - started < SLOWEST
    return answers


@pytest.fixture(scope="module")
def undisturbed(proxy: Proxy, upstreams: tuple[Recorder, Recorder]) -> list[bytes]:
    """What the client gets while v2 is well."""
    answers = talk(proxy)
    upstreams[0].take(len(answers))
    upstreams[1].take(len(answers))
    return answers


def assert_mirror_recovers(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    """Once v2 is well again, shadows arrive again, whatever pause a circuit breaker takes."""
    v1.restore()
    v2.restore()
    deadline = time.monotonic() + PATIENCE
    while not any(shadow.target == b"//well" for shadow in v2.received):
        assert time.monotonic() < deadline, "no shadow arrived"
        exchange(proxy.address, request(b"GET http://%b/serviceB/well" % HOST))
        time.sleep(0.1)
    LivePage(proxy.address).wait_until(lambda status: not status["counters"]["pending"])  # the next test gets none


@pytest.mark.parametrize("misbehaviour", ANSWERS_LIKE_NO_SERVER)
def test_mirror_that_misbehaves(
    proxy: Proxy, v1: Recorder, v2: Recorder, undisturbed: list[bytes], misbehaviour: str
) -> None:
    v2.behave(ANSWERS_LIKE_NO_SERVER[misbehaviour])
    deadline = time.monotonic() + PATIENCE
    while not v2.received:  # a circuit breaker may still be open from the case before
        assert time.monotonic() < deadline, "no shadow arrived"
        assert talk(proxy) == undisturbed
    assert talk(proxy) == undisturbed
    assert_mirror_recovers(proxy, v1, v2)


def test_mirror_that_refuses(proxy: Proxy, v1: Recorder, v2: Recorder, undisturbed: list[bytes]) -> None:
    v2.refuse()
    assert talk(proxy) == undisturbed
    assert talk(proxy) == undisturbed
    assert_mirror_recovers(proxy, v1, v2)


def test_mirror_that_closes_its_connections_loses_no_shadow(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    """As servers do with idle connections: without a word, after an answer that promised keep-alive."""
    v2.behave(recorder.raw(lines(b"HTTP/1.1 200 OK", b"Content-Length: 0")))
    with Client(proxy.address) as client:
        for number in range(10):
            client.exchange(request(b"POST http://%b/serviceB/%d" % (HOST, number), b"Content-Length: 1", body=b"x"))
            assert v2.one().target == b"//%d" % number
    v1.take(10)


def test_primary_that_refuses_is_mirrored(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    v1.refuse()
    assert exchange(proxy.address, request(b"GET http://%b/serviceB/refused" % HOST)).status == 502
    assert v2.one().target == b"//refused"


def test_client_that_leaves_early_is_mirrored(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    v1.behave(recorder.hang)
    with Client(proxy.address) as client:
        client.send(request(b"GET http://%b/serviceB/left" % HOST))
        v1.one()
    assert v2.one().target == b"//left"


def test_shadows_of_many_connections_are_not_mixed_up(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    v1.behave(recorder.slow(0.02))
    clients = [Client(proxy.address) for _ in range(10)]
    for turn in range(5):
        for number, client in enumerate(clients):
            body = b"%d/%d" % (number, turn) * 50
            head = (b"POST http://%b/serviceB/%d/%d" % (HOST, number, turn), b"Content-Length: %d" % len(body))
            client.send(request(*head, body=body))
        for client in clients:
            assert client.exchange(b"").status == 200
    for client in clients:
        client.socket.close()
    primaries = {primary.target: primary.body for primary in v1.take(50)}
    assert len(primaries) == 50
    assert {shadow.target: shadow.body for shadow in v2.take(50)} == primaries
    assert all(body == target.removeprefix(b"//") * 50 for target, body in primaries.items())


RULES_WITH_GAPS = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: gaps}
spec:
  hosts: [istio.gateway.xxxx.tech]
  http:
  - match: [{uri: {prefix: /mirror-without}}]
    route: [{destination: {host: here, subset: v1}}]
    mirror: {host: here, subset: v3}
  - match: [{uri: {prefix: /mirror-unknown}}]
    route: [{destination: {host: here, subset: v1}}]
    mirror: {host: elsewhere}
  - match: [{uri: {prefix: /route-without}}]
    route: [{destination: {host: here, subset: v3}}]
    mirror: {host: here, subset: v2}
  - route: [{destination: {host: here, subset: v1}}]
    mirror: {host: here, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: here}
spec:
  host: here
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v3, labels: {version: v3}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: here}
spec:
  hosts: [here.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, labels: {version: v1}, ports: {http: %d}}
  - {address: 127.0.0.1, labels: {version: v2}, ports: {http: %d}}
"""


def test_missing_endpoints(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    (tmp_path / "rules.yaml").write_text(RULES_WITH_GAPS % (v1.port, v2.port))
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", "--set", f"mirror_rules={tmp_path}") as proxy:
        healthy = exchange(proxy.address, request(b"GET /else"))
        assert healthy.status == 200
        assert v1.one().target == v2.one().target == b"/else"
        for target in (b"/mirror-without", b"/mirror-unknown"):
            assert exchange(proxy.address, request(b"GET " + target)).wire == healthy.wire
            assert v1.one().target == target
        unavailable = exchange(proxy.address, request(b"GET /route-without"))
        assert unavailable.status == 503
        assert b"here" in unavailable.body
        assert b"v3" in unavailable.body
        assert b"mirror_endpoints" in unavailable.body
        exchange(proxy.address, request(b"GET /last"))
        assert v1.one().target == v2.one().target == b"/last"
        assert re.search(r"rules\.yaml:\d+:\d+: .*'v3'", proxy.output)
        assert re.search(r"rules\.yaml:12:\d+: .*elsewhere", proxy.output)


def test_a_mirror_that_is_the_proxy_itself_gets_nothing(confdir: Path, v1: Recorder) -> None:
    with reserved_port() as port:
        itself = endpoints(v1, f"127.0.0.1:{port}")
        proxy = Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *itself, port=port)
    with proxy:
        for number in range(3):
            assert exchange(proxy.address, request(b"GET /serviceB/%d" % number)).status == 200
        assert [primary.target for primary in v1.take(3)] == [b"//0", b"//1", b"//2"]
    assert v1.received == []
    assert "skipped.loop 3" in proxy.output


def test_a_shadow_that_comes_back_is_not_mirrored_again(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    exchange(proxy.address, request(b"GET http://%b/serviceB/once" % HOST))
    primary, shadow = v1.one(), v2.one()
    back = shadow.head.replace(b"GET //once", b"GET http://%b/serviceB/back" % HOST).replace(HOST + b"-shadow", HOST)
    assert exchange(proxy.address, back).status == 200
    assert v1.one().target == b"//back"
    exchange(proxy.address, request(b"GET http://%b/serviceB/after" % HOST))
    assert v2.one().target == b"//after"
    assert primary.target == b"//once"
