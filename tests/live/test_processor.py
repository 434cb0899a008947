"""`mirror-addon processor` behind real Envoy: shadows, verdicts and records, and that no client ever feels it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from livetools.client import exchange
from livetools.mesh import EnvoyTool
from livetools.mesh import Load
from livetools.mesh import ProcessorTool
from livetools.ports import reserved_port
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import lines

MIB = 1024 * 1024
RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /weights}}]
    route:
    - {destination: {host: v1}, weight: 50, headers: {request: {set: {x-to: one}}}}
    - {destination: {host: v1, subset: next}, weight: 50, headers: {request: {set: {x-to: two}}}}
    mirror: {host: v2}
    mirrorPercent: 50
  - match: [{uri: {prefix: /edited}}]
    route: [{destination: {host: v1}}]
    headers: {response: {set: {x-edited: by the route}, remove: [x-version]}}
    mirror: {host: v2}
  - match: [{uri: {prefix: /gone}}]
    route: [{destination: {host: nowhere}}]
    mirror: {host: v2}
  - match: [{uri: {prefix: /old}}]
    route: [{destination: {host: v1}}]
    rewrite: {uri: /new}
    mirror: {host: v2}
  - route: [{destination: {host: v1}}]
    mirror: {host: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: v1}
spec: {host: v1, subsets: [{name: next, labels: {version: next}}]}
"""
BIG = b"x" * 64 * MIB
OWN = {b"host", b"x-forwarded-for"}
"""What a shadow has of its own."""


@dataclass
class Mesh:
    """An Envoy whose processor is, or is not, at `port`."""

    envoy: EnvoyTool
    port: int
    rules: Path
    options: tuple[str, ...]
    v1: Recorder
    v2: Recorder

    def processor(self, *arguments: str) -> ProcessorTool:
        return ProcessorTool(self.rules, *self.options, *arguments, port=self.port)

    def ask(self, line: bytes, *fields: bytes, body: bytes = b"") -> int:
        request = lines(line + b" HTTP/1.1", b"Host: shop.test", *fields) + body
        return exchange(self.envoy.address, request).status

    def load(self, target: bytes = b"/x") -> Load:
        return Load(self.envoy.address, lines(b"GET %b HTTP/1.1" % target, b"Host: shop.test"))

    def big(self) -> list[int]:
        """64 MiB up, and 64 MiB down."""
        up = self.ask(b"PUT /up", b"Content-Length: %d" % len(BIG), body=BIG)
        self.v1.behave(answer(body=BIG))
        down = exchange(self.envoy.address, lines(b"GET /down HTTP/1.1", b"Host: shop.test"))
        self.v1.behave(answer())
        assert len(down.body) == len(BIG)
        return [up, down.status]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory, upstreams: tuple[Recorder, Recorder]) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yaml").write_text(RULES)
    v1, v2 = upstreams
    names = (f"v1={v1}", f"v2={v2}")
    options = tuple(part for name in names for part in ("--set", f"mirror_endpoints={name}"))
    with (
        reserved_port() as port,
        reserved_port() as admin,
        EnvoyTool(folder, *options, ports=(port,), admin=admin) as envoy,
    ):
        yield Mesh(envoy, port, folder, options, v1, v2)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_shadows_verdicts_and_records(mesh: Mesh, v1: Recorder, v2: Recorder, tmp_path: Path) -> None:
    v1.behave(answer(b"200 OK", b"X-Version: 1", b"Content-Type: application/json", body=b'{"a": 1}'))
    v2.behave(answer(b"200 OK", b"X-Version: 1", b"Content-Type: application/json", body=b'{"a": 2}'))
    record = tmp_path / "record.jsonl"
    with mesh.processor("--record", str(record)) as processor:
        assert mesh.ask(b"GET /old/x?q", b"X-Forwarded-For: 203.0.113.9", b"A: 1") == 200
        assert mesh.ask(b"POST /counted", b"Content-Length: 4", body=b"body") == 200
        chunked = b"4\r\nbody\r\n0\r\n\r\n"
        assert mesh.ask(b"POST /chunked", b"Transfer-Encoding: chunked", body=chunked) == 200
        assert mesh.ask(b"PUT /long", b"Content-Length: %d" % MIB, body=bytes(MIB)) == 200
        assert mesh.ask(b"GET /edited") == 200
        assert mesh.ask(b"GET /gone") == 503
        processor.wait_until(lambda found: found['mirror_processor_streams_ended_total{how="complete"}'] == 5)
    assert processor.totals["sent"] == 5
    assert processor.totals["skipped.local_reply"] == 1
    for primary in v1.received:
        shadow = next(each for each in v2.received if each.target == primary.target)
        assert (shadow.method, shadow.body) == (primary.method, primary.body)
        assert shadow.value(b"host") == b"shop.test-shadow"
        hops = primary.value(b"x-forwarded-for") or b""
        assert (shadow.value(b"x-forwarded-for") or b"").rpartition(b",")[0] == hops
        sides = [
            sorted((name.lower(), value) for name, value in side.headers if name.lower() not in OWN)
            for side in (primary, shadow)
        ]
        assert sides[0] == sides[1]
    found = {each["url"]: each for each in records(record)}
    assert found.keys() == {f"http://shop.test/{path}" for path in ("old/x?q", "counted", "chunked", "long", "edited")}
    for line in found.values():
        different = [each["path"] for each in line["differences"] if not each["noise"]]
        assert (line["verdict"], different) == ("different", ["$.a"])  # what the route edits is no difference
        assert (line["route"], line["target"], line["primary"]["clock"]) == ("v1", "v2", "program")
    assert found["http://shop.test/old/x?q"]["rule"] == "default/shop http[3]"
    assert found["http://shop.test/counted"]["client"].startswith("127.0.0.1:")


def test_the_draw_is_envoys(mesh: Mesh, v1: Recorder, v2: Recorder) -> None:
    """Half of the requests go to each version, and Envoy's own mirror would get the first half alone."""
    with mesh.processor() as processor, mesh.load(b"/weights") as load:
        load.wait_for(60)
    assert load.statuses.keys() == {200}
    assert processor.totals["skipped"] == 0
    mirrored = {each.value(b"x-to") for each in v2.received}
    assert mirrored <= {b"one"}
    assert {each.value(b"x-to") for each in v1.received} <= {b"one", b"two"}


def test_a_processor_that_is_not_there(mesh: Mesh) -> None:
    before = mesh.envoy.stat("http.ingress.ext_proc.failure_mode_allowed")
    with mesh.load() as load:
        load.wait_for(100)
    assert load.statuses.keys() == {200}
    assert mesh.big() == [200, 200]
    # What docs/reference/processor.md says of Envoy's counters.
    assert mesh.envoy.stat("http.ingress.ext_proc.failure_mode_allowed") - before == load.count + 2
    told = ("upstream_rq_total", "upstream_rq_active_overflow", "upstream_cx_connect_fail")
    names = {"http.ingress.ext_proc.streams_failed", *(f"cluster.mirror_processor.{name}" for name in told)}
    assert names <= mesh.envoy.names()


@pytest.mark.long
def test_64_mib_both_ways_with_a_processor(mesh: Mesh, v2: Recorder) -> None:
    with mesh.processor() as processor:
        assert mesh.big() == [200, 200]
        processor.wait_until(lambda found: found["mirror_processor_streams_open"] == 0)
    up = next(each for each in v2.received if each.method == b"PUT")
    assert up.body == BIG
    assert processor.totals["offered"] == 2


def test_a_processor_that_has_stopped(mesh: Mesh) -> None:
    with mesh.processor() as processor:
        with mesh.load() as load:
            load.wait_for(20)
            processor.process.send_signal(signal.SIGSTOP)
            load.wait_for(100)
        try:
            assert mesh.big() == [200, 200]
        finally:
            processor.process.send_signal(signal.SIGCONT)
    assert load.statuses.keys() == {200}


@pytest.mark.long
def test_a_processor_that_is_killed_again_and_again(mesh: Mesh) -> None:
    with mesh.load() as load:
        for _ in range(2):
            processor = mesh.processor()
            load.wait_for(30)
            processor.kill()
            load.wait_for(30)
    assert load.statuses.keys() == {200}


def test_a_processor_that_ends_in_order_loses_nothing(mesh: Mesh, tmp_path: Path) -> None:
    """What it has accepted is in the record; the rest goes on without."""
    record = tmp_path / "record.jsonl"
    with mesh.processor("--record", str(record)) as processor, mesh.load() as load:
        load.wait_for(100)
        processor.process.send_signal(signal.SIGTERM)
        assert processor.finish() == 0
        load.wait_for(30)
    assert load.statuses.keys() == {200}
    totals = processor.totals
    assert totals["requests"] == totals["offered"] == totals["sent"] == len(records(record))
    assert {each["primary"]["status"] for each in records(record)} == {200}


def test_a_processor_that_answers_nonsense_slowly(mesh: Mesh) -> None:
    """Each message is answered late, with bytes that are no ProcessingResponse, and with one that asks for a 503."""

    def process(requests: Any, _: Any) -> Iterator[bytes]:
        for number, _message in enumerate(requests):
            time.sleep(0.05)
            yield b"\xff\xff" if number % 2 else b"\x3a\x05\x0a\x03\x08\xf7\x03"  # immediate_response {status: 503}

    server = grpc.server(ThreadPoolExecutor(16))
    handler = grpc.stream_stream_rpc_method_handler(process)
    service = "envoy.service.ext_proc.v3.ExternalProcessor"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Process": handler})])
    assert server.add_insecure_port(f"127.0.0.1:{mesh.port}")
    server.start()
    try:
        with mesh.load() as load:
            load.wait_for(200)
    finally:
        server.stop(None).wait()
    assert load.statuses.keys() == {200}


def test_something_that_is_no_processor(mesh: Mesh) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", mesh.port))
        listener.listen()
        listener.settimeout(0.05)
        stopped = threading.Event()

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x00\xff\x00\xff\x00")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with mesh.load() as load:
                load.wait_for(100)
            assert mesh.big() == [200, 200]
        finally:
            stopped.set()
            thread.join(PATIENCE)
    assert load.statuses.keys() == {200}


@pytest.mark.long
def test_a_processor_that_wants_a_certificate(mesh: Mesh, authority: Any) -> None:
    certificate, key = authority.issue("127.0.0.1")
    tls = ("--tls-certificate", str(certificate), "--tls-key", str(key), "--tls-client-ca", str(authority.path))
    with mesh.processor(*tls) as processor, mesh.load() as load:
        load.wait_for(100)
        assert processor.metrics()["mirror_processor_streams_total"] == 0
    assert load.statuses.keys() == {200}
