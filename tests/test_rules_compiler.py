"""Real processes; each test leaves none behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror_addon import rules_compiler
from mirror_addon.options import OPTIONS
from mirror_addon.options import Settings
from mirror_addon.options import parse_settings
from mirror_addon.routing.decision import Request
from mirror_addon.rule_set_transfer import unpack
from mirror_addon.rules_compiler import Closed
from mirror_addon.rules_compiler import CompilerFailed
from mirror_addon.rules_compiler import RulesCompiler

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.test]
  http: [{directResponse: {status: 201}}]
"""


def settings(*rules: str) -> Settings:
    return parse_settings({option.name: option.default for option in OPTIONS} | {"mirror_rules": list(rules)})


@pytest.fixture(autouse=True)
def _no_child_stays() -> Iterator[None]:
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, let processes read what they are told, and then do nothing for as long as they live."""
    monkeypatch.setattr(rules_compiler, "_PROGRAM", "import sys, time; sys.stdin.buffer.read(); time.sleep(600)")


def alive(pid: int) -> bool:
    """Whether there is such a process that has not ended; who has is waited for by another."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


async def started(compiler: RulesCompiler) -> int:
    """The pid, as soon as there is one."""
    async with asyncio.timeout(30):
        while (process := compiler._process) is None:
            await asyncio.sleep(0.001)
    return process.pid


def test_good_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(RULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    compiler = RulesCompiler()
    for rules in (str(tmp_path), "a.yaml", f"~/{tmp_path.name}/a.yaml"):
        made = unpack(compiler.compile(settings(rules), b"192.0.2.1"))
        assert (made.refused, made.documents, made.rules) == (False, 1, 1)
        response = made.table.route(Request(b"GET", b"http", b"a.test", b"/", (), 80), 0).response
        assert response is not None and response.status == 201


def test_refused_rules_say_why(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE + "---\nkind: [")
    made = unpack(RulesCompiler().compile(settings(str(tmp_path)), b"192.0.2.1"))
    assert made.refused and "a.yaml:10:" in str(made.diagnostics[0])
    assert made.table.pieces() == []


def test_a_stray_module_in_the_working_directory_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(RULE)
    for name in ("yaml", "pickle", "mirror_addon"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('stray')")
    monkeypatch.chdir(tmp_path)
    assert not unpack(RulesCompiler().compile(settings("a.yaml"), b"192.0.2.1")).refused


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(CompilerFailed, match="cannot be started: No such file"):
        RulesCompiler().compile(settings("a.yaml"), b"192.0.2.1")


def test_what_a_process_says_before_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_compiler, "_PROGRAM", "raise LookupError('no luck')")
    with pytest.raises(CompilerFailed, match="LookupError: no luck"):
        RulesCompiler().compile(settings("a.yaml"), b"192.0.2.1")


async def test_a_process_that_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch)
    compiler = RulesCompiler()
    task = asyncio.create_task(asyncio.to_thread(compiler.compile, settings("a.yaml"), b"192.0.2.1"))
    os.kill(await started(compiler), signal.SIGKILL)
    with pytest.raises(CompilerFailed, match="ended with -9"):
        await task


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch)
    monkeypatch.setattr(rules_compiler, "PATIENCE", 0.2)
    with pytest.raises(CompilerFailed, match=r"not done in 0\.2 s"):
        RulesCompiler().compile(settings("a.yaml"), b"192.0.2.1")


async def test_closed_while_it_works_and_before(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch)
    compiler = RulesCompiler()
    task = asyncio.create_task(asyncio.to_thread(compiler.compile, settings("a.yaml"), b"192.0.2.1"))
    await started(compiler)
    compiler.close()
    with pytest.raises(Closed):
        await task
    with pytest.raises(Closed):
        await asyncio.to_thread(compiler.compile, settings("a.yaml"), b"192.0.2.1")


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """Also where it is frozen, and nothing else would end it."""
    program = f"""
import os, signal, sys, threading, time
sys.path[:] = {sys.path!r}
from mirror_addon import rules_compiler
from mirror_addon.options import OPTIONS, parse_settings
rules_compiler._PROGRAM = '''
import os, sys, time
sys.path.insert(0, sys.argv[1])
from mirror_addon.child_process import die_with_parent
die_with_parent()
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
os.rename({str(tmp_path / "pid")!r}, {str(tmp_path / "ready")!r})
time.sleep(600)
'''
values = {{option.name: option.default for option in OPTIONS}}
compiler = rules_compiler.RulesCompiler()
threading.Thread(target=compiler.compile, args=(parse_settings(values), b""), daemon=True).start()
while not os.path.exists({str(tmp_path / "ready")!r}):
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == -signal.SIGKILL
    pid = int((tmp_path / "ready").read_text())
    deadline = time.monotonic() + 30
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
