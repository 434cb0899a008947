"""`mirror-addon demo`: the command line of `mirror_addon.demo`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from mirror_addon.cli.console import output_console
from mirror_addon.cli.demo_story import Story
from mirror_addon.demo.proxy import DemoError
from mirror_addon.demo.run import EXAMPLE_RULES
from mirror_addon.demo.run import Demonstration
from mirror_addon.demo.run import browse
from mirror_addon.demo.run import demonstrate
from mirror_addon.display.console import SafeConsole
from mirror_addon.processes.signals import stop_signals

WIDTH = 80
"""Columns where the output is not a terminal."""


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Show what both upstreams received, with times.")
@click.option("--web", is_flag=True, help="Run mitmweb and send it requests until Ctrl-C.")
@click.option(
    "--rules",
    type=click.Path(exists=True, path_type=Path),
    default=EXAMPLE_RULES,
    help="A changed copy of the worked example's rules.",
)
def demo(verbose: bool, web: bool, rules: Path) -> None:
    """Run the worked example: two small upstreams, the proxy in front of them, a dozen requests.

    Prints a line for each request: both statuses, and how the response of v2 differs. Exit code 1: something was not as
    it should be.
    """
    console = output_console(WIDTH)
    story = Story(console, verbose)
    try:
        found = asyncio.run(_run(console, rules.resolve(), web, story))
    except DemoError as error:
        raise click.ClickException(str(error)) from None
    except asyncio.CancelledError:
        raise click.Abort from None
    if found is not None:
        story.end(found)
        if found.problems:
            raise SystemExit(1)


async def _run(console: SafeConsole, rules: Path, web: bool, story: Story) -> Demonstration | None:
    def say(text: str) -> None:
        console.print(text, soft_wrap=web, markup=False)

    if web:
        stopped = asyncio.Event()
        with stop_signals(stopped.set):
            await browse(rules, say, stopped)
        return None
    task = asyncio.current_task()
    assert task
    with stop_signals(task.cancel):
        return await demonstrate(rules, say, story.show)
