"""Comparisons in a process beside the worker, each with a deadline.

Theory of operation. A response is whatever its server sends, so that comparing it may take any time and any memory. It
is therefore done in a process that can be killed (`compare_child`), which is started when it is first needed:

- Each pair has a deadline by its size. When it is over, the process is killed, that pair is given up, and another
  process is started for the rest. The address space of the process is limited.
- Mirrors take turns, so that the slow pairs of one delay those of another by one pair at a time.
- A pair that has waited for `PATIENCE_SECONDS` is given up as well, and so are those beyond `MOST_WAITING`.

The process has at most two pairs: one that it compares, and one so that it need not wait for the next. The ids of a
mirror are learned on both sides (`NewIds`): an order brings what was learned here since the one before.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.rules import Rules
from mirror_addon.processes.child import command
from mirror_addon.worker import compare_child
from mirror_addon.worker.compare_child import LENGTH
from mirror_addon.worker.compare_child import Done
from mirror_addon.worker.compare_child import Order
from mirror_addon.worker.compare_child import frame
from mirror_addon.worker.comparison_task import Task
from mirror_addon.worker.comparison_task import not_compared

LEAST_SECONDS = 3.0
SECONDS_PER_MIB = 1.0
MOST_SECONDS = 20.0
"""The deadline of a comparison: the first and, for each MiB of its bodies, the second, up to the third."""
START_SECONDS = 30.0
"""Deadline of the process's start. The worker and its children give way to the proxy where processor time is short."""
PATIENCE_SECONDS = 20.0
MOST_WAITING = 10_000
_IN_CHILD = 2
_REST_SECONDS = 10.0
"""Time after a start that failed until the next one."""
_WATCH_SECONDS = 0.25
_CLOSE_POLL_SECONDS = 0.002
_END_SECONDS = 1.0
_MIB = 1024 * 1024
_LOG_SECONDS = 60.0
"""Time between two log lines about pairs that were given up."""


class Waiting(NamedTuple):
    """A pair to compare. `done(comparison)` is called once. `label`: of its mirror; `learned`: of the mirror's ids."""

    label: str
    task: Task
    rules: Rules
    learned: NewIds | None
    done: Callable[[Comparison], None]
    seconds: float
    since: float


class _Pipe(asyncio.Protocol):
    """The socket to one process. Calls `received(data)` for each frame and `lost()` at its end, unless `dropped`."""

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._buffer = bytearray()
        self.dropped = False

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= LENGTH.size and not self.dropped:
            end = LENGTH.size + LENGTH.unpack_from(buffer)[0]
            if len(buffer) < end:
                return
            whole = bytes(buffer[LENGTH.size : end])
            del buffer[:end]
            self._received(whole)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.dropped:
            self._lost()


class CompareProcess:
    """Compares pairs in a child process. `log(text)` gets what the user should know. For one event loop's thread."""

    def __init__(self, log: Callable[[str], None], memory: int = compare_child.MEMORY_BYTES) -> None:
        self.given_up = 0
        """Pairs that were not compared because it took too long or too much memory."""
        self._log = log
        self._memory = memory
        self._queues: dict[str, deque[Waiting]] = {}
        """By label, in the order of their turns; none is empty."""
        self._waiting = 0
        self._sent: deque[Waiting] = deque()
        """What the process has."""
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: list[subprocess.Popen[bytes]] = []
        """Processes that end in a moment."""
        self._pipe: _Pipe | None = None
        self._transport: asyncio.Transport | None = None
        self._ready = False
        self._began = 0.0
        """The loop's time when the first pair of `_sent` was begun, or the process started."""
        self._timer: asyncio.TimerHandle | None = None
        self._rules: dict[int, tuple[Rules, int]] = {}
        """Rules that the process has, and their number, by id()."""
        self._synced: set[str] = set()
        """Labels of which the process knows the ids."""
        self._logged_at = self._failed_at = float("-inf")
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def backlog(self) -> int:
        """Pairs that wait or are compared."""
        return self._waiting + len(self._sent)

    def submit(
        self,
        label: str,
        task: Task,
        rules: Rules,
        learned: NewIds | None,
        done: Callable[[Comparison], None],
    ) -> None:
        """Compare a pair, and then call `done`."""
        loop = asyncio.get_running_loop()
        seconds = min(LEAST_SECONDS + SECONDS_PER_MIB * task.size / _MIB, MOST_SECONDS)
        item = Waiting(label, task, rules, learned, done, seconds, loop.time())
        if self._waiting >= MOST_WAITING:
            self._give_up(item, f"{MOST_WAITING} pairs were waiting before it")
            return
        self._queues.setdefault(label, deque()).append(item)
        self._waiting += 1
        self._send()

    def _send(self) -> None:
        """Send what may be sent."""
        while self._queues and len(self._sent) < _IN_CHILD and not self._closed:
            if self._process is None and not self._start():
                return
            if not self._ready:
                return
            self._order(self._next())

    def _next(self) -> Waiting:
        """Take the next pair of the mirror whose turn it is."""
        label, queue = next(iter(self._queues.items()))
        item = queue.popleft()
        self._waiting -= 1
        del self._queues[label]
        if queue:
            self._queues[label] = queue  # its next turn comes after those of all others
        return item

    def _order(self, item: Waiting) -> None:
        known = self._rules.get(id(item.rules))
        number = known[1] if known is not None else len(self._rules)
        afresh, steps = False, []
        if item.task.ids is not None and item.learned is not None:
            changes = item.learned.changes()
            afresh = changes is None or item.label not in self._synced
            steps = changes if changes is not None and not afresh else item.learned.snapshot()
            self._synced.add(item.label)
        order = Order(item.label, item.task, afresh, steps, number, item.rules if known is None else None)
        self._rules[id(item.rules)] = item.rules, number
        if not self._sent:
            self._began = asyncio.get_running_loop().time()
        self._sent.append(item)
        assert self._transport is not None
        self._transport.write(frame(order))

    # The process

    def _start(self) -> bool:
        """Start the process. If that is impossible, give up what waits."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._failed_at < _REST_SECONDS:
            self._give_up_all("its process could not be started")
            return False
        try:
            ours, its = socket.socketpair()
        except OSError as error:
            self._failed(f"its process cannot be started: {error.strerror or error}")
            return False
        try:
            self._process = subprocess.Popen(
                command(compare_child.__name__, str(self._memory)),
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            self._failed(f"its process cannot be started: {error.strerror or error}")
            return False
        finally:
            its.close()
        self._pipe = pipe = _Pipe(self._received, self._lost)
        ours.setblocking(False)
        self._ready = False
        self._began = loop.time()
        self._connecting = loop.create_task(self._connect(pipe, ours))
        self._watch()
        return True

    async def _connect(self, pipe: _Pipe, ours: socket.socket) -> None:
        transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: pipe, sock=ours)
        if pipe.dropped:
            transport.abort()
        else:
            self._transport = transport

    def _received(self, data: bytes) -> None:
        value = pickle.loads(data)
        if value is None:
            self._ready = True
            self._send()
            return
        done = Done(*value)
        item = self._sent.popleft()
        self._began = asyncio.get_running_loop().time()
        if done.steps and item.learned is not None:
            item.learned.replay(done.steps)
        if done.ends:
            self._stop()
        if done.comparison.verdict is None and done.comparison.notes:
            self._count(item, done.comparison)
        item.done(done.comparison)
        self._send()

    def _lost(self) -> None:
        """The process has ended by itself: the pair that it compared was too much for it."""
        self._end("its process ended, perhaps because memory ran out")

    def _end(self, why: str) -> None:
        """End the process, and give up the pair that it compares; all that wait if it has not started."""
        first = self._sent.popleft() if self._sent else None
        started = self._ready
        self._stop()
        if first is not None:
            self._give_up(first, why)
        elif not started:
            self._failed(why)
        self._send()

    def _failed(self, why: str) -> None:
        """The process did not start. Do not try again for a while."""
        self._failed_at = asyncio.get_running_loop().time()
        self._give_up_all(why)

    def _stop(self) -> None:
        """Kill the process. What it had is sent to the next one, before all others."""
        process, pipe, transport = self._process, self._pipe, self._transport
        self._process = self._pipe = self._transport = None
        self._ready = False
        self._rules.clear()
        self._synced.clear()
        if pipe is not None:
            pipe.dropped = True
        if transport is not None:
            transport.abort()
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            self._killed.append(process)
        while self._sent:
            item = self._sent.pop()
            self._queues.setdefault(item.label, deque()).appendleft(item)
            self._waiting += 1

    # Deadlines

    def _watch(self) -> None:
        if self._timer is None and not self._closed and (self._process or self._queues or self._killed):
            self._timer = asyncio.get_running_loop().call_later(_WATCH_SECONDS, self._look)

    def _look(self) -> None:
        """Whether a deadline is over, four times a second."""
        self._timer = None
        self._collect()
        now = asyncio.get_running_loop().time()
        for label in list(self._queues):
            queue = self._queues[label]
            while queue and now - queue[0].since > PATIENCE_SECONDS:
                self._waiting -= 1
                self._give_up(queue.popleft(), f"it waited for {PATIENCE_SECONDS:g} s behind others")
            if not queue:
                del self._queues[label]
        if self._sent and now - self._began > self._sent[0].seconds:
            self._end(f"it took more than {self._sent[0].seconds:.3g} s")
        elif self._process is not None and not self._ready and now - self._began > START_SECONDS:
            self._end(f"its process did not start within {START_SECONDS:g} s")
        self._watch()

    def _collect(self) -> None:
        """Collect the processes that have ended, so that no zombies are left."""
        self._killed = [process for process in self._killed if process.poll() is None]

    # What is given up

    def _give_up_all(self, why: str) -> None:
        queues, self._queues = self._queues, {}
        self._waiting = 0
        for queue in queues.values():
            for item in queue:
                self._give_up(item, why)

    def _give_up(self, item: Waiting, why: str) -> None:
        comparison = not_compared(why)
        self._count(item, comparison)
        item.done(comparison)

    def _count(self, item: Waiting, comparison: Comparison) -> None:
        """Count a pair that was given up, and log the first one in a while."""
        self.given_up += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOG_SECONDS:
            self._logged_at = now
            request = f"{item.task.method} {item.task.url[:200]!r}"
            self._log(
                f"{item.label}: the responses to {request} were {comparison.notes[0]}. "
                f"Pairs without a verdict for such reasons: {self.given_up}"
            )

    async def close(self, seconds: float) -> None:
        """Wait for so many seconds until nothing waits; give up what is left, and kill the process."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.backlog and loop.time() < deadline:
            await asyncio.sleep(_CLOSE_POLL_SECONDS)
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._stop()
        for queue in self._queues.values():
            for item in queue:
                item.done(not_compared("the proxy ended"))
        self._queues = {}
        self._waiting = 0
        deadline = loop.time() + _END_SECONDS
        while self._killed and loop.time() < deadline:
            await asyncio.sleep(_CLOSE_POLL_SECONDS)
            self._collect()
