"""Child processes that really run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from livetools.children import wait_for
from livetools.proxy import state

from mirror_addon.processes import child

PROBE = """
import json, sys, warnings
import mirror_addon.processes
def main(*arguments):
    warnings.warn("not shown")
    try:
        import email.mime.text
        found = True
    except ImportError:
        found = False
    print(json.dumps({"arguments": arguments, "path": sys.path, "found": found}))
"""
SLEEPER = """
import os, time
def main():
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which a child imports; nothing else says where the package is."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "probe.py").write_text(PROBE)
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    return tmp_path


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=cwd)


def told(*command: str, cwd: Path | None = None) -> Any:
    done = run(*command, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_main_gets_the_arguments_and_the_package_is_found(modules: Path) -> None:
    said = told(*child.command("probe", "7", "", "a b"))
    assert said["arguments"] == ["7", "", "a b"]
    assert child.ROOT in said["path"] and said["found"]


def test_modules_in_the_working_directory_are_not_imported(
    modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "json.py").write_text("raise ImportError('a stray module')")
    said = told(*child.command("probe"), cwd=elsewhere)
    assert not {"", str(elsewhere), str(Path(child.__file__).parent)} & set(said["path"])


def test_a_child_can_do_without_a_module(modules: Path) -> None:
    assert not told(*child.command("probe", without=["email.mime.text", "wsgiref"]))["found"]


def test_a_module_that_cannot_be_imported_is_one_line(modules: Path) -> None:
    (modules / "broken.py").write_text("raise ImportError('this library is broken')")
    done = run(*child.command("broken"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "broken: cannot start: ImportError: this library is broken\n"


def test_an_orphan_does_not_begin(modules: Path) -> None:
    command = child.command("probe")
    command[command.index(str(os.getpid()))] = str(os.getpid() + 1)
    done = run(*command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_dies_with_its_parent(modules: Path) -> None:
    """Even a child that is stopped, and could not end by itself."""
    program = f"""
import subprocess, sys
sys.path.insert(0, {child.ROOT!r})
from mirror_addon.processes import child
subprocess.run(child.command("sleeper"))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
    try:
        wait_for(lambda: state(pid) in (None, "Z"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
