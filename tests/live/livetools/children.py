"""Child processes, from Linux's /proc, waiting for them, and rules that keep a process busy."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from livetools.recorder import PATIENCE

T = TypeVar("T")


def children(pid: int | None = None) -> set[int]:
    """The child processes of a process, of this one by default."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
            found |= set(map(int, (task / "children").read_text().split()))
    return found


def cpu_ticks(pid: int) -> int:
    """The CPU time that a process has used, user and system, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


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
