from __future__ import annotations

import asyncio
import socket
import urllib.request
from collections.abc import AsyncIterator
from http.client import HTTPResponse
from urllib.error import HTTPError

import pytest

from mirror_addon.processor.monitor import Monitor

READY = {"": True}


@pytest.fixture
async def monitor() -> AsyncIterator[Monitor]:
    running = Monitor("127.0.0.1", 0, lambda accept: lambda: (b"m 1\n" + accept.encode(), "text/x"), lambda: READY[""])
    yield running
    await running.close()


async def get(url: str) -> tuple[int, str, bytes]:
    def ask() -> tuple[int, str, bytes]:
        request = urllib.request.Request(url, headers={"Accept": "a/b"})
        try:
            response: HTTPResponse
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers["Content-Type"], response.read()
        except HTTPError as error:
            with error:
                return error.code, "", error.read()

    return await asyncio.to_thread(ask)


async def test_metrics(monitor: Monitor) -> None:
    assert await get(f"{monitor.url}/metrics") == (200, "text/x", b"m 1\na/b")


async def test_probes(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await get(f"{monitor.url}/ready"))[::2] == (200, b"yes\n")
    monkeypatch.setitem(READY, "", False)
    assert (await get(f"{monitor.url}/ready"))[::2] == (503, b"no\n")
    assert (await get(f"{monitor.url}/healthy"))[0] == 200
    assert (await get(f"{monitor.url}/"))[0] == 404


async def test_a_taken_port(monitor: Monitor) -> None:
    port = int(monitor.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        Monitor("127.0.0.1", port, lambda _: lambda: (b"", ""), lambda: True)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
async def test_ipv6() -> None:
    running = Monitor("::1", 0, lambda _: lambda: (b"", ""), lambda: True)
    try:
        assert (await get(f"{running.url}/ready"))[0] == 200
    finally:
        await running.close()
