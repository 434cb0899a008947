"""Long work in a thread that leaves most of the interpreter to the other threads: it rests again and again.

Nothing happens in a thread that did not enter `giving_way`: a start, or the command line, takes no longer for it.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from time import perf_counter
from typing import Any

SLICE = 0.0005
"""Seconds of work between two rests."""
REST = 0.002
"""Seconds. While the thread rests nobody waits for it: a loop beside it has four fifths of the time for itself."""
MOST_REST = 0.8
"""Seconds of rest in all: a change of rules is to be in force within two seconds, and the watch takes one of them."""


class _Thread(threading.local):
    due = math.inf
    """When this thread rests next, as `perf_counter` counts."""
    left = 0.0


_here = _Thread()


@contextlib.contextmanager
def giving_way() -> Iterator[None]:
    """Inside, `breathe` rests this thread."""
    _here.left = MOST_REST
    _here.due = perf_counter() + SLICE
    try:
        yield
    finally:
        _here.due = math.inf


def breathe() -> None:
    """To be called at every step of long work: rests when it is time to."""
    if perf_counter() < _here.due:
        return
    rest = min(REST, _here.left)
    time.sleep(rest)
    _here.left -= rest
    _here.due = perf_counter() + SLICE if _here.left > 0 else math.inf


def let_go(pieces: list[Any]) -> None:
    """Empties a list, one item after the other: to free a large tree at once holds up all threads."""
    while pieces:
        pieces.pop()
        breathe()


def take_apart(value: Any) -> None:
    """Empties the lists and mappings of a plain value, however deep, where the thread gives way.

    For a tree that nobody needs any more, and that ends in small pieces then.
    """
    if _here.due == math.inf:
        return
    containers = [value]
    while containers:
        container = containers.pop()
        if isinstance(container, dict):
            containers += [item for item in container.values() if isinstance(item, dict | list)]
            container.clear()
        elif isinstance(container, list):
            containers += [item for item in container if isinstance(item, dict | list)]
            container.clear()
        breathe()
