"""The proxy's end of one worker: its process, the socket to it, and its restarts.

Theory of operation. A worker is a child process connected by a socket pair. `send` appends frames to a list and asks
its owner, by `wake`, to call `write` soon; `write` passes the list to the socket. Nothing here blocks the event loop:
the socket is non-blocking, and what does not fit into it stays in the list, which the caller of `send` bounds (the
dispatcher counts the bytes). A big body is passed on at 100 MB a second at most: at once it would cost the client that
is sending it a third of its speed.

A worker that ends, or sends what is no frame, is replaced: after a pause that doubles from 0.1 s to 5 s while workers
keep ending soon after their start. Frames sent meanwhile wait for the successor. An error of our own while a frame is
handled is logged and is no reason to replace the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from typing import Literal

from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import FrameError

logger = logging.getLogger(__name__)

_ROOT = str(Path(__file__).resolve().parents[2])
# -P keeps the working directory off sys.path, where a stray http.py would be found before the library's. httpx._main
# is httpx's command line: without it httpx does without click and rich, which are 6 MiB and 50 ms.
_PROGRAM = """
import sys
descriptor, concurrency, root = sys.argv[1:]
sys.modules["httpx._main"] = None
if root not in sys.path:
    sys.path.insert(0, root)
try:
    from mirror_addon.worker.worker import main
except Exception as error:
    sys.exit(f"mirror worker: cannot start: {type(error).__name__}: {error}")
main(int(descriptor), int(concurrency))
"""
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_LONG_LIFE = 10.0
_BUFFERS = 64
_WRITE_BYTES = 1024 * 1024
"""Bytes that one `write` passes on; it asks to be called again for the rest."""
_READ_BYTES = 256 * 1024
_SOCKET_BUFFER_BYTES = 512 * 1024
_GRACE = 0.5
_LAST_WORDS = 10.0
"""Seconds at most for the verdicts of a worker that is told to end, while there are some."""
_SILENCE = 3.0
"""A worker speaks every second; after so many of silence it is frozen, or starved."""

Buffer = bytes | memoryview
State = Literal["stopped", "starting", "running", "restarting", "closed"]


class WorkerLink:
    """One worker. `on_frame(link, head, tail)` is called for each frame from it, and raises FrameError for one
    that makes no sense; `on_lost(link)` is called when the worker died. `wake` is
    called when there is something to `write`, at any time and often."""

    def __init__(
        self,
        concurrency: int,
        on_frame: Callable[[WorkerLink, tuple[Any, ...], bytes], None],
        on_lost: Callable[[WorkerLink], None],
        wake: Callable[[], None],
    ) -> None:
        self.state: State = "stopped"
        self.restarts = 0
        self.heard_at = 0.0
        """Loop time of the last sign of life."""
        self._concurrency = concurrency
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._out: deque[Buffer] = deque()
        self._writer_added = False
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._dying: list[subprocess.Popen[bytes]] = []
        self._decoder = Decoder()
        self._started_at = 0.0
        self._pause = 0.0
        self._timers: set[asyncio.TimerHandle] = set()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def status(self, now: float) -> dict[str, Any]:
        """Plain values for `mirror.status`; `now` is the loop's time."""
        silent = now - self.heard_at
        state = "unresponsive" if self.state == "running" and silent > _SILENCE else self.state
        return {"pid": self.pid, "state": state, "restarts": self.restarts}

    def start(self) -> None:
        """Start the process; its imports happen there, so what is sent at once waits for it in the socket."""
        if self.state == "closed":
            return
        try:
            ours = self._spawn()
        except OSError as error:
            logger.warning("mirror: cannot start a worker process: %s", error)
            self._restart_later()
            return
        self._socket = ours
        self._decoder = Decoder()
        self._started_at = self.heard_at = self._loop.time()
        self.state = "starting"
        self._loop.add_reader(ours.fileno(), self._readable)
        self._wake()

    def _spawn(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                for end in (ours, theirs):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
                ours.setblocking(False)
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-P", "-W", "ignore", "-c", _PROGRAM),
                        *(str(theirs.fileno()), str(self._concurrency), _ROOT),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        return ours

    def send(self, *buffers: Buffer) -> None:
        """Send these bytes after all that was sent before, at the next `write`."""
        self._out.extend(buffers)
        if not self._writer_added:
            self._wake()

    def write(self) -> None:
        """Pass on what was sent."""
        out, sock = self._out, self._socket
        if sock is None or self._writer_added:
            return
        written = 0
        while out and written < _WRITE_BYTES:
            try:
                sent = sock.sendmsg(islice(out, _BUFFERS))
            except (BlockingIOError, InterruptedError):
                self._writer_added = True
                self._loop.add_writer(sock.fileno(), self._writable)
                return
            except OSError:
                self._lost()
                return
            written += sent
            while sent:
                first = out[0]
                if sent < len(first):
                    out[0] = memoryview(first)[sent:]
                    break
                sent -= len(first)
                out.popleft()
        if out:
            self._wake()

    def _writable(self) -> None:
        assert self._socket is not None
        self._writer_added = False
        self._loop.remove_writer(self._socket.fileno())
        self._wake()

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        self.heard_at = self._loop.time()
        if self.state == "starting":
            self.state = "running"
        try:
            for head, tail in self._decoder.feed(data):
                self._handle(head, tail)
        except FrameError as error:
            logger.warning("mirror: worker process %s does not speak as it should: %s", self.pid, error)
            self._lost()

    def _handle(self, head: tuple[Any, ...], tail: bytes) -> None:
        try:
            self._on_frame(self, head, tail)
        except FrameError:
            raise
        except Exception as error:  # a fault of this side: the worker is not to blame, and later frames still count
            problem = f"{type(error).__name__}: {error}"
            logger.warning("mirror: a frame was not handled (%s); please report this", problem, exc_info=True)

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            if self._writer_added:
                self._writer_added = False
                self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._out.clear()

    def _lost(self) -> None:
        """The worker closed its end: it is dead or about to be."""
        self._disconnect()
        process, self._process = self._process, None
        if process is not None:
            self._dying.append(process)
            self._reap()
        if self.state == "closed":
            return
        self._on_lost(self)
        if self._loop.time() - self._started_at > _LONG_LIFE:
            self._pause = 0.0
        self._restart_later()
        logger.warning(
            "mirror: worker process %s ended%s, starting another in %g s",
            process.pid if process is not None else "",
            _manner(process),
            self._pause,
        )

    def _restart_later(self) -> None:
        self.state = "restarting"
        self.restarts += 1
        self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._later(self._pause, self.start)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            call()

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def _reap(self) -> None:
        """Wait, without waiting, for processes that closed their socket; one that lives on is killed."""
        for process in list(self._dying):
            if process.poll() is not None:
                self._dying.remove(process)
            else:
                process.kill()
        if self._dying:
            self._later(0.02, self._reap)

    async def close(self, *, kill: bool, flush: bool = False) -> None:
        """End the worker, which closes what it has open; `kill` it at once, or if it does not within half a second.
        `flush`: pass on what is to be sent before, for half a second, and hear its last words."""
        self.state = "closed"
        if flush:
            await self._last_words()
        self._disconnect()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        process, self._process = self._process, None
        if process is not None:
            self._dying.append(process)
        deadline = self._loop.time() + (0.0 if kill else _GRACE)
        pause = 0.002
        while self._dying:
            for process in list(self._dying):
                if process.poll() is not None:
                    self._dying.remove(process)
                elif self._loop.time() >= deadline:
                    process.kill()
            if self._dying:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.05)

    async def _last_words(self) -> None:
        """Send what is to be sent, close the proxy's direction of the socket, and hear the worker until it closes its
        own or is silent for too long."""
        began, told = self._loop.time(), False
        while self._socket is not None:
            if self._out:
                self.write()
            elif not told:
                told = True
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)
            if self._loop.time() >= min(max(began, self.heard_at) + _SILENCE, began + _LAST_WORDS):
                return
            await asyncio.sleep(0.005)


def _manner(process: subprocess.Popen[bytes] | None) -> str:
    code = process.returncode if process is not None else None
    if code is None or code == 0:
        return ""
    return f" (signal {-code})" if code < 0 else f" (exit code {code})"
