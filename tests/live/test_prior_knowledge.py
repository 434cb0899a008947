"""Plaintext HTTP/2 with prior knowledge: real gRPC clients and servers, one mitmweb for all calls, several modes."""

from __future__ import annotations

import json
import queue
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NamedTuple

import grpc
import h2.connection
import h2.events
import pytest
from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.shop import Shop
from livetools.web import Web
from livetools.wire import Stream
from livetools.wire import lines

RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /test.Shop/}}]
    route:
    - destination: {host: shop, subset: v1, port: {number: 80}}
      headers: {request: {set: {x-routed: "yes"}}}
    mirror: {host: shop, subset: v2, port: {number: 80}}
  - route: [{destination: {host: shop, subset: v1, port: {number: 8080}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: unsaid}
spec:
  hosts: [unsaid.test]
  http:
  - route: [{destination: {host: unsaid, subset: v1}}]
    mirror: {host: unsaid, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: picky
  annotations: {mirror-addon/when: "~c 200 & ~bq wanted & ~bs wanted"}
spec:
  hosts: [picky.test]
  http:
  - route: [{destination: {host: unsaid, subset: v1}}]
    mirror: {host: unsaid, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - {name: v1, labels: {v: "1"}}
  - {name: v2, labels: {v: "2"}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop}
spec:
  hosts: [shop.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: grpc, protocol: GRPC}, {number: 8080, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, labels: {v: "1"}, ports: {grpc: %d, http: %d}}
  - {address: 127.0.0.1, labels: {v: "2"}, ports: {grpc: %d, http: %d}}
"""
MODES = ["regular", "reverse", "connect"]


class Stage(NamedTuple):
    web: Web
    ports: dict[str, int]
    v1: Shop
    v2: Shop
    web1: Recorder
    record: Path

    def channel(self, mode: str, host: str = "shop.test") -> Any:
        if mode == "connect":
            proxied = [("grpc.http_proxy", f"http://127.0.0.1:{self.ports['regular']}")]
            return grpc.insecure_channel(f"{host}:80" if ":" not in host else host, proxied)
        direct = [("grpc.default_authority", host), ("grpc.enable_http_proxy", 0)]
        return grpc.insecure_channel(f"127.0.0.1:{self.ports[mode]}", direct)

    def flows(self, path: str) -> list[Any]:
        return [flow for flow in self.web.call("GET", "/flows") if flow["request"]["path"] == path]

    def recorded(self) -> list[Any]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]


@pytest.fixture(scope="module")
def stage(confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("prior")
    with Shop(b"v1 ") as v1, Shop(b"v2 ") as v2, Recorder() as web1, Recorder() as web2:
        (folder / "rules.yaml").write_text(RULES % (v1.port, web1.port, v2.port, web2.port))
        options = [
            f"mirror_rules={folder / 'rules.yaml'}",
            f"mirror_record={folder / 'record.jsonl'}",
            "mirror_record_bodies=true",
            f"mirror_endpoints=unsaid/v1=127.0.0.1:{v1.port}",
            f"mirror_endpoints=unsaid/v2=127.0.0.1:{v2.port}",
        ]
        arguments = [part for option in options for part in ("--set", option)]
        with reserved_port() as reverse, reserved_port() as socks:
            modes = ["regular", f"reverse:http://127.0.0.1:{v1.port}@{reverse}", f"socks5@{socks}"]
            running = Web(confdir, *(part for mode in modes for part in ("--mode", mode)), *arguments)
        with running as web:
            ports = {"regular": web.address[1], "reverse": reverse, "socks5": socks}
            yield Stage(web, ports, v1, v2, web1, folder / "record.jsonl")


@pytest.mark.parametrize("mode", MODES)
def test_twenty_calls_of_each_kind(stage: Stage, mode: str) -> None:
    with stage.channel(mode) as channel:
        for number in range(5):
            sent = b"m%d" % number
            found, call = channel.unary_unary("/test.Shop/Unary").with_call(sent, timeout=PATIENCE)
            assert (found, call.code()) == (b"v1 " + sent, grpc.StatusCode.OK)
            assert channel.stream_unary("/test.Shop/Collect")(iter([sent] * 3), timeout=PATIENCE) == b"v1 3"
            fed = channel.unary_stream("/test.Shop/Feed")(sent, timeout=PATIENCE)
            assert list(fed) == [b"v1 %b%d" % (sent, n) for n in range(3)]
            assert dict(fed.trailing_metadata())["x-fed"] == "3"
            chat = channel.stream_stream("/test.Shop/Chat")(iter([sent] * 3), timeout=PATIENCE)
            assert list(chat) == [b"v1 " + sent] * 3
    calls = [[stage_side.one() for _ in range(20)] for stage_side in (stage.v1, stage.v2)]
    for call in calls[0]:
        assert call[2]["x-routed"] == "yes"
    assert sorted(call[:2] for call in calls[0]) == sorted(call[:2] for call in calls[1])


def test_a_dialogue(stage: Stage) -> None:
    """The client waits for each response before it sends again; the shadow gets each message as it comes."""
    messages: queue.Queue[bytes | None] = queue.Queue()
    with stage.channel("reverse") as channel:
        answers = channel.stream_stream("/test.Shop/Chat")(iter(messages.get, None), timeout=PATIENCE)
        for number in range(5):
            messages.put(b"turn %d" % number)
            assert next(answers) == b"v1 turn %d" % number
        messages.put(None)
        assert list(answers) == []
        assert answers.code() is grpc.StatusCode.OK
    said = [b"turn %d" % number for number in range(5)]
    assert stage.v1.one()[1] == stage.v2.one()[1] == said


def test_what_flows_and_record_show(stage: Stage) -> None:
    with stage.channel("regular") as channel:
        channel.stream_unary("/test.Shop/Collect")(iter([b"shown"] * 7), timeout=PATIENCE)
    stage.v1.one(), stage.v2.one()
    stage.web.wait_until(lambda: any(line["primary"].get("body", "").endswith("v1 7") for line in stage.recorded()))
    line = next(line for line in stage.recorded() if line["primary"].get("body", "").endswith("v1 7"))
    assert (line["primary"]["bytes"], line["shadow"]["bytes"]) == (9, 9)
    assert line["verdict"] == "different"
    assert dict(line["primary"]["headers"])["grpc-status"] == dict(line["shadow"]["headers"])["grpc-status"] == "0"
    stage.web.wait_until(lambda: len(stage.flows("/test.Shop/Collect")) % 2 == 0)
    primary, shadow = stage.flows("/test.Shop/Collect")[-2:]
    assert primary["request"]["contentLength"] == 7 * 10
    assert primary["response"]["contentLength"] == shadow["response"]["contentLength"] == 9
    assert "200 vs 200 · 1 difference" in shadow["comment"]


def test_errors_deadlines_and_cancellation(stage: Stage) -> None:
    with stage.channel("regular") as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/test.Shop/Refuse")(b"x", timeout=PATIENCE)
        assert (refused.value.code(), refused.value.details()) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "closed today",
        )
        assert stage.v1.one()[:2] == stage.v2.one()[:2]
        with pytest.raises(grpc.RpcError) as absent:
            channel.unary_unary("/test.Shop/Absent")(b"x", timeout=PATIENCE)
        assert absent.value.code() is grpc.StatusCode.UNIMPLEMENTED

        messages: queue.Queue[bytes | None] = queue.Queue()
        hanging = channel.stream_stream("/test.Shop/Hang")(iter(messages.get, None), timeout=PATIENCE)
        messages.put(b"here")
        assert next(hanging) == b"v1 here"
        assert stage.v2.one()[1] == [b"here"]
        hanging.cancel()
        assert stage.v1.end() == stage.v2.end() == "gone"
        messages.put(None)

        late = channel.stream_stream("/test.Shop/Hang")(iter([b"late"]), timeout=3)
        assert next(late) == b"v1 late"
        with pytest.raises(grpc.RpcError) as expired:
            list(late)
        assert expired.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert stage.v1.end() == "gone"
    for shop in (stage.v1, stage.v2):
        shop.calls.clear()


def test_http1_beside_it(stage: Stage) -> None:
    for mode in ("regular", "reverse"):
        target = b"http://shop.test/page" if mode == "regular" else b"/page"
        request = lines(b"GET " + target + b" HTTP/1.1", b"Host: shop.test")
        assert exchange(("127.0.0.1", stage.ports[mode]), request).body == b"ok"
        assert stage.web1.one().target == b"/page"


@pytest.mark.parametrize("mode", ["regular", "connect"])
def test_a_host_that_no_rule_names(stage: Stage, mode: str) -> None:
    with stage.channel(mode, f"127.0.0.1:{stage.v1.port}") as channel:
        chat = channel.stream_stream("/test.Shop/Chat")(iter([b"a", b"b"]), timeout=PATIENCE)
        assert list(chat) == [b"v1 a", b"v1 b"]
    assert "x-routed" not in stage.v1.one()[2]
    assert stage.v2.calls == []


def test_a_port_that_says_nothing(stage: Stage) -> None:
    """There is no gRPC over HTTP/1."""
    with stage.channel("regular", "unsaid.test") as channel:
        assert channel.unary_unary("/test.Shop/Unary")(b"x", timeout=PATIENCE) == b"v1 x"
    assert stage.v1.one()[1] == stage.v2.one()[1] == [b"x"]


def test_a_filter_over_messages(stage: Stage) -> None:
    with stage.channel("regular", "picky.test") as channel:
        for message in (b"other", b"wanted"):
            assert channel.unary_unary("/test.Shop/Unary")(message, timeout=PATIENCE) == b"v1 " + message
            assert stage.v1.one()[1] == [message]
    assert stage.v2.one()[1] == [b"wanted"]


def test_socks5(stage: Stage) -> None:
    """Any destination: no rule has this host, and the server is where the client says it is."""
    with socket.create_connection(("127.0.0.1", stage.ports["socks5"])) as client:
        client.sendall(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + stage.v1.port.to_bytes(2, "big"))
        state = h2.connection.H2Connection()
        state.initiate_connection()
        head = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/test.Shop/Unary")]
        state.send_headers(1, [*head, ("content-type", "application/grpc"), ("te", "trailers")])
        state.send_data(1, b"\0\0\0\0\x01x", end_stream=True)
        stream = Stream(client)
        assert len(stream.exactly(2 + 10)) == 12
        client.sendall(state.data_to_send())
        client.settimeout(PATIENCE)
        events: list[h2.events.Event] = []
        while not any(isinstance(event, h2.events.StreamEnded) for event in events):
            events += state.receive_data(client.recv(65536))
    assert b"v1 x" in b"".join(event.data or b"" for event in events if isinstance(event, h2.events.DataReceived))
    assert stage.v1.one()[1] == [b"x"]


def test_keepalive_pings_and_many_calls_at_once(stage: Stage) -> None:
    options = [("grpc.default_authority", "shop.test"), ("grpc.keepalive_time_ms", 1000)]
    options += [("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{stage.ports['regular']}", options) as channel:
        call = channel.unary_unary("/test.Shop/Unary")
        waiting = [call.future(b"%d" % number, timeout=PATIENCE) for number in range(50)]
        assert [each.result() for each in waiting] == [b"v1 %d" % number for number in range(50)]
    for shop in (stage.v1, stage.v2):
        assert sorted(shop.one()[1][0] for _ in range(50)) == sorted(b"%d" % number for number in range(50))


def test_the_books(stage: Stage) -> None:
    status = stage.web.command("mirror.status")
    counters = dict(re.findall(r"^(\S+) (\d+)$", status, re.MULTILINE))
    assert counters.get("failed", "0") == "0", status
