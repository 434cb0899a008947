"""The progress bar of a replay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from mirror_addon.compare.report.wording import count
from mirror_addon.display.console import SafeConsole
from mirror_addon.replay.shadows import Shadows

_SHOW_EVERY = 0.2
"""Seconds."""


async def show_progress(shadows: Shadows, position: Callable[[], int], total: float | None) -> None:
    """Draw a bar on stderr until cancelled; return at once where stderr is not a terminal.

    `position` returns how many bytes of captures have been read, of `total`; None: there is no end.
    """
    console = SafeConsole(stderr=True)
    if not console.is_terminal:
        return
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.fields[ended]} shadows  {task.fields[rate]}/s"),
        TextColumn("[red]{task.fields[differing]} differ[/]  [yellow]{task.fields[failed]} without response[/]"),
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
