"""The worker's frames on their way to the proxy."""

from __future__ import annotations

import asyncio
import time
from itertools import groupby
from typing import Any

from mirror_addon.shadow.batch import Batch
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import encode

BATCH_SECONDS = 0.02
BATCH_BYTES = 64 * 1024
_BACKLOG_BYTES = 4 * 1024 * 1024
"""Bytes that may wait for the proxy to read them before `wait_writable` waits."""
_RESULT_BYTES = 64
"""About the size of a result in a RESULTS frame."""
_DRAIN_POLL_SECONDS = 0.002


class Outgoing:
    """Writes frames to `transport`, several at a time: each write wakes the proxy's event loop, which costs the proxy
    more than reading the frame does. The order of the frames is the order of the calls."""

    def __init__(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=_BACKLOG_BYTES)
        self._transport = transport
        self._batch: Batch[bytes | tuple[Any, ...]] = Batch(self._write, seconds=BATCH_SECONDS, most=BATCH_BYTES)
        self._writable = asyncio.Event()
        self._writable.set()

    def prompt(self, at_once: bool) -> None:
        """Write at the end of each turn of the loop (`at_once`), or wait for `BATCH_SECONDS`."""
        self._batch.seconds = 0.0 if at_once else BATCH_SECONDS

    def send(self, head: tuple[Any, ...], tail: bytes = b"") -> None:
        """Send a frame soon. Raises FrameError for one that is too long."""
        frame = encode(head, len(tail))
        self._batch.add(frame, len(frame))
        if tail:
            self._batch.add(tail, len(tail))

    def flush(self) -> None:
        """Write now what would be written soon."""
        self._batch.flush()

    def send_result(self, number: int, report: Report, body: bytes) -> None:
        """Send a shadow's RESULT soon. Successive results without a body become one RESULTS frame, which costs the
        proxy a third of a frame for each."""
        if body or report.request is not None:
            self.send((Kind.RESULT, number, *report), body)
        else:
            self._batch.add((number, *report), _RESULT_BYTES)

    def _write(self, items: list[bytes | tuple[Any, ...]]) -> None:
        if self._transport.is_closing():
            return
        parts: list[Any] = []
        for kind, run in groupby(items, type):
            if kind is tuple:
                parts.append(encode((Kind.RESULTS, *run)))
            else:
                parts += run
        self._transport.write(b"".join(parts))

    # Back-pressure: to be called by the protocol's methods of the same names, when the backlog is full or empty again.

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def writable(self) -> bool:
        """Whether the proxy has read all but a backlog of what was sent."""
        return self._writable.is_set()

    async def wait_writable(self) -> None:
        """Wait while the proxy does not read."""
        await self._writable.wait()

    async def drain(self, seconds: float) -> None:
        """Write what there is, and wait for at most so many seconds until the operating system has taken it."""
        self._batch.flush()
        deadline = time.monotonic() + seconds
        while self._transport.get_write_buffer_size() and time.monotonic() < deadline:
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
