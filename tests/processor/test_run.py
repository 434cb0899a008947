from __future__ import annotations

import asyncio
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from processortools import exchange
from processortools import settings_of

from mirror_addon.processor.run import Setup
from mirror_addon.processor.run import run
from mirror_addon.rules.live import RulesRefused

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: v1}}]
    mirror: {host: m1}
"""


def setup(folder: Path, **values: Any) -> Setup:
    (folder / "rules.yaml").write_text(RULES)
    endpoints = ["m1=127.0.0.1:9"]
    settings = settings_of(rules=[str(folder / "rules.yaml")], endpoints=endpoints, **values)
    return Setup(settings, "", b"192.0.2.1", ("127.0.0.1", 0), ("127.0.0.1", 0), None)


async def test_a_whole_life(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rules are read again when they change; at the end all is counted, and a second signal is not needed."""
    caplog.set_level("INFO", "mirror_addon")
    told: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
    record = tmp_path / "record.jsonl"
    running = asyncio.create_task(
        run(
            setup(tmp_path, record=str(record), drain="30s"),
            lambda address, metrics: told.set_result((address, metrics)),
        )
    )
    address, metrics = await asyncio.wait_for(told, 30)
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream("/envoy.service.ext_proc.v3.ExternalProcessor/Process")()
        for message in exchange(route="default/shop http[0]"):
            await call.write(message)
        assert await call.code() is grpc.StatusCode.OK

    def ask() -> str:
        with urllib.request.urlopen(f"{metrics}/metrics", timeout=10) as response:
            return str(response.read().decode())

    assert "mirror_processor_streams_total 1.0" in await asyncio.to_thread(ask)
    changed = asyncio.Event()

    async def look() -> None:
        while "reloaded" not in caplog.text:
            await asyncio.sleep(0.02)
        changed.set()

    (tmp_path / "rules.yaml").write_text(RULES.replace("m1", "m1-gone"))
    await asyncio.wait_for(look(), 30)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 30)
    assert "failed.connect 1" in caplog.text
    assert record.read_text().count("\n") == 1


async def test_rules_that_are_refused_start_nothing(tmp_path: Path) -> None:
    made = setup(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES.replace("hosts: [shop.test]", "hosts: [shop.test"))
    with pytest.raises(RulesRefused):
        await run(made, lambda *_: None)


async def test_an_address_that_cannot_be_had(tmp_path: Path) -> None:
    made = setup(tmp_path)
    taken = Setup(made.settings, "", b"192.0.2.1", ("192.0.2.77", 1), None, None)
    with pytest.raises(OSError, match="cannot listen"):
        await run(taken, lambda *_: None)
