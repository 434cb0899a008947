"""The one batcher: items are collected for a moment and handed over together.

A message that is sent by itself wakes its receiver, and that costs both processes more than the message does. A
handler that is called once for many items also finds its code and data in the processor's caches after the first one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Generic
from typing import TypeVar

Item = TypeVar("Item")


class Batch(Generic[Item]):
    """Collects items in their order and passes them to `hand_over` as one list.

    That happens `seconds` after the first of them was added, or at once when their sizes add up to `most`. The unit of
    `most` is the caller's: `add` counts each item as 1 unless it is given another size, such as a length in bytes.
    `seconds` may be changed at any time, for the batches that begin after that; with 0 a batch ends with the present
    turn of the event loop. Not thread-safe: all calls belong to the thread of the running event loop.

    `hand_over` may add items, which then begin the next batch. If it raises, the items it was given are dropped; the
    exception goes to the caller of `add` or `flush`, or to the loop's exception handler.
    """

    __slots__ = ("_hand_over", "_items", "_most", "_size", "_timer", "seconds")

    def __init__(self, hand_over: Callable[[list[Item]], None], *, seconds: float, most: float = math.inf) -> None:
        self.seconds = seconds
        self._hand_over = hand_over
        self._most = most
        self._items: list[Item] = []
        self._size = 0
        self._timer: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item, size: int = 1) -> None:
        """Append an item. Needs the running event loop."""
        self._items.append(item)
        self._size += size
        if self._size >= self._most:
            self.flush()
        elif self._timer is None:
            self.schedule()

    def schedule(self) -> None:
        """Begin a batch even if nothing is added: `hand_over` is called in `seconds`, with an empty list if need be.

        For a receiver that keeps a rest of its own to pass on, such as bytes for which a socket had no room.
        """
        if self._timer is None:
            loop = asyncio.get_running_loop()
            # call_soon costs less than call_later, which keeps a heap of its timers.
            self._timer = loop.call_later(self.seconds, self.flush) if self.seconds else loop.call_soon(self.flush)

    def flush(self) -> None:
        """End the batch now. Does nothing if none has begun."""
        begun = self._timer is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if begun or self._items:
            items, self._items, self._size = self._items, [], 0
            self._hand_over(items)
