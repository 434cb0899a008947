"""The processes that somebody started, from Linux's /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from livetools.recorder import PATIENCE

T = TypeVar("T")


def children(pid: int = 0) -> set[int]:
    """Pids of what `pid` (0: this process) started and has not waited for, zombies among them."""
    parent = str(pid or os.getpid())
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:  # gone meanwhile
                continue
            if status.rpartition(") ")[2].split()[1] == parent:
                found.add(int(entry.name))
    return found


def compilers(pid: int = 0) -> set[int]:
    """Those among them that read rules."""
    found = set()
    for child in children(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"rules.compiler" in command:
            found.add(child)
    return found


def at_work(pid: int) -> bool:
    """Whether a process that reads rules has come so far as to give way to others."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
    except ProcessLookupError:
        return False


def wait_for(what: Callable[[], T]) -> T:
    """The first true value that `what` gives."""
    deadline = time.monotonic() + PATIENCE
    while not (value := what()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)
    return value


def many_routes(number: int) -> str:
    """A virtual service that takes a while to read: some seconds for 10,000 routes."""
    rule = "  - {{match: [{{uri: {{prefix: /service{0}/}}}}], directResponse: {{status: 201}}}}\n"
    head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: many}\nspec:\n"
    return head + "  hosts: [many.test]\n  http:\n" + "".join(map(rule.format, range(number)))
