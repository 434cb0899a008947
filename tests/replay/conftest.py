from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from mirror_addon.cli.rules_option import read_settings
from mirror_addon.replay.order import Repeats
from mirror_addon.replay.planner import Choices
from mirror_addon.replay.player import Pace
from mirror_addon.replay.setup import Setup
from mirror_addon.rules.rule_set import load_rule_set

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
  annotations: {mirror-addon/when: "! ~u /private", mirror-addon/ignore: "$.at"}
spec:
  hosts: [shop.example]
  http:
  - match: [{uri: {prefix: /half}}]
    route: [{destination: {host: one.example}}]
    mirror: {host: two.example}
    mirrorPercentage: {value: 50}
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: one.example}}]
    mirror: {host: none.example}
    mirrorPercentage: {value: 0}
  - route: [{destination: {host: one.example}}]
    mirrors:
    - destination: {host: two.example}
    - destination: {host: two.example}
      percentage: {value: 0}
"""
RECORDED, ONCE = Pace(), Repeats()


@pytest.fixture
def setup(tmp_path: Path) -> Callable[..., Setup]:
    """A setup with these rules, whose mirror listens on `port`; options are written as after `--set`."""

    def make(port: int = 9, *options: str, pace: Pace = RECORDED, repeats: Repeats = ONCE, **choices: Any) -> Setup:
        (tmp_path / "rules.yaml").write_text(RULES)
        hosts = (("one", 9), ("two", port))
        endpoints = [f"mirror_endpoints={name}.example=127.0.0.1:{number}" for name, number in hosts]
        settings = read_settings([str(tmp_path / "rules.yaml")], [*endpoints, *options])
        table = load_rule_set(settings, b"10.0.0.1").table
        return Setup(settings, table, b"10.0.0.1", pace, repeats, Choices(**choices))

    return make


@pytest.fixture
def capture(tmp_path: Path) -> Callable[..., Path]:
    """Writes mitmproxy's dump of GET requests for these paths, a second apart, each on a connection of its own."""

    def write(paths: Iterable[str] = ("/a",), gap: float = 1.0, body: bytes = b"ok", name: str = "a.mitm") -> Path:
        with (tmp_path / name).open("wb") as file:
            writer = FlowWriter(file)
            for number, path in enumerate(paths):
                flow = tflow.tflow(resp=True)
                flow.request.headers["host"] = "shop.example"
                flow.request.path = path
                flow.request.timestamp_start = 1000.0 + number * gap
                flow.request.timestamp_end = flow.request.timestamp_start + 0.1
                flow.client_conn.timestamp_tls_setup = None
                assert flow.response is not None
                flow.response.content = body
                flow.response.headers.clear()
                flow.response.headers["content-length"] = str(len(body))
                writer.add(flow)
        return tmp_path / name

    return write
