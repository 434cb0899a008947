"""One run of the collector: until Ctrl-C, a time, a number of requests, or a full disc."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from mirror_addon.collector.files import Writer
from mirror_addon.collector.server import Address
from mirror_addon.collector.server import Collected
from mirror_addon.collector.server import Collector
from mirror_addon.collector.summary import Tally
from mirror_addon.processes.signals import stop_signals

_GRACE = 0.2
"""Seconds for the last responses to reach their clients, after `count` requests."""


class Collection:
    """Writes and counts requests until there are `count` of them, or until one cannot be written."""

    def __init__(self, writer: Writer, count: int | None = None) -> None:
        self.tally = Tally()
        self.problem = ""
        """Why a request could not be written, or empty."""
        self.ended = asyncio.Event()
        self._writer = writer
        self._left = count

    @property
    def complete(self) -> bool:
        """Whether there are `count` requests."""
        return self._left == 0

    def take(self, request: Collected) -> bool:
        """Write a request; False where it is not wanted any more or cannot be written."""
        if self.problem or self.complete:
            return False
        try:
            self._writer.write(request)
        except OSError as error:
            self.problem = os.strerror(error.errno or 0)
            self.ended.set()
            return False
        self.tally.add(request)
        if self._left is not None:
            self._left -= 1
            if self.complete:
                self.ended.set()
        return True


async def run(
    collector: Collector, collection: Collection, seconds: float | None, listening: Callable[[list[Address]], None]
) -> None:
    """Collect until the collection has ended, until SIGINT or SIGTERM, or for so many seconds.

    `listening` is called with the addresses once requests are accepted. Raises OSError where the address cannot be
    listened on.
    """
    with stop_signals(collection.ended.set):
        async with collector:
            listening(collector.addresses)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(collection.ended.wait(), seconds)
            if collection.complete:
                await asyncio.sleep(collector.delay + _GRACE)
