from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from mirror_addon.demo.proxy import DemoError
from mirror_addon.demo.proxy import Proxy
from mirror_addon.demo.proxy import running
from mirror_addon.demo.run import EXAMPLE_RULES
from mirror_addon.demo.traffic import ASKS
from mirror_addon.demo.traffic import send
from mirror_addon.demo.upstreams import Upstream


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is a child process, which has to import this package."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "src"))


async def test_requests_reach_both_upstreams_and_a_proxy_that_ended_is_left_alone() -> None:
    async with Upstream("v1", 0.0) as v1, Upstream("v2", 0.0) as v2:
        async with running(EXAMPLE_RULES, v1, v2, web=False) as proxy:
            assert (proxy.address[0], proxy.url) == ("127.0.0.1", "")
            await asyncio.to_thread(send, proxy.address, ASKS[0])
            assert await v1.next(10) is not None
            assert await v2.next(10) is not None
            os.kill(proxy.process.pid, signal.SIGKILL)
            await proxy.process.wait()
        assert proxy.process.returncode == -signal.SIGKILL
        assert "proxy listening at 127.0.0.1" in proxy.output


async def test_a_proxy_that_does_not_start_shows_its_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror_addon.py").write_text("raise SystemExit('broken installation')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with Upstream("v1", 0.0) as v1, Upstream("v2", 0.0) as v2:
        with pytest.raises(DemoError, match="the proxy did not start:\nbroken installation"):
            async with running(EXAMPLE_RULES, v1, v2, web=False):
                pytest.fail("it started")


async def test_a_proxy_that_ignores_ctrl_c_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirror_addon.demo.proxy._ENDS_WITHIN", 0.1)
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    await Proxy(process).stop()
    assert process.returncode == -signal.SIGKILL
