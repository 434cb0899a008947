from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror_addon.replay.progress import show_progress
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.shadows import Shadows

SOURCES = str(Path(__file__).resolve().parents[2] / "src")
PROGRAM = "from mirror_addon.cli.main import main; main()"


async def test_nothing_is_shown_where_stderr_is_no_terminal(
    setup: Callable[..., Setup], capsys: pytest.CaptureFixture[str]
) -> None:
    shadows = Shadows(setup())
    await asyncio.wait_for(show_progress(shadows, lambda: 0, None), 5)
    await shadows.close(0)
    assert capsys.readouterr().err == ""


def test_the_bar_in_a_terminal(capture: Callable[..., Path], tmp_path: Path) -> None:
    path = capture(["/a", "/b", "/c"], 0.5)
    (tmp_path / "rules").mkdir()
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, "replay", "--to", "http://127.0.0.1:9", str(path), "--loop"]
    environment = {**os.environ, "PYTHONPATH": SOURCES, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs, env=environment, cwd=tmp_path
    )
    try:
        seen = b""
        while b"without response" not in seen:
            seen += os.read(ours, 1 << 16)
        assert b"replaying" in seen and b"shadows" in seen
    finally:
        process.terminate()
        assert process.wait(30) in (0, 1)
        os.close(ours)
        os.close(theirs)
