"""Whether mirrors answer: notices that one was away and is back, also where nothing is sent to it meanwhile.

Theory of operation. Each watched target is looked at four times a second, in two ways:

    listeners  On Linux, and for an address of this machine, the kernel's list of listening sockets, and which processes
               hold them. Another socket at the port, or the end of a process that held it, is another server, however
               short the time between the two was. Under a supervisor (uvicorn --reload, Flask's reloader) the socket
               stays, and the process changes.
    accepts    A connection that is opened, closed in this direction, and awaits the server's close. Refused: nobody is
               there. Open and not closed: nobody accepts, and where no processes are known, that is how a restart under
               a supervisor looks. A busy server does too, but it answers shadows, and that counts. Not done where the
               target speaks TLS, because some servers log it.

A target is gone from the first look that says so. It is back after `STEADY` looks in a row that find the same server,
so that one that bounces is not called back at each of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from collections.abc import Collection
from typing import Literal

from mirror_addon.dispatch.listeners import Holders
from mirror_addon.dispatch.listeners import Listeners
from mirror_addon.dispatch.listeners import are_held
from mirror_addon.dispatch.listeners import holders_of
from mirror_addon.dispatch.listeners import listeners_of
from mirror_addon.shadow.request import Target

logger = logging.getLogger(__name__)

INTERVAL = 0.25
SILENCE = 0.5
"""Seconds within which a server that runs accepts a connection."""
STEADY = 2
CONNECT_TIMEOUT = 5.0
SCAN_LOOKS = 40
"""Looks between two searches for the processes that hold a socket: others may have joined them."""
MOST = 20
"""Targets that are watched."""
_UNIX = "unix://"

Look = Literal["accepts", "refused"]


class _Watched:
    """What is known of one target."""

    __slots__ = ("closes", "gone", "holders", "listeners", "scanned", "silent", "steady", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.gone = False
        self.silent = False
        """Gone because it does not accept, which an answer contradicts."""
        self.steady = 0
        """Looks in a row that found it, since it was gone."""
        self.closes = False
        """It is known to close a connection that is closed on this side: only then it is silent where it does not."""
        self.listeners: Listeners | None = None
        self.holders: Holders = frozenset()
        self.scanned = 0
        """Looks since the holders were looked for; 0: they are not known."""

    def lose(self, *, silent: bool = False) -> None:
        """It is gone now."""
        self.gone, self.silent, self.steady = True, silent, 0


class Presence:
    """Calls `returned(target)`, in the event loop, when a watched target is back. Needs the running loop to watch."""

    def __init__(self, returned: Callable[[Target], None]) -> None:
        self._returned = returned
        self._watched: dict[Target, _Watched] = {}

    def watch(self, targets: Collection[Target]) -> None:
        """Watch these targets, and no others."""
        for target in [target for target in self._watched if target not in targets]:
            self._stop(self._watched.pop(target))
        for target in targets:
            if target not in self._watched and len(self._watched) < MOST:
                watched = self._watched[target] = _Watched()
                watched.task = asyncio.get_running_loop().create_task(self._watch(target, watched))

    def close(self) -> None:
        """Watch nothing any more."""
        self.watch(())

    @staticmethod
    def _stop(watched: _Watched) -> None:
        if watched.task is not None:
            watched.task.cancel()

    def watches(self, target: Target) -> bool:
        """Whether the target is watched."""
        return target in self._watched

    def is_gone(self, target: Target) -> bool:
        """Whether the target is known to be away."""
        watched = self._watched.get(target)
        return watched is not None and watched.gone

    def refused(self, target: Target) -> None:
        """A shadow found nobody at the target."""
        watched = self._watched.get(target)
        if watched is not None and not watched.listeners and target.tls is None:
            watched.lose()  # else the looks see it better, or it fails for a reason that stays

    def answered(self, target: Target) -> None:
        """The target answered a shadow: if it seemed silent, it was busy."""
        watched = self._watched.get(target)
        if watched is not None and watched.silent:
            watched.gone = watched.silent = False

    async def _watch(self, target: Target, watched: _Watched) -> None:
        await self._look(target, watched)
        logger.info("mirror: when %s restarts, the requests that differ are sent to it again", target.label)
        while True:
            await asyncio.sleep(INTERVAL)
            await self._look(target, watched)

    async def _look(self, target: Target, watched: _Watched) -> None:
        if await asyncio.to_thread(_is_another, target, watched):
            watched.lose()
        # Also where none listens: the kernel itself may pass the port on, to a container.
        known = target.tls is not None and watched.listeners
        seen: Look = "accepts" if known else await self._accepts(target, watched)
        if seen == "refused":
            watched.lose()
        elif watched.gone:
            watched.steady += 1
            if watched.steady >= STEADY:
                watched.gone, watched.silent, watched.steady = False, False, 0
                await asyncio.to_thread(_is_another, target, watched)
                self._returned(target)

    async def _accepts(self, target: Target, watched: _Watched) -> Look:
        """Open a connection, and wait until the server closes it. One that does not is awaited, not asked again."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                reader, writer = await _connect(target)
        except (OSError, TimeoutError):
            return "refused"
        try:
            if target.tls is not None:
                return "accepts"
            writer.write_eof()
            try:
                async with asyncio.timeout(SILENCE):
                    await reader.read(1)
            except TimeoutError:
                if not watched.closes or (watched.holders and not watched.gone):
                    return "accepts"
                if not watched.gone:
                    watched.lose(silent=True)
                await reader.read(1)
            watched.closes = True
        except OSError:
            pass  # closed, in its way
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return "accepts"


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.address.startswith(_UNIX):
        return await asyncio.open_unix_connection(target.address.removeprefix(_UNIX))
    return await asyncio.open_connection(target.address, target.port)


def _is_another(target: Target, watched: _Watched) -> bool:
    """Look at the listeners again. Return whether those of the look before are gone. Called in a thread."""
    before, watched.listeners = watched.listeners, listeners_of(target)
    found = watched.listeners
    changed = bool(before and not (found and found & before)) or not are_held(watched.holders)
    if changed:
        watched.holders, watched.scanned = frozenset(), 0
    elif found and not watched.gone:
        if watched.scanned % SCAN_LOOKS == 0:
            watched.holders = holders_of(found)
        watched.scanned += 1
    return changed
