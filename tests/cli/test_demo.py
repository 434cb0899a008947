from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from mirror_addon.cli.demo import _differing
from mirror_addon.cli.demo import _received
from mirror_addon.cli.demo import _run
from mirror_addon.cli.demo import demo
from mirror_addon.demo.run import EXAMPLE_RULES
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Received
from mirror_addon.demo.upstreams import Response


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is a child process, which has to import this package."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "src"))


@pytest.mark.long
def test_the_table() -> None:
    result = CliRunner().invoke(demo, [])
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 100
    assert result.output.count("istio.gateway.xxxx.tech-shadow") == 12
    assert "client  " in result.output and "where v2 differs" in result.output
    assert "same response" in result.output and "status 200 →" in result.output
    assert "12 requests: the client waited" in result.output


@pytest.mark.long
def test_problems_make_it_fail(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo, ["--rules", str(tmp_path)])
    assert result.exit_code == 1
    assert "NOT AS IT SHOULD BE: GET /request/info: v1 received nothing" in result.output
    assert result.output.count("not comparable") == 12


def test_a_proxy_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror_addon.py").write_text("raise SystemExit('broken installation')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = CliRunner().invoke(demo, [])
    assert result.exit_code == 1
    assert "Error: the proxy did not start:\nbroken installation" in result.output


def test_rules_that_are_not_there(tmp_path: Path) -> None:
    assert CliRunner().invoke(demo, ["--rules", str(tmp_path / "gone")]).exit_code == 2


async def test_ctrl_c_cancels_the_requests() -> None:
    task = asyncio.create_task(_run(Console(quiet=True), EXAMPLE_RULES, False))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(asyncio.CancelledError):
        await task


def test_cells() -> None:
    fields = ("X-Forwarded-For", "198.51.100.7,198.51.100.8"), ("Host", "b"), ("X-Forwarded-For", "1" * 30 + ",2")
    one = Exchange(Received("PUT", "/a", fields[:1], b"abc"), Response(200, {}, b""), 0.1)
    other = Exchange(Received("PUT", "/b", fields[1:], b""), Response(500, {}, b""), 0.3)
    assert str(_received(one)) == "PUT /a\n\nXFF 198.51.100.7,198.51.100.8\n3 B"
    assert str(_received(other)).splitlines()[-2:] == ["XFF " + "1" * 30 + ",", "    2"]
    assert str(_received(None)) == "nothing"
    assert str(_differing(one, other)) == ("target, body, X-Forwarded-For, Host\nstatus 200 → 500\n+200 ms")
    assert str(_differing(one, None)) == "not comparable"
