from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from mirror_addon.cli.demo import _run
from mirror_addon.cli.demo import demo
from mirror_addon.cli.demo_story import Story
from mirror_addon.demo.run import EXAMPLE_RULES
from mirror_addon.display.console import SafeConsole


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is a child process, which has to import this package."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "src"))


@pytest.mark.long
def test_the_story() -> None:
    result = CliRunner().invoke(demo, [])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) < 40
    assert result.output.count("istio.gateway.xxxx.tech-shadow") == 1
    assert "GET    /reports/monthly     200 500  differs  status 200 → 500" in lines
    assert "v2 differs in 8 of 12: 8 findings" in lines
    assert "The client waited" in result.output


@pytest.mark.long
def test_problems_make_it_fail(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo, ["--rules", str(tmp_path)])
    assert result.exit_code == 1
    assert "NOT AS IT SHOULD BE: GET /request/info: v1 received nothing" in result.output
    assert sum("  failed" in line for line in result.output.splitlines()) == 12
    assert "Nothing could be compared" in result.output


def test_a_proxy_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror_addon.py").write_text("raise SystemExit('broken installation')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = CliRunner().invoke(demo, [])
    assert result.exit_code == 1
    assert "Error: the proxy did not start:\nbroken installation" in result.output


def test_rules_that_are_not_there(tmp_path: Path) -> None:
    assert CliRunner().invoke(demo, ["--rules", str(tmp_path / "gone")]).exit_code == 2


async def test_ctrl_c_cancels_the_requests() -> None:
    console = SafeConsole(quiet=True)
    task = asyncio.create_task(_run(console, EXAMPLE_RULES, False, Story(console, False)))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(asyncio.CancelledError):
        await task
