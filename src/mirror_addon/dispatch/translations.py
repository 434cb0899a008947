"""Mirrors' calls in which the worker is asked for the primary's values: TRANSLATE, and its TRANSLATED.

The first worker has the twins of all mirrors. Who asks waits in a coroutine, for `SECONDS` at most; no more than `MOST`
ask at a time, with `MOST_BYTES` of bodies. A worker that has not answered in time is asked nothing more until it does,
so one that is stuck holds up the calls of one moment, and not each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from mirror_addon.dispatch.worker_link import WorkerLink
from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import TranslatedCall
from mirror_addon.shadow.frames import encode

SECONDS = 1.0
MOST = 100
MOST_BYTES = 4 * 1024 * 1024

BUSY, TIMEOUT, WORKER_LOST = "busy", "timeout", "worker_lost"

Answer = tuple[TranslatedCall, bytes] | str
"""A call with its body, or why there is none."""


class _Asked(NamedTuple):
    link: WorkerLink
    answer: asyncio.Future[Answer]
    size: int


class Translations:
    """What one dispatcher's workers are asked. `links`: those workers."""

    def __init__(self) -> None:
        self.links: Sequence[WorkerLink] = ()
        self._asked: dict[int, _Asked] = {}
        self._bytes = 0
        self._number = 0
        self._silent = False
        """The worker has let the time pass, and has not answered since."""

    def __len__(self) -> int:
        """How many are not answered, and are waited for."""
        return len(self._asked)

    async def ask(self, call: OwnCall, body: bytes, *, seconds: float = SECONDS) -> Answer:
        """The primary's values in a call: the call and its body if that has changed; or the reason why not: BUSY,
        TIMEOUT, WORKER_LOST."""
        if not self.links or self.links[0].state != "running":
            return WORKER_LOST
        if self._silent:
            return TIMEOUT
        if len(self._asked) >= MOST or self._bytes + len(body) > MOST_BYTES:
            return BUSY
        try:
            frame = encode((Kind.TRANSLATE, self._number + 1, *call), len(body))
        except (FrameError, TypeError, ValueError, OverflowError):
            return BUSY
        self._number = number = self._number + 1
        link = self.links[0]
        asked = self._asked[number] = _Asked(link, asyncio.get_running_loop().create_future(), len(body))
        self._bytes += asked.size
        try:
            link.send(frame + body)
            link.write()
            await asyncio.wait([asked.answer], timeout=seconds)
            if asked.answer.done():
                return asked.answer.result()
            self._silent = True
            return TIMEOUT
        finally:
            del self._asked[number]
            self._bytes -= asked.size

    def told(self, number: int, call: TranslatedCall, body: bytes) -> None:
        """The worker has answered, perhaps too late."""
        self._silent = False
        self._end(number, (call, body))

    def lost(self, link: WorkerLink) -> None:
        """A worker has ended."""
        self._silent = False
        for number, asked in self._asked.items():
            if asked.link is link:
                self._end(number, WORKER_LOST)

    def _end(self, number: int, answer: Answer) -> None:
        asked = self._asked.get(number)
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(answer)
