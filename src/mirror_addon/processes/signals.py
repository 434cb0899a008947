"""Ctrl-C and SIGTERM as calls in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from collections.abc import Iterator


@contextlib.contextmanager
def stop_signals(callback: Callable[[], object]) -> Iterator[None]:
    """Within the block, call `callback` in the running event loop for every SIGINT and SIGTERM.

    Afterwards both signals have Python's default handlers. Use it in the main thread only.
    """
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
