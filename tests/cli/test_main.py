from __future__ import annotations

import os
import shlex
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
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    width = max(map(len, COMMANDS))
    for name, (_, text) in COMMANDS.items():
        assert f"  {name:{width}}  {text}" in lines


def test_an_unknown_command_and_the_version() -> None:
    result = CliRunner().invoke(main, ["chekc"])
    assert result.exit_code == 2
    assert "No such command 'chekc'. Did you mean 'check'?" in result.output
    result = CliRunner().invoke(main, ["nothing-like-it"])
    assert result.exit_code == 2
    assert "No such command 'nothing-like-it'." in result.output and "mean" not in result.output
    assert CliRunner().invoke(main, ["--version"]).output == f"mirror-addon, version {_version.__version__}\n"


def test_a_group_without_a_command_prints_its_help() -> None:
    result = CliRunner().invoke(main, ["export"])
    assert result.exit_code == 2
    assert "\\n" not in result.output and "  istio  " in result.output


def test_output_that_is_closed_or_full_is_no_traceback() -> None:
    """Without standard output the exit code is the result; a full disk is named."""
    program = f"import sys; sys.path.insert(0, {SOURCES!r}); from mirror_addon.cli.main import main; main()"
    command = shlex.join([sys.executable, "-c", program, "schema", "compare"])
    for redirection, code, message in (
        (">&-", 0, ""),
        (">/dev/full", 2, "Error: the output cannot be written: No space left on device\n"),
    ):
        found = subprocess.run(["sh", "-c", f"{command} {redirection}"], capture_output=True, text=True, timeout=60)
        assert (found.returncode, found.stderr) == (code, message)


def test_errors_of_the_system_that_are_no_full_disk_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise PermissionError(1, "not allowed", "x")

    monkeypatch.setattr("mirror_addon.cli.schema.write", broken)
    assert isinstance(CliRunner().invoke(main, ["schema", "compare"]).exception, PermissionError)


def test_mitmproxy_is_not_imported_where_it_is_not_needed() -> None:
    """One process for all of them: starting one takes longer than the test."""
    program = (
        "import sys; from mirror_addon.cli.main import main\n"
        "for name in sys.argv[1:]:\n"
        "    main.main([name, '-h'], standalone_mode=False)\n"
        "    if 'mitmproxy' in sys.modules:\n"
        "        sys.exit(name)\n"
    )
    command = [sys.executable, "-c", program, "check", "explain", "export", "report", "init", "schema"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": SOURCES}, check=True, timeout=60, capture_output=True)


def completed(shell: str, *words: str) -> list[str]:
    """What the program prints for a shell's Tab at the end of these words, by the protocol of click."""
    index = words[-1] if shell == "fish" else str(len(words))
    line = " ".join(("mirror-addon", *words))
    environment = {"COMP_WORDS": line, "COMP_CWORD": index, "_MIRROR_ADDON_COMPLETE": f"{shell}_complete"}
    return CliRunner().invoke(main, prog_name="mirror-addon", env=environment).output.splitlines()


def test_completion_of_commands_options_and_values() -> None:
    assert completed("bash", "re") == ["plain,replay", "plain,report"]
    assert completed("bash", "check", "--for") == ["plain,--format"]
    assert completed("bash", "check", "--format", "s") == ["plain,sarif"]
    assert completed("zsh", "sch") == ["plain", "schema", COMMANDS["schema"][1]]
    assert completed("fish", "ini") == [f"plain,init\t{COMMANDS['init'][1]}"]
    assert "plain,--version" in completed("bash", "--v")


def test_commands_are_completed_without_their_modules() -> None:
    program = (
        "import sys; from mirror_addon.cli.main import main\n"
        "try: main(prog_name='mirror-addon')\n"
        "finally: sys.exit('mirror_addon.cli.check' in sys.modules and 'it was imported')\n"
    )
    environment = {"COMP_WORDS": "mirror-addon c", "COMP_CWORD": "1", "_MIRROR_ADDON_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": SOURCES, **environment},
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["plain,check", "plain,collect", "plain,console"]


def test_bash_completes_with_the_line_of_the_help(tmp_path: Path) -> None:
    """The line in the help, run by bash: it defines a function that fills COMPREPLY."""
    text = CliRunner().invoke(main, ["--help"]).output
    line = next(line.partition("bash")[2].strip() for line in text.splitlines() if "bash_source" in line)
    program = tmp_path / "mirror-addon"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mirror_addon "$@"\n')
    program.chmod(0o755)
    script = f"""
        {line}
        COMP_WORDS=(mirror-addon exp); COMP_CWORD=1
        _mirror_addon_completion mirror-addon
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PYTHONPATH": SOURCES, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["explain", "export"], done.stderr
