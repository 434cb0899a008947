"""Processes that really die."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

import pytest
from livetools.children import wait_for
from livetools.proxy import state

from mirror_addon.processes.child import ROOT
from mirror_addon.processes.parent_death import die_with_parent

CHILD = f"""
import os, sys, time
sys.path.insert(0, {ROOT!r})
from mirror_addon.processes.parent_death import die_with_parent
if sys.argv[1] == "dies":
    die_with_parent()
print(os.getpid(), flush=True)
time.sleep(600)
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


@pytest.mark.parametrize(("does", "dies"), [("dies", True), ("lives", False)])
def test_the_kernel_kills_it_with_its_parent(does: str, dies: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD, does], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        try:
            if dies:
                wait_for(lambda: state(pid) in (None, "Z"))
            else:
                assert state(pid) not in (None, "Z")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda *_: pytest.fail("there is no prctl"))
    die_with_parent()
