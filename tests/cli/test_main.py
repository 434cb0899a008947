from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mirror_addon import _version
from mirror_addon.cli.main import COMMANDS
from mirror_addon.cli.main import main

SOURCES = str(Path(__file__).resolve().parents[2] / "src")
PASS_THROUGH = {"console", "dump", "web"}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - PASS_THROUGH))
def test_every_command_and_option_has_a_help_text(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    context = main.make_context("mirror-addon", [name], resilient_parsing=True)
    command = main.get_command(context, name)
    assert command is not None and command.help
    for parameter in command.params:
        assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter.name


def test_the_commands_are_listed() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert all(f"  {name} " in result.output for name in COMMANDS)


def test_an_unknown_command_and_the_version() -> None:
    result = CliRunner().invoke(main, ["chekc"])
    assert result.exit_code == 2
    assert "No such command 'chekc'" in result.output
    assert CliRunner().invoke(main, ["--version"]).output == f"mirror-addon, version {_version.__version__}\n"


def test_mitmproxy_is_not_imported_where_it_is_not_needed() -> None:
    """One process for all of them: starting one takes longer than the test."""
    program = (
        "import sys; from mirror_addon.cli.main import main\n"
        "for name in sys.argv[1:]:\n"
        "    main.main([name, '-h'], standalone_mode=False)\n"
        "    if 'mitmproxy' in sys.modules:\n"
        "        sys.exit(name)\n"
    )
    command = [sys.executable, "-c", program, "check", "explain", "export", "report"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": SOURCES}, check=True, timeout=60, capture_output=True)
