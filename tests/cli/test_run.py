"""`mirror-addon dump`, and the one script of a checkout and of the package."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from livetools.proxy import ROOT
from livetools.proxy import Tool

from mirror_addon.cli.run import SCRIPT
from mirror_addon.cli.run import dump

MIRROR_ADDON = [sys.executable, "-P", "-c", "from mirror_addon.cli.main import main; main()"]


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Runs mitmdump until it ends by itself: exit code and output."""
    common = ["--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"confdir={folder}"]
    with Tool([*MIRROR_ADDON, "dump", *common, *arguments], cwd=folder, anew=True) as program:
        code = program.finish()
    return code, program.output


def test_the_package_and_the_checkout_have_one_script() -> None:
    script = ROOT / "mirror_addon"
    assert script.is_file() and not script.is_symlink()
    assert SCRIPT.is_symlink() and not os.path.isabs(SCRIPT.readlink())
    assert SCRIPT.resolve() == script.resolve()
    assert [path.name for path in SCRIPT.parent.iterdir()] == ["mirror_addon"], "mitmproxy puts it on sys.path"


def test_dump_runs_mitmdump_with_the_addon_and_its_arguments(tmp_path: Path) -> None:
    rules = str(ROOT / "rules")
    common = ["--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"confdir={tmp_path}"]
    command = [*MIRROR_ADDON, "dump", *common, "--set", f"mirror_rules={rules}"]
    with Tool(command, cwd=tmp_path, anew=True) as program:
        program.wait_for(r"Loading script \S*mirror_addon\n")
        program.wait_for(r"mirror: .*serviceB")
        program.wait_for(r"listening at 127\.0\.0\.1:\d+")


def test_each_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file or a pipe, the line of a pair that differs would wait for the next flow."""
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out))
    monkeypatch.setattr(sys, "argv", ["mirror-addon", "dump"])
    given: list[str] = []

    def mitmdump(arguments: list[str]) -> None:
        given.extend(arguments)
        print("a line")
        given.append(out.getvalue().decode())

    monkeypatch.setattr("mitmproxy.tools.main.mitmdump", mitmdump)
    dump.main(["-n"], standalone_mode=False)
    assert given == ["-s", str(SCRIPT), "-n", "a line\n"]


@pytest.mark.long
def test_a_refused_start_ends_it(tmp_path: Path) -> None:
    code, output = run(tmp_path, "--set", "mirror_concurrency=many")
    assert code == 1
    assert "mirror_concurrency" in output


@pytest.mark.long
@pytest.mark.parametrize(("command", "tool"), [("dump", "mitmdump"), ("web", "mitmweb"), ("console", "mitmproxy")])
def test_each_command_is_its_tool(command: str, tool: str) -> None:
    done = subprocess.run([*MIRROR_ADDON, command, "--help"], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(f"usage: {tool} "), done.stderr


@pytest.mark.long
def test_the_script_by_itself_needs_nothing_but_an_importable_package(tmp_path: Path) -> None:
    """As in a wheel, where there is no `src` beside it."""
    shutil.copy(SCRIPT, tmp_path)
    program = (
        "import runpy, sys; before = sys.path[:]; names = runpy.run_path(sys.argv[1]); "
        "assert sys.path == before; print(names['addons'][0].name, names['request'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "mirror_addon")], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "mirror None\n", done.stderr


def test_the_script_of_a_checkout_finds_the_package_there(tmp_path: Path) -> None:
    """Nothing but the dependencies is installed then."""
    shutil.copy(ROOT / "mirror_addon", tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    program = "import runpy, sys; runpy.run_path(sys.argv[1]); print(sys.modules['mirror_addon'].__file__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "mirror_addon")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == f"{tmp_path / 'src' / 'mirror_addon' / '__init__.py'}\n", done.stderr
