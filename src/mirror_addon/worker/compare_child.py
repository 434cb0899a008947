"""The process in which a worker compares pairs: a pair in, its result out, one after the other.

`compare_process` starts it and ends it. It reads frames from the socket that is its standard input: a length of 8 bytes
and a pickled `Order`. It writes a frame when it is ready, with None, and one with a `Done` for every order. It ends
when the socket is closed.
"""

from __future__ import annotations

import contextlib
import pickle
import resource
import socket
import struct
import sys
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.new_ids import Step
from mirror_addon.compare.rules import Rules
from mirror_addon.worker.comparison_task import Task

LENGTH = struct.Struct("!Q")
MEMORY_BYTES = 2 * 1024 * 1024 * 1024
"""Of address space, which is about twice what two bodies of 32 MiB of JSON need."""
_LARGE_BYTES = 384 * 1024 * 1024
"""A process that has had more in memory ends after its task: what Python freed seldom goes back to the system."""
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class Order(NamedTuple):
    """A task. `label`: of the mirror whose ids `steps` are about; `afresh`: they are all that is known of it.
    `rules_number` names the rules, which come with the first order that has them."""

    label: str
    task: Task
    afresh: bool
    steps: list[Step]
    rules_number: int
    rules: Rules | None


class Done(NamedTuple):
    """The result, and what was learned of the mirror's ids. `ends`: this process takes no other order."""

    comparison: Comparison
    steps: list[Step]
    ends: bool


def frame(value: Any) -> bytes:
    """A value as a frame."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


class Child:
    """Carries out orders."""

    def __init__(self) -> None:
        self._learned: dict[str, NewIds] = {}
        self._rules: dict[int, Rules] = {}

    def carry_out(self, order: Order) -> Done:
        """Compare. Never raises."""
        if order.rules is not None:
            self._rules[order.rules_number] = order.rules
        learned = None
        if order.task.ids is not None:
            learned = self._learned.get(order.label)
            if learned is None or order.afresh:
                learned = self._learned[order.label] = NewIds()
            learned.replay(order.steps)
            learned.changes()
        comparison = order.task.run(self._rules[order.rules_number], learned)
        steps = learned.changes() if learned is not None else None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES
        return Done(comparison, steps or [], peak > _LARGE_BYTES)


def _read(sock: socket.socket, size: int) -> bytearray | None:
    """Read so many bytes; None if the other end closed before."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        received = sock.recv_into(view)
        if not received:
            return None
        view = view[received:]
    return data


def main(memory: str) -> None:
    """Run as the child, with at most `memory` bytes of address space where the system can limit it."""
    sock = socket.socket(fileno=0)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    child = Child()
    sock.sendall(frame(None))
    while (head := _read(sock, LENGTH.size)) is not None:
        data = _read(sock, LENGTH.unpack(head)[0])
        if data is None:
            return
        done = child.carry_out(pickle.loads(data))
        del data
        sock.sendall(frame(done))
        if done.ends:
            return
