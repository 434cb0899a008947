from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest
from messagetools import descriptors

from mirror_addon.cli.rules_option import read_settings
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring import reflected_types
from mirror_addon.mirroring.reflected_types import ReflectedTypes
from mirror_addon.processes.job import JobCancelled
from mirror_addon.processes.job import JobFailed
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.rule_set import load_rule_set

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec: {hosts: [shop.test], http: [{route: [{destination: {host: shop}}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop}
spec:
  hosts: [shop.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: grpc, protocol: GRPC}]
  endpoints: [{address: 127.0.0.1, ports: {grpc: 1}}]
"""


@pytest.fixture
def table(tmp_path: Path) -> RouteTable:
    (tmp_path / "rules.yaml").write_text(RULES)
    return load_rule_set(read_settings([str(tmp_path)], ()), b"").table


def call(table: RouteTable, path: bytes, host: bytes = b"shop.test") -> Exchange:
    request = Request(b"POST", b"http", host, path, ((b"content-type", b"application/grpc"),), 80)
    return Exchange(table, request, 0, table.route(request, 0))


class Jobs:
    """In the place of the child process, which tests/worker/test_reflection.py tests."""

    result: bytes | Exception = b"types"

    def __init__(self, *_: object) -> None:
        self.done = 0
        self.closed = False

    def run(self, data: bytes) -> bytes:
        self.done += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def close(self) -> None:
        self.closed = True


async def settled(types: ReflectedTypes) -> None:
    deadline = time.monotonic() + 10
    while types._tasks:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_each_service_is_asked_for_once(table: RouteTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflected_types, "ChildJobs", Jobs)
    found: list[bytes] = []
    types = ReflectedTypes(found.append, descriptors)
    for path in (b"/a.B/C", b"/a.B/D", b"/a.E/F?x", b"/grpc.health.v1.Health/Check", b"/shop.Shop/Get"):
        types.note(call(table, path))
    types.note(call(table, b"/x.Y/Z", b"elsewhere.test"))
    await settled(types)
    assert found == [b"types", b"types"]
    assert types._jobs.done == 2, "what is known is not asked for"  # type: ignore[attr-defined]
    monkeypatch.setattr(reflected_types, "MAX_SERVICES", 0)
    types.note(call(table, b"/new.One/C"))
    assert not types._tasks
    types.close()
    assert types._jobs.closed  # type: ignore[attr-defined]


async def test_failures(table: RouteTable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(reflected_types, "ChildJobs", Jobs)
    types = ReflectedTypes(pytest.fail, lambda: b"")
    with caplog.at_level(logging.INFO):
        for number, result in enumerate((JobFailed("no"), JobCancelled("it was cancelled"), b"")):
            monkeypatch.setattr(Jobs, "result", result)
            types.note(call(table, b"/a.B%d/C" % number))
            await settled(types)
    assert [each.message for each in caplog.records if "types" in each.message] == [
        "mirror: shop does not tell the types of a.B0: no"
    ]


async def test_a_server_that_is_not_there(table: RouteTable, caplog: pytest.LogCaptureFixture) -> None:
    types = ReflectedTypes(pytest.fail, lambda: b"")
    types.note(call(table, b"/a.B/C"))
    await settled(types)
    assert "does not tell the types of a.B: ConnectError" in caplog.text
    types.note(call(table, b"/a.C/C"))
    types.close()
    await settled(types)
