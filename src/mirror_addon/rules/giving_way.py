"""Long work in a thread that leaves most of the interpreter to the other threads: it rests again and again.

Nothing happens in a thread that did not enter `giving_way`: a start, or the command line, takes no longer for it.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from time import perf_counter
from typing import Any

SLICE = 0.0005
"""Seconds of work between two rests."""
REST = 0.006
"""Seconds. While the thread rests nobody waits for it, and most requests are over between two slices."""
LONG_RESTS = 0.4
"""Seconds of such rests in all: a change of rules is to be in force within two seconds, and the watch takes one."""
SHORT_REST = 0.002
"""Seconds, of a rest after that: a loop beside the thread still has four fifths of the time for itself."""
MOST_REST = 1.2
"""Seconds of rest in all; what is left then is done in one go."""


class _Thread(threading.local):
    due = math.inf
    """When this thread rests next, as `perf_counter` counts."""
    rested = 0.0
    before_rest: Callable[[], object] = staticmethod(lambda: None)


_here = _Thread()


@contextlib.contextmanager
def giving_way(before_rest: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Inside, `breathe` rests this thread, and calls `before_rest` before."""
    _here.before_rest = before_rest
    _here.rested = 0.0
    _here.due = perf_counter() + SLICE
    try:
        yield
    finally:
        _here.due = math.inf


def breathe() -> None:
    """To be called at every step of long work: rests when it is time to."""
    if perf_counter() < _here.due:
        return
    _here.before_rest()
    rest = REST if _here.rested < LONG_RESTS else SHORT_REST
    time.sleep(rest)
    _here.rested += rest
    _here.due = perf_counter() + SLICE if _here.rested < MOST_REST else math.inf


def let_go(pieces: list[Any]) -> None:
    """Empties a list, one item after the other: to free a large tree at once holds up all threads."""
    while pieces:
        pieces.pop()
        breathe()
