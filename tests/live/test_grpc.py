"""gRPC through mitmdump, real clients and servers: v1 speaks TLS, the mirror HTTP/2 without it, or TLS too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.shop import Call
from livetools.shop import Shop

HOST = "shop.test"
RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /test.Shop/}}]
    route:
    - destination: {host: shop, subset: v1}
      headers: {request: {set: {x-routed: "yes"}}}
    mirror: {host: shop, subset: %s}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - {name: v1, labels: {v: "1"}, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}}
  - {name: plain, labels: {v: "2"}}
  - {name: secure, labels: {v: "3"}, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop}
spec:
  hosts: [shop.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 443, name: grpc, protocol: GRPC}]
  endpoints:
  - {address: 127.0.0.1, labels: {v: "1"}, ports: {grpc: %d}}
  - {address: 127.0.0.1, labels: {v: "2"}, ports: {grpc: %d}}
  - {address: 127.0.0.1, labels: {v: "3"}, ports: {grpc: %d}}
"""


@pytest.fixture(params=["plain", "secure"])
def shop(
    request: pytest.FixtureRequest, confdir: Path, tmp_path: Path, authority: Any
) -> Iterator[tuple[Any, Shop, Shop]]:
    """A channel to the proxy, v1 and the mirror."""
    certificate = authority.issue(HOST, "127.0.0.1")
    with Shop(b"v1 ", certificate) as v1, Shop(b"v2 ", certificate if request.param == "secure" else None) as v2:
        (tmp_path / "rules.yaml").write_text(RULES % (request.param, v1.port, v2.port, v2.port))
        arguments = ("--mode", "reverse:http://127.0.0.1:9", "--set", f"mirror_rules={tmp_path / 'rules.yaml'}")
        arguments += ("--set", f"mirror_record={tmp_path / 'record.jsonl'}", "--set", "mirror_record_bodies=true")
        with Proxy(confdir, *arguments) as proxy:
            credentials = grpc.ssl_channel_credentials((confdir / "mitmproxy-ca-cert.pem").read_bytes())
            options = [("grpc.ssl_target_name_override", HOST), ("grpc.default_authority", HOST)]
            with grpc.secure_channel(f"127.0.0.1:{proxy.address[1]}", credentials, options) as channel:
                yield channel, v1, v2
            assert proxy.interrupt() == 0
        assert proxy.totals["offered"] == proxy.totals["sent"]


def assert_same(v1: Shop, v2: Shop) -> Call:
    primary, shadow = v1.one(), v2.one()
    assert shadow[:2] == primary[:2]
    metadata = shadow[2]
    hops = metadata.pop("x-forwarded-for").split(",")
    assert primary[2].pop("x-forwarded-for") == hops[0]
    assert metadata == primary[2]
    assert metadata["x-routed"] == "yes"
    return primary


def test_unary(shop: tuple[Any, Shop, Shop]) -> None:
    channel, v1, v2 = shop
    call = channel.unary_unary("/test.Shop/Unary")
    for message in (b"", b"one", bytes(range(256)) * 4000):
        metadata = (("x-tenant", "a"), ("x-tenant", "b"), ("x-bin", b"\x00\xff"))
        answer, state = call.with_call(message, metadata=metadata, timeout=PATIENCE)
        assert (answer, state.code()) == (b"v1 " + message, grpc.StatusCode.OK)
        assert assert_same(v1, v2)[1] == [message]


@pytest.mark.parametrize("method", ["Collect", "Chat"])
def test_streams_of_requests(shop: tuple[Any, Shop, Shop], method: str) -> None:
    channel, v1, v2 = shop
    messages = [b"m%d" % number * (number * 500 + 1) for number in range(30)]
    if method == "Collect":
        assert channel.stream_unary("/test.Shop/Collect")(iter(messages), timeout=PATIENCE) == b"v1 30"
    else:
        answers = channel.stream_stream("/test.Shop/Chat")(iter(messages), timeout=PATIENCE)
        assert list(answers) == [b"v1 " + message for message in messages]
    assert assert_same(v1, v2)[1] == messages


def test_errors_are_those_of_the_primary(shop: tuple[Any, Shop, Shop]) -> None:
    channel, v1, v2 = shop
    call: Callable[..., bytes] = channel.unary_unary("/test.Shop/Refuse")
    with pytest.raises(grpc.RpcError) as refused:
        call(b"x", timeout=PATIENCE)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.value.details() == "closed today"
    assert_same(v1, v2)


def test_how_a_call_ended_is_recorded(shop: tuple[Any, Shop, Shop], tmp_path: Path) -> None:
    """It stands in the trailers, or in the header of an answer that is nothing else."""
    channel, *_ = shop
    channel.unary_unary("/test.Shop/Unary")(b"x", timeout=PATIENCE)
    with pytest.raises(grpc.RpcError):
        channel.unary_unary("/test.Shop/Refuse")(b"x", timeout=PATIENCE)
    with pytest.raises(grpc.RpcError):
        channel.unary_unary("/test.Shop/Absent")(b"x", timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while len(lines := (tmp_path / "record.jsonl").read_text().splitlines()) < 3:
        assert time.monotonic() < deadline, lines
        time.sleep(0.05)
    for side in ("primary", "shadow"):
        ends = {}
        for line in map(json.loads, lines):
            fields = dict(line[side]["headers"])
            ends[line["url"].rpartition("/")[2]] = (line[side]["status"], fields["grpc-status"])
        assert ends == {"Unary": (200, "0"), "Refuse": (200, "9"), "Absent": (200, "12")}
