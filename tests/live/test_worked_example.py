"""Istio's mirroring example, `rules/` as it stands in the repository, byte for byte at v1 and v2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import address_of_this_machine
from livetools.worked_example import assert_shadow
from livetools.worked_example import endpoints
from livetools.worked_example import request


@pytest.fixture(scope="module")
def reverse(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    with Recorder() as nobody:
        nobody.refuse()
        with Proxy(confdir, "--mode", f"reverse:http://{nobody}", *endpoints(*upstreams), anew=True) as running:
            yield running


@pytest.fixture(scope="module")
def sidecar(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    arguments = ("--mode", "reverse:http://127.0.0.1:9", "--set", "mirror_use_remote_address=false")
    with Proxy(confdir, *arguments, *endpoints(*upstreams)) as running:
        yield running


def assert_worked_example(v1: Recorder, v2: Recorder) -> None:
    primary = v1.one()
    name, hop = primary.headers[-1]
    assert name.lower() == b"x-forwarded-for"
    address_of_this_machine(hop)
    assert primary.head == lines(
        b"GET //request/info HTTP/1.1", b"Host: " + HOST, b"User-Agent: curl/8.7.1", b"Accept: */*", name + b": " + hop
    )
    assert primary.raw_body == b""
    assert v2.one().head == lines(
        b"GET //request/info HTTP/1.1",
        b"Host: " + HOST + b"-shadow",
        b"User-Agent: curl/8.7.1",
        b"Accept: */*",
        name + b": " + hop + b"," + hop,
    )


def test_regular_proxy(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    v1.behave(answer(b"200 Fine", b"X-From: v1", body=b"from v1"))
    v2.behave(answer(b"500 Broken", b"X-From: v2", body=b"from v2"))
    reply = exchange(
        proxy.address,
        lines(
            b"GET http://%b/serviceB/request/info HTTP/1.1" % HOST,
            b"Host: " + HOST,
            b"User-Agent: curl/8.7.1",
            b"Accept: */*",
        ),
    )
    assert reply.wire == lines(b"HTTP/1.1 200 Fine", b"X-From: v1", b"Content-Length: 7") + b"from v1"
    assert_worked_example(v1, v2)


def test_reverse_proxy(reverse: Proxy, v1: Recorder, v2: Recorder) -> None:
    v1.behave(answer(b"200 Fine", b"X-From: v1", body=b"from v1"))
    reply = exchange(reverse.address, request(b"GET /serviceB/request/info", b"User-Agent: curl/8.7.1", b"Accept: */*"))
    assert reply.wire == lines(b"HTTP/1.1 200 Fine", b"X-From: v1", b"Content-Length: 7") + b"from v1"
    assert_worked_example(v1, v2)


def test_many_requests_on_one_connection(reverse: Proxy, v1: Recorder, v2: Recorder) -> None:
    with Client(reverse.address) as client:
        for number in range(20):
            assert client.exchange(request(b"GET /serviceB/%d" % number)).status == 200
    assert [primary.target for primary in v1.take(20)] == [b"//%d" % number for number in range(20)]
    assert sorted(shadow.target for shadow in v2.take(20)) == sorted(b"//%d" % number for number in range(20))


@pytest.mark.parametrize(
    ("sent", "prefix"),
    [
        ((), b""),
        ((b"X-Forwarded-For: 10.10.2.151",), b"10.10.2.151,"),
        ((b"X-Forwarded-For: a, b",), b"a, b,"),
        ((b"X-Forwarded-For: a", b"X-Between: 1", b"X-Forwarded-For: b"), b"a,b,"),
    ],
)
def test_forwarded_for_at_a_gateway(
    reverse: Proxy, v1: Recorder, v2: Recorder, sent: tuple[bytes, ...], prefix: bytes
) -> None:
    exchange(reverse.address, request(b"GET /serviceB/x", *sent))
    primary = v1.one()
    hops = primary.value(b"x-forwarded-for")
    assert hops.startswith(prefix)
    address_of_this_machine(hops.removeprefix(prefix))
    assert_shadow(primary, v2.one())


@pytest.mark.parametrize(("sent", "hops"), [((), None), ((b"X-Forwarded-For: 10.10.2.151",), b"10.10.2.151")])
def test_forwarded_for_at_a_sidecar(
    sidecar: Proxy, v1: Recorder, v2: Recorder, sent: tuple[bytes, ...], hops: bytes | None
) -> None:
    exchange(sidecar.address, request(b"GET /serviceB/x", *sent))
    primary = v1.one()
    assert primary.value(b"x-forwarded-for") == hops
    assert_shadow(primary, v2.one())


def test_host_with_a_port_and_in_capitals(reverse: Proxy, v1: Recorder, v2: Recorder) -> None:
    exchange(reverse.address, lines(b"GET /serviceB/x HTTP/1.1", b"Host: ISTIO.gateway.xxxx.tech:8080"))
    assert v1.one().value(b"host") == b"ISTIO.gateway.xxxx.tech:8080"
    assert v2.one().value(b"host") == b"ISTIO.gateway.xxxx.tech-shadow:8080"


def test_a_host_without_rules_passes_untouched(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    with Recorder() as other:
        sent = (b"Host: %b" % str(other).encode(), b"X-A: 1", b"x-a: 2", b"Connection: x-a")
        exchange(proxy.address, lines(b"GET http://%b/serviceB/../b HTTP/1.1" % str(other).encode(), *sent))
        assert other.one().head == lines(b"GET /serviceB/../b HTTP/1.1", *sent)
    exchange(proxy.address, request(b"GET http://%b/serviceB/after" % HOST))
    assert v1.one().target == v2.one().target == b"//after"


def test_a_host_without_a_matching_rule_is_404(reverse: Proxy, v1: Recorder, v2: Recorder) -> None:
    assert exchange(reverse.address, request(b"GET /service")).status == 404
    exchange(reverse.address, request(b"GET /serviceB/after"))
    assert v1.one().target == v2.one().target == b"//after"


def test_start_says_what_it_changes_and_what_is_odd(proxy: Proxy, reverse: Proxy) -> None:
    odd = proxy.wait_for(r"virtual-service\.yaml:\d+:\d+.*").group()
    assert "/serviceB/" in proxy.output, odd
    assert "connection_strategy" in proxy.output
    assert "keep_host_header" in reverse.output
    assert proxy.output.lower().count("rewrite") >= 1
