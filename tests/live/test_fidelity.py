"""What reaches v2 is what reached v1: targets, fields and bodies of every shape, compared as bytes."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livetools.client import Client
from livetools.client import Client2
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import chunks
from livetools.wire import lines
from livetools.worked_example import HOST
from livetools.worked_example import assert_shadow
from livetools.worked_example import endpoints
from livetools.worked_example import request

MEGABYTES = random.Random(5).randbytes(5_000_000)

SERVICE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}}}
spec:
  hosts: [{name}.test]
  ports: [{{number: 443, name: http, protocol: HTTP}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]
---
"""
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: plain}
spec:
  hosts: [plain.test]
  http:
  - route: [{destination: {host: plain.test}}]
"""
MIRROR = "    mirror: {host: mirror.test}"
TLS = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: plain}
spec:
  host: plain.test
  trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}
"""


@pytest.fixture(scope="module")
def proxy(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    with Proxy(confdir, "--mode", "reverse:http://127.0.0.1:9", *endpoints(*upstreams)) as running:
        yield running


@pytest.fixture(scope="module")
def literal(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    arguments = ("--mode", "reverse:http://127.0.0.1:9", "--set", "mirror_path_normalization=NONE")
    with Proxy(confdir, *arguments, *endpoints(*upstreams)) as running:
        yield running


@pytest.fixture(scope="module")
def regular(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    with Proxy(confdir, *endpoints(*upstreams)) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "at_v1"),
    [
        (b"/serviceB/a/../b//c?x=[1]{2}|%2F%2f&y=%zz", b"//b//c?x=[1]{2}|%2F%2f&y=%zz"),
        (b"/serviceB", b"/"),
        (b"/serviceB?q=/../x", b"/?q=/../x"),
        (b"/serviceB/%7Eme/%61/./%2f%2F/%zz", b"//~me/a/%2f%2F/%zz"),
        (b"/serviceB/a{b}|<c>?a=b?c=/d&&", b"//a%7Bb%7D%7C%3Cc%3E?a=b?c=/d&&"),
        (b"/serviceB\\x", b"//x"),
        (b"/serviceBee/?", b"/ee/?"),
    ],
)
def test_targets_are_normalised_as_istio_does(
    proxy: Proxy, v1: Recorder, v2: Recorder, target: bytes, at_v1: bytes
) -> None:
    exchange(proxy.address, request(b"GET " + target))
    primary = v1.one()
    assert primary.target == at_v1
    assert_shadow(primary, v2.one())


@pytest.mark.parametrize(
    "rest",
    [
        b"/a/../b//c?x=[1]{2}|%2F%2f&y=%zz",
        b'/./a//..///%41%7e;p=1,2?<>"`^&%00=%',
        b"/" + b"long/" * 1500,
        b"?" + b"k=%26&" * 200,
    ],
)
def test_targets_stay_as_they_are(literal: Proxy, v1: Recorder, v2: Recorder, rest: bytes) -> None:
    exchange(literal.address, request(b"GET /serviceB" + rest))
    primary = v1.one()
    assert primary.target == b"/" + rest
    assert_shadow(primary, v2.one())


@pytest.mark.parametrize(
    "fields",
    [
        (b"X-Dup: 1", b"x-other: a", b"x-dup: 2", b"X-DUP: 1"),
        (b"X-Empty: ", b"X-After: 1"),
        (b"X-Bytes: caf\xe9 \xc3\xa9 \xff\x80", b"X-Tab: a\tb", b"X-Low: \x01\x7f"),
        (b"Cookie: a=1", b"Cookie: b=2; c=3", b"Authorization: Basic eDp5"),
        (b"Accept: text/html, */*;q=0.1", b"Accept-Encoding: zstd, br", b"User-Agent: none", b"Range: bytes=0-1"),
        (b"x-request-id: 1", b"traceparent: 00-1-2-01", b"X-Forwarded-Proto: https", b"Via: 1.1 other"),
    ],
)
def test_fields_travel_as_they_came(proxy: Proxy, v1: Recorder, v2: Recorder, fields: tuple[bytes, ...]) -> None:
    exchange(proxy.address, request(b"GET /serviceB/f", *fields))
    primary = v1.one()
    assert primary.head.startswith(lines(b"GET //f HTTP/1.1", b"Host: " + HOST, *fields)[:-2])
    assert_shadow(primary, v2.one())


def test_hop_by_hop_fields_do_not_reach_the_mirror(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    fields = (
        b"Connection: keep-alive, X-Hop",
        b"X-Hop: 1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"TE: trailers, gzip",
        b"Trailer: X-T",
        b"X-Stays: 1",
    )
    exchange(proxy.address, request(b"GET /serviceB/h", *fields))
    primary, shadow = v1.one(), v2.one()
    assert primary.head.startswith(lines(b"GET //h HTTP/1.1", b"Host: " + HOST, *fields)[:-2])
    assert_shadow(primary, shadow)
    assert shadow.value(b"x-hop") is None
    assert shadow.value(b"te") == b"trailers"


@pytest.mark.parametrize(
    ("fields", "body", "content"),
    [
        ((b"Content-Length: 0",), b"", b""),
        ((b"Content-Length: 3",), b"abc", b"abc"),
        ((b"Content-Length: 5000000",), MEGABYTES, MEGABYTES),
        ((b"Transfer-Encoding: chunked",), chunks(b"a" * 70_000, b"b", b"c" * 9), b"a" * 70_000 + b"b" + b"c" * 9),
        ((b"Transfer-Encoding: chunked",), chunks(), b""),
        ((b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 15"), b"a=1&b=%20+&a=%e", None),
    ],
    ids=["empty", "counted", "5 MB", "chunked", "empty chunked", "form"],
)
def test_bodies(
    proxy: Proxy, v1: Recorder, v2: Recorder, fields: tuple[bytes, ...], body: bytes, content: bytes | None
) -> None:
    assert exchange(proxy.address, request(b"POST /serviceB/b", *fields, body=body)).status == 200
    primary = v1.one()
    assert primary.body == (body if content is None else content)
    assert primary.values(b"content-length") + primary.values(b"transfer-encoding") == [fields[-1].partition(b": ")[2]]
    assert_shadow(primary, v2.one())


def test_streamed_bodies(confdir: Path, v1: Recorder, v2: Recorder) -> None:
    arguments = ("--mode", "reverse:http://127.0.0.1:9", "--set", "stream_large_bodies=100k")
    with Proxy(confdir, *arguments, *endpoints(v1, v2)) as streaming:
        fields = (b"Content-Length: %d" % len(MEGABYTES),)
        assert exchange(streaming.address, request(b"POST /serviceB/s", *fields, body=MEGABYTES)).status == 200
        primary = v1.one()
        assert primary.body == MEGABYTES
        assert_shadow(primary, v2.one())
        body = chunks(MEGABYTES[:300_000], MEGABYTES[300_000:])
        exchange(streaming.address, request(b"POST /serviceB/c", b"Transfer-Encoding: chunked", body=body))
        primary = v1.one()
        assert primary.body == MEGABYTES
        assert_shadow(primary, v2.one())


@pytest.fixture(scope="module")
def streaming(confdir: Path, upstreams: tuple[Recorder, Recorder]) -> Iterator[Proxy]:
    with Proxy(confdir, "--set", "stream_large_bodies=10k", *endpoints(*upstreams)) as running:
        yield running


@pytest.mark.parametrize("size", [1, 9_000, 60_000])
def test_http2_bodies_that_may_be_streamed(streaming: Proxy, v1: Recorder, v2: Recorder, size: int) -> None:
    """Their length is not told, and HTTP/1 needs a frame for them."""
    body = MEGABYTES[:size]
    with Client2(streaming.address, HOST.decode()) as client:
        assert client.exchange(b"POST", b"/serviceB/s", [], body).status == 200
        primary = v1.one()
        assert primary.body == body
        assert primary.values(b"content-length") == ([b"%d" % size] if size < 10_000 else []), "streamed or not"
        assert_shadow(primary, v2.one())


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_http2_requests_without_a_body_get_no_frame(
    streaming: Proxy, v1: Recorder, v2: Recorder, method: bytes
) -> None:
    with Client2(streaming.address, HOST.decode()) as client:
        assert client.exchange(method, b"/serviceB/n").status == 200
        primary = v1.one()
        assert primary.values(b"transfer-encoding") == []
        assert_shadow(primary, v2.one())


def test_http2_bodies_that_may_be_streamed_where_nothing_is_mirrored(
    confdir: Path, tmp_path: Path, v1: Recorder
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(SERVICE.format(name="plain", port=v1.port) + ROUTE)
    with Proxy(confdir, "--set", "stream_large_bodies=10k", "--set", f"mirror_rules={rules}") as proxy:
        for size in (0, 1, 9_000, 60_000):
            body = MEGABYTES[:size]
            with Client2(proxy.address, "plain.test") as client:
                assert client.exchange(b"PUT", b"/x", [], body).status == 200
            primary = v1.one()
            assert primary.body == body
            assert primary.values(b"content-length") == ([b"%d" % size] if 0 < size < 10_000 else [])
            assert primary.values(b"transfer-encoding") == ([b"chunked"] if size > 10_000 else [])
        assert proxy.interrupt() == 0


@pytest.mark.parametrize("streams", [True, False])
def test_an_http2_body_to_a_primary_with_tls_and_http1(
    confdir: Path, tmp_path: Path, authority: Any, v2: Recorder, streams: bool
) -> None:
    """Which mitmproxy learns when it has connected; a body without a frame would be read as the next request."""
    rules = tmp_path / "rules.yaml"
    streaming = ("--set", "stream_large_bodies=10k") if streams else ()
    body = b"GET /smuggled HTTP/1.1\r\nHost: plain.test\r\n\r\n"
    with Recorder(tls=authority.server("plain.test")) as v1:
        services = (SERVICE.format(name=name, port=at.port) for name, at in (("plain", v1), ("mirror", v2)))
        rules.write_text("".join(services) + ROUTE + MIRROR + TLS)
        with Proxy(confdir, *streaming, "--set", f"mirror_rules={rules}") as proxy:
            with Client2(proxy.address, "plain.test") as client:
                for path in (b"/1", b"/2"):
                    assert client.exchange(b"PUT", path, [], body).status == 200
                    primary = v1.one()
                    assert (primary.target, primary.body) == (path, body)
                    assert v2.one().body == body
                assert client.exchange(b"GET", b"/3").status == 200
                assert v1.one().target == v2.one().target == b"/3"
            assert proxy.interrupt() == 0
        assert v1.failures == []


def test_a_gzip_body_stays_as_it_is(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    packed = gzip.compress(b"hello" * 1000, mtime=0)
    fields = (b"Content-Encoding: gzip", b"Content-Type: application/json", b"Content-Length: %d" % len(packed))
    exchange(proxy.address, request(b"PUT /serviceB/z", *fields, body=packed))
    primary = v1.one()
    assert primary.raw_body == packed
    assert_shadow(primary, v2.one())


def test_expect_is_answered_by_the_proxy(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    with Client(proxy.address) as client:
        client.send(request(b"POST /serviceB/e", b"Expect: 100-continue", b"Content-Length: 2"))
        assert client.stream.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        assert client.exchange(b"hi").status == 200
    primary = v1.one()
    assert primary.body == b"hi"
    assert_shadow(primary, v2.one())


@pytest.mark.parametrize(
    "method", [b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PURGE", b"PROPFIND", b"M-SEARCH"]
)
def test_methods(proxy: Proxy, v1: Recorder, v2: Recorder, method: bytes) -> None:
    v1.behave(answer(b"200 OK", b"X-V: 1", body=b"0123456789"))
    reply = exchange(proxy.address, request(method + b" /serviceB/m"))
    assert reply.head == lines(b"HTTP/1.1 200 OK", b"X-V: 1", b"Content-Length: 10")
    assert reply.body == (b"" if method == b"HEAD" else b"0123456789")
    primary = v1.one()
    assert primary.method == method
    assert_shadow(primary, v2.one())


def test_get_with_a_body(proxy: Proxy, v1: Recorder, v2: Recorder) -> None:
    exchange(proxy.address, request(b"GET /serviceB/g", b"Content-Length: 4", body=b"\r\n\r\n"))
    primary = v1.one()
    assert primary.body == b"\r\n\r\n"
    assert_shadow(primary, v2.one())


def test_http2_client_to_http1_subsets(regular: Proxy, v1: Recorder, v2: Recorder) -> None:
    """A body without Content-Length, and trailers, which mitmproxy itself sends on as garbage or crashes over."""
    with Client2(regular.address, HOST.decode()) as client:
        fields = [(b"content-type", b"text/plain"), (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-dup", b"1")]
        for trailers in (None, [(b"x-checksum", b"9")]):
            reply = client.exchange(b"POST", b"/serviceB/two?x=1", [*fields, (b"x-dup", b"2")], b"12345", trailers)
            assert (reply.status, reply.body) == (200, b"ok")
            primary = v1.one()
            assert primary.start_line == b"POST //two?x=1 HTTP/1.1"
            assert primary.value(b"host") == HOST
            assert primary.value(b"cookie") == b"a=1; b=2"
            assert primary.values(b"x-dup") == [b"1", b"2"]
            assert primary.body == b"12345"
            assert_shadow(primary, v2.one())
        assert client.exchange(b"GET", b"/serviceB/get").status == 200
        assert_shadow(v1.one(), v2.one())
        big = [(b"content-length", b"60000")]
        assert client.exchange(b"PUT", b"/serviceB/put", big, b"z" * 60000).status == 200
        primary = v1.one()
        assert primary.raw_body == b"z" * 60000
        assert_shadow(primary, v2.one())
