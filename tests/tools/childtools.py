"""The child processes of this one."""

from __future__ import annotations

import os
from pathlib import Path


def children() -> set[int]:
    """Their pids, zombies among them, without the one off which live tests fork their programs: it stays for all tests
    of a process."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in pids if b"livetools/zygote.py" not in Path(f"/proc/{pid}/cmdline").read_bytes()}
