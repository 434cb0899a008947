"""Background tasks whose failure is logged.

asyncio keeps only a weak reference to a task, so a task that nothing else refers to may be collected before it ends.
And it reports an exception that nobody awaits only when the task is collected, which may be never. `start_task` is for
every task that is started and not awaited at once: it keeps a reference until the task ends, and logs its failure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()


def start_task(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Run `work` as a task of the running event loop, and return the task, which may be cancelled or awaited.

    `name` says what the task does, as in "the watch of the rules": it is the task's name in asyncio and in the log.
    An exception other than a cancellation is logged as an error with its traceback; it is still raised where the task
    is awaited.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    # SystemExit and KeyboardInterrupt also leave the event loop itself, and are reported there.
    if isinstance(error, Exception):
        logger.error(
            "mirror: %s ended with an unexpected error: %s: %s",
            task.get_name(),
            type(error).__name__,
            error,
            exc_info=error,
        )
