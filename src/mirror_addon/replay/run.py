"""One replay, from its begin to its end or to Ctrl-C, with a progress bar for people."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from mirror_addon.captures.stream import CaptureError
from mirror_addon.compare.report.tally import RecordTally
from mirror_addon.compare.report.wording import count
from mirror_addon.dispatch.counters import TargetCounters
from mirror_addon.options.settings import Settings
from mirror_addon.replay.order import Turn
from mirror_addon.replay.order import turns
from mirror_addon.replay.planner import Choices
from mirror_addon.replay.player import Pace
from mirror_addon.replay.player import Player
from mirror_addon.replay.shadows import Shadows
from mirror_addon.replay.source import Source
from mirror_addon.routing.table import RouteTable

_SHOW_EVERY = 0.2
_VERDICTS = 30.0
"""Seconds for what is still compared at the end."""
_LAST_VERDICTS = 0.5


@dataclass(frozen=True, slots=True)
class Repeats:
    amplify: int = 1
    loops: float = 1


@dataclass(slots=True)
class Replay:
    """What came of a replay. Times are seconds."""

    requests: int = 0
    """Turns that began: a request `amplify` times `loops`."""
    mirrored: int = 0
    """Those of them that got shadows."""
    given_up: int = 0
    """Those that did not begin because of Ctrl-C."""
    delayed: int = 0
    aborted: int = 0
    seconds: float = 0.0
    latest: float = 0.0
    interrupted: bool = False
    problem: str = ""
    """Why a capture could not be read to its end."""
    shadows: TargetCounters = field(default_factory=TargetCounters)
    blanked: dict[str, int] = field(default_factory=dict)
    tally: RecordTally = field(default_factory=RecordTally)


async def replay(
    settings: Settings,
    table: RouteTable,
    local_address: bytes,
    sources: list[Source],
    pace: Pace,
    repeats: Repeats,
    choices: Choices,
) -> Replay:
    """Play the sources. The first Ctrl-C or SIGTERM ends it as `mirror_drain` says, the second at once."""
    loop = asyncio.get_running_loop()
    shadows = Shadows(settings, table, local_address, choices)
    player = Player(pace, shadows.send)
    found = Replay()
    drain = _VERDICTS
    hurried = False

    def stop() -> None:
        nonlocal hurried
        if not found.interrupted:
            found.interrupted = True
            player.stop()
            shadows.stop()
            loop.call_later(settings.drain, player.cancel)
        else:
            hurried = True
            player.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await shadows.ready()
    begin = loop.time()
    position = 0
    sizes = [source.size for source in sources]

    def counted() -> Iterator[Turn]:
        nonlocal position
        for turn in turns(sources, sizes, amplify=repeats.amplify, loops=repeats.loops):
            yield turn
            found.requests += 1
            position = turn.done

    total = sum(sizes) * repeats.loops
    showing = asyncio.create_task(_show(shadows, lambda: position, None if math.isinf(total) else total))
    try:
        try:
            await player.play(counted())
        except CaptureError as error:
            found.problem = str(error)
        found.seconds = loop.time() - begin
        if found.interrupted:
            drain = 0.0 if hurried else _LAST_VERDICTS
    finally:
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing
        await shadows.close(drain)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    found.mirrored, found.given_up = shadows.mirrored, shadows.given_up
    found.delayed, found.aborted = shadows.delayed, shadows.aborted
    found.latest = player.latest
    found.shadows = shadows.dispatcher.counters.totals()
    found.blanked = dict(shadows.planner.blanked)
    found.tally = shadows.tally
    return found


async def _show(shadows: Shadows, position: Callable[[], int], total: float | None) -> None:
    """A bar on stderr, while this runs and where it is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.fields[ended]} shadows  {task.fields[rate]}/s"),
        TextColumn("[red]{task.fields[differing]} differ[/]  [yellow]{task.fields[failed]} without answer[/]"),
        TimeRemainingColumn(),
    )
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total, ended="0", rate="0", differing="0", failed="0")
        while True:
            await asyncio.sleep(_SHOW_EVERY)
            bar.update(
                task,
                completed=position(),
                ended=count(shadows.ended),
                rate=f"{shadows.ended / (loop.time() - begin):,.0f}",
                differing=count(shadows.differing),
                failed=count(shadows.failed),
            )
