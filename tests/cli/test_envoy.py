from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from childtools import children
from click.testing import CliRunner
from enginetools import until

from mirror_addon.cli.envoy import _run
from mirror_addon.cli.envoy import envoy
from mirror_addon.cli.envoy_process import EnvoyError
from mirror_addon.cli.envoy_process import EnvoyProcess
from mirror_addon.cli.envoy_process import find_envoy
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import ExportOptions

RULES = Path(__file__).resolve().parents[2] / "rules"
OPTIONS = ExportOptions(Address("127.0.0.1", 0), Address("127.0.0.1", 0))


class Output:
    """What is printed while a command runs."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.text = ""

    async def has(self, text: str) -> None:
        def found() -> bool:
            captured = self._capsys.readouterr()
            self.text += captured.out + captured.err
            return text in self.text

        await until(found)
        self.text = self.text.partition(text)[2]


async def test_changes_take_effect_and_errors_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    (tmp_path / "envoy").mkdir()
    output = Output(capsys)
    process = EnvoyProcess(find_envoy(), tmp_path / "envoy", ["--concurrency", "1"])
    task = asyncio.create_task(_run(process, read_settings([str(rules)], ["mirror_methods=safe"]), OPTIONS))
    await output.has("note: option mirror_methods has no equivalent in Envoy")
    await output.has("envoy is listening at 127.0.0.1:")
    file = rules / "virtual-service.yaml"
    text = file.read_text()
    file.write_text(text.replace("prefix: /serviceB", "prefix: /moved"))
    await output.has("reloaded 3 resources")
    file.write_text(text.replace("prefix: /serviceB", "prefix: [/broken]"))
    await output.has("error ")
    await output.has("the previous rules stay in force")
    rules.rename(tmp_path / "elsewhere")
    await output.has("rules is gone; the previous rules stay in force")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 30)
    assert await process.wait() == 0


async def test_an_envoy_that_ends_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = EnvoyProcess(find_envoy(), tmp_path, ["--concurrency", "1"])
    task = asyncio.create_task(_run(process, read_settings([str(RULES)], []), OPTIONS))
    await Output(capsys).has("envoy is listening at")
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(EnvoyError, match="Envoy ended with code -9"):
        await asyncio.wait_for(task, 30)


def test_an_envoy_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(envoy, ["--rules", str(RULES)])
    assert result.exit_code == 1
    assert "Error: Envoy is not installed." in result.output


def test_arguments_are_passed_to_envoy() -> None:
    result = CliRunner().invoke(envoy, ["--rules", str(RULES), "--listen", "127.0.0.1:0", "--", "--no-such-argument"])
    assert result.exit_code == 1
    assert "Envoy ended at its start with code 1" in result.output


def test_wrong_usage() -> None:
    assert CliRunner().invoke(envoy, ["--rules", "/nowhere"]).exit_code == 2
    assert CliRunner().invoke(envoy, ["--rules", str(RULES), "--listen", "x"]).exit_code == 2
