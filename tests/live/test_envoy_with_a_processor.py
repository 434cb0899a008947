"""`mirror-addon envoy --processor`: what real Envoy shows to a processor, and what it does not."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from envoytools.observer import Exchange
from envoytools.observer import Observer
from livetools.client import Client
from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.proxy import ROOT
from livetools.proxy import Tool
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.wire import lines

from mirror_addon.cli.rules_option import read_settings
from mirror_addon.envoy.route_names import NamedRoute
from mirror_addon.envoy.route_names import RouteNames
from mirror_addon.rules.rule_set import load_rule_set

COMMAND = [sys.executable, "-c", "from mirror_addon.cli.main import main; main()"]
RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /plain}}]
    route: [{destination: {host: v1}}]
  - match: [{uri: {prefix: /gone}}]
    directResponse: {status: 410}
  - match: [{uri: {prefix: /part}}]
    route: [{destination: {host: v1}, weight: 50}, {destination: {host: v1, subset: next}, weight: 50}]
    mirror: {host: v2}
    mirrorPercentage: {value: 20}
  - match: [{uri: {prefix: /few}}]
    route: [{destination: {host: v1}, weight: 50}, {destination: {host: v1, subset: next}, weight: 50}]
    mirror: {host: v2}
    mirror_percent: 20
  - match: [{uri: {prefix: /all}}]
    route: [{destination: {host: v1}}]
    rewrite: {uri: /served}
    mirror: {host: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: v1}
spec: {host: v1, subsets: [{name: next, labels: {version: next}}]}
"""


@dataclass
class Running:
    """A running Envoy, the rules that it has, and its processors."""

    address: tuple[str, int]
    admin: tuple[str, int]
    names: RouteNames
    observers: tuple[Observer, ...]

    def send(self, target: bytes, count: int = 1, fields: Callable[[int], tuple[bytes, ...]] = lambda _: ()) -> None:
        with Client(self.address) as client:
            for number in range(count):
                request = lines(b"GET %b HTTP/1.1" % target, b"Host: shop.test", *fields(number))
                assert client.exchange(request).status in (200, 410)

    def ask(self, path: bytes, method: bytes = b"GET") -> str:
        request = lines(b"%b %b HTTP/1.1" % (method, path), b"Host: admin", b"Content-Length: 0")
        return exchange(self.admin, request).body.decode()

    def observed(self) -> list[Exchange]:
        """All exchanges so far, once the processors have seen all that Envoy has begun."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [each for observer in self.observers for each in observer.exchanges]
            started = sum(stat["value"] for stat in self._stats() if stat["name"].endswith("streams_started"))
            if len(found) == started:
                return found
            assert time.monotonic() < deadline, f"{started} streams, {len(found)} seen to their end"

    def _stats(self) -> list[dict[str, int]]:
        return [stat for stat in json.loads(self.ask(b"/stats?filter=ext_proc&format=json"))["stats"] if "name" in stat]


@contextmanager
def running(folder: Path, primary: Recorder, mirror: Recorder, processors: int, *options: str) -> Iterator[Running]:
    folder.mkdir()
    (folder / "rules.yaml").write_text(RULES)
    given = [f"mirror_endpoints=v1={primary}", f"mirror_endpoints=v2={mirror}"]
    observers = tuple(Observer() for _ in range(processors))
    for observer in observers:
        observer.__enter__()
    try:
        addresses = ",".join(observer.address for observer in observers)
        with reserved_port() as admin:
            command = [*COMMAND, "envoy", "--rules", str(folder), "--listen", "127.0.0.1:0", "--processor", addresses]
            command += ["--admin", f"127.0.0.1:{admin}", *(part for each in given for part in ("--set", each))]
            with Tool([*command, *options, "--", "--concurrency", "1"], env={"PYTHONPATH": str(ROOT / "src")}) as tool:
                port = int(tool.wait_for(r"listening at 127\.0\.0\.1:(\d+)\n")[1])
                table = load_rule_set(read_settings([str(folder)], given), b"10.0.0.1").table
                yield Running(("127.0.0.1", port), ("127.0.0.1", admin), RouteNames(table), observers)
    finally:
        for observer in observers:
            observer.__exit__()


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, upstreams: tuple[Recorder, Recorder]) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("envoy") / "rules", *upstreams, 1, "--share", "100%") as found:
        yield found


def test_an_exchange_is_seen_as_a_whole(envoy: Running, v1: Recorder, v2: Recorder) -> None:
    before = len(envoy.observed())
    envoy.send(b"/all/x?q=1")
    (seen,) = envoy.observed()[before:]
    assert v1.one().target == b"/served/x?q=1"
    assert seen.observed
    assert seen.request[":path"] == "/all/x?q=1"  # before the router's rewrite
    assert (seen.response[":status"], seen.response_body) == ("200", b"ok")
    assert seen.metadata["x-mirror-share"] == "100"
    assert {"request.protocol", "source.address", "xds.route_name"} <= seen.attributes.keys()
    assert {"response.code_details", "response.flags", "xds.cluster_name", "upstream.address"} <= seen.attributes.keys()
    assert seen.attributes["response.code_details"] == "via_upstream"
    assert seen.attributes["upstream.address"] == str(v1)
    named = envoy.names.find(seen.attributes["xds.route_name"])
    assert named is not None and named.rule is not None
    assert (str(named.rule), named.sampled) == ("default/shop http[4]", None)
    assert v2.received == []  # Envoy itself does not mirror


def test_what_no_rule_mirrors_costs_no_stream(envoy: Running) -> None:
    before = len(envoy.observed())
    envoy.send(b"/plain/x")
    envoy.send(b"/gone")
    assert len(envoy.observed()) == before


def test_envoy_takes_the_share_of_the_rule(envoy: Running) -> None:
    before = len(envoy.observed())
    envoy.send(b"/part", 400)
    seen = envoy.observed()[before:]
    assert 30 < len(seen) < 150  # 80 +- 8
    named: NamedRoute | None = envoy.names.find(seen[0].attributes["xds.route_name"])
    assert named is not None and named.sampled is not None
    assert str(named.rule) == "default/shop http[2]"
    assert str(named.sampled) == "20 %"
    assert {each.attributes["xds.route_name"] for each in seen} == {"default/shop http[2] match[0] sampled"}


def test_the_draw_of_the_share_is_that_of_the_weights(envoy: Running) -> None:
    """A draw below 20 of 100 is one below 50 of 100, so that all of them go to the first destination."""
    before = len(envoy.observed())
    envoy.send(b"/few", 200)
    seen = envoy.observed()[before:]
    assert 10 < len(seen) < 80  # 40 +- 6
    assert {each.attributes["xds.cluster_name"] for each in seen} == {"outbound|0||v1.default.svc.cluster.local"}
    named = envoy.names.find(seen[0].attributes["xds.route_name"])
    assert named is not None and named.entry is not None
    route = named.entry.route
    chosen = [route.choose(named.draw(number)) for number in range(1000)]
    assert {each.target.at(0).subset for each in chosen if each is not None} == {""}


def test_the_share_is_changed_while_envoy_runs(envoy: Running) -> None:
    def share(percent: int) -> int:
        assert envoy.ask(b"/runtime_modify?mirror_addon.share=%d" % percent, b"POST").strip() == "OK"
        before = len(envoy.observed())
        envoy.send(b"/all", 200)
        return len(envoy.observed()) - before

    try:
        assert share(0) == 0
        assert 50 < share(50) < 150  # 100 +- 7
    finally:
        assert share(100) == 200


def test_a_client_stays_at_its_processor(tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    with running(tmp_path / "rules", v1, v2, 2, "--by-client", "x-user") as envoy:
        envoy.send(b"/all", 120, lambda number: (b"X-User: %d" % (number % 20),))
        assert len(envoy.observed()) == 120
        first, second = ({each.request["x-user"] for each in observer.exchanges} for observer in envoy.observers)
        assert not first & second
        assert first and second
        for observer in envoy.observers:
            observer.__exit__()
        envoy.send(b"/all", 20)  # without a processor no request fails


def test_both_at_once(tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    rules, record = tmp_path / "rules", tmp_path / "pairs.jsonl"
    rules.mkdir()
    (rules / "rules.yaml").write_text(RULES)
    given = [f"mirror_endpoints=v1={v1}", f"mirror_endpoints=v2={v2}", f"mirror_record={record}"]
    command = [*COMMAND, "envoy", "--rules", str(rules), "--listen", "127.0.0.1:0", "--processor"]
    command += [*(part for each in given for part in ("--set", each)), "--", "--concurrency", "1"]
    with Tool(command, env={"PYTHONPATH": str(ROOT / "src")}) as tool:
        port = int(tool.wait_for(r"envoy is listening at 127\.0\.0\.1:(\d+)\n")[1])
        request = lines(b"GET /all/x HTTP/1.1", b"Host: shop.test")
        assert exchange(("127.0.0.1", port), request).status == 200
        assert v1.one().target == v2.one().target == b"/served/x"
    (line,) = record.read_text().splitlines()
    assert json.loads(line)["verdict"] == "same"
    assert tool.process.returncode == 0
