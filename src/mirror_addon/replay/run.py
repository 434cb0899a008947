"""`mirror-addon replay`: recorded requests, sent to the mirrors of the rules and compared with the recording.

Theory of operation. The command runs in one process with one event loop, in the main thread, plus the worker processes
of the shadow engine. There is no primary: its part is taken by the recorded response.

    source.py    reads a capture, applies the filters, counts what cannot be sent
    order.py     sorts the exchanges by start time and turns them into `Turn`s: amplified, looped, with times
    player.py    starts each turn when it is due and after what its client had waited for (`Pace`, `Player`, `Room`)
    planner.py   routes the request of a turn by the rules and builds its shadows (`Choices`, `Planner`)
    shadows.py   hands the shadows to the engine, and the recorded response as the primary's; counts the verdicts
    summary.py   what is printed at the end

Back-pressure is what distinguishes a replay from the proxy: the proxy drops shadows that do not fit the queue, while a
replay waits until there is room, unless `--rate` asks for a fixed rate. Captures are read only as far ahead as is
needed, so their size does not matter. All random numbers derive from the seed and the turn's number, not from the order
in which mirrors respond; two replays with the same seed make the same choices.

`dry_run.py` plans the same turns and sends nothing. `setup.py` holds what all of this is given; `arguments.py` parses
the values of the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

from mirror_addon.captures.stream import CaptureError
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.dispatch.counters import TargetCounters
from mirror_addon.processes.signals import stop_signals
from mirror_addon.replay.order import Turn
from mirror_addon.replay.order import turns
from mirror_addon.replay.player import Player
from mirror_addon.replay.progress import show_progress
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.shadows import Shadows
from mirror_addon.replay.source import Source

_VERDICTS = 30.0
"""Seconds to wait at the end for comparisons that are not finished."""
_LAST_VERDICTS = 0.5
"""The same after Ctrl-C."""


@dataclass(slots=True)
class Replay:
    """The result of a replay. Times are seconds."""

    requests: int = 0
    """Turns that started: a request counts `amplify` times `loops`."""
    mirrored: int = 0
    """Those of them that got shadows."""
    given_up: int = 0
    """Those that were not sent because of Ctrl-C."""
    delayed: int = 0
    """Shadows delayed by `--fault`."""
    aborted: int = 0
    """Shadows cut by `--fault`."""
    seconds: float = 0.0
    latest: float = 0.0
    """How far a turn was behind its time, at most."""
    interrupted: bool = False
    problem: str = ""
    """Why a capture could not be read to its end."""
    shadows: TargetCounters = field(default_factory=TargetCounters)
    missing: dict[str, str] = field(default_factory=dict)
    """Why mirrors have no endpoint and what gives them one, by label."""
    blanked: dict[str, int] = field(default_factory=dict)
    """Requests sent without a header field that was redacted when they were recorded, by the field's name."""
    tally: RecordTally = field(default_factory=RecordTally)


async def replay(setup: Setup, sources: list[Source]) -> Replay:
    """Replay the sources to their end.

    The first SIGINT or SIGTERM stops reading and gives the shadows in flight `mirror_drain` seconds; the second ends
    the replay at once.
    """
    run = _Run(setup, sources)
    with stop_signals(run.interrupt):
        return await run.complete()


async def replay_within(setup: Setup, sources: list[Source], seconds: float) -> Replay:
    """Replay the sources without regard to signals, also outside of the main thread.

    After `seconds` it stops as for the first signal.
    """
    run = _Run(setup, sources)
    timer = asyncio.get_running_loop().call_later(seconds, run.interrupt)
    try:
        return await run.complete()
    finally:
        timer.cancel()


class _Run:
    """One replay and its state. Needs the running event loop."""

    def __init__(self, setup: Setup, sources: list[Source]) -> None:
        self._setup = setup
        self._sources = sources
        self._shadows = Shadows(setup)
        self._player = Player(setup.pace, self._shadows.send)
        self._found = Replay()
        self._position = 0
        self._hurried = False

    def interrupt(self) -> None:
        if self._found.interrupted:
            self._hurried = True
            self._player.cancel()
            return
        self._found.interrupted = True
        self._player.stop()
        self._shadows.stop()
        asyncio.get_running_loop().call_later(self._setup.settings.drain, self._player.cancel)

    async def complete(self) -> Replay:
        loop = asyncio.get_running_loop()
        sizes = [source.size for source in self._sources]
        total = sum(sizes) * self._setup.repeats.loops
        await self._shadows.ready()
        begin = loop.time()
        progress = asyncio.create_task(
            show_progress(self._shadows, lambda: self._position, None if math.isinf(total) else total)
        )
        try:
            await self._player.play(self._turns(sizes))
        except CaptureError as error:
            self._found.problem = str(error)
        finally:
            self._found.seconds = loop.time() - begin
            progress.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await progress
            await self._shadows.close(self._drain())
        return self._result()

    def _turns(self, sizes: list[int]) -> Iterator[Turn]:
        for turn in turns(self._sources, sizes, self._setup.repeats):
            yield turn
            self._found.requests += 1
            self._position = turn.done

    def _drain(self) -> float:
        """Seconds that shadows and comparisons may still take."""
        if self._hurried:
            return 0.0
        return _LAST_VERDICTS if self._found.interrupted else _VERDICTS

    def _result(self) -> Replay:
        found, shadows = self._found, self._shadows
        found.mirrored, found.given_up = shadows.mirrored, shadows.given_up
        found.delayed, found.aborted = shadows.delayed, shadows.aborted
        found.latest = self._player.latest
        found.shadows = shadows.dispatcher.counters.totals()
        found.missing = dict(shadows.planner.missing)
        found.blanked = dict(shadows.planner.blanked)
        found.tally = shadows.tally
        return found
