"""`mirror-addon demo`: the command line of `mirror_addon.demo`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from mirror_addon.cli.console import output_console
from mirror_addon.demo.differences import differing_requests
from mirror_addon.demo.differences import differing_responses
from mirror_addon.demo.proxy import DemoError
from mirror_addon.demo.run import EXAMPLE_RULES
from mirror_addon.demo.run import Demonstration
from mirror_addon.demo.run import Sent
from mirror_addon.demo.run import browse
from mirror_addon.demo.run import demonstrate
from mirror_addon.demo.traffic import PREFIX
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.display.console import SafeConsole
from mirror_addon.processes.signals import stop_signals

WIDTH = 100
"""Columns where the output is not a terminal."""


@click.command()
@click.option("--web", is_flag=True, help="Run mitmweb and send it requests until Ctrl-C.")
@click.option(
    "--rules",
    type=click.Path(exists=True, path_type=Path),
    default=EXAMPLE_RULES,
    help="A changed copy of the worked example's rules.",
)
def demo(web: bool, rules: Path) -> None:
    """Run the worked example: two small upstreams, the proxy in front of them, a dozen requests.

    Prints what each upstream received and how their responses differ. Exit code 1: something was not as it should be.
    """
    console = output_console(WIDTH)
    try:
        found = asyncio.run(_run(console, rules.resolve(), web))
    except DemoError as error:
        raise click.ClickException(str(error)) from None
    except asyncio.CancelledError:
        raise click.Abort from None
    if found is not None:
        _print(console, found)
        if found.problems:
            raise SystemExit(1)


async def _run(console: SafeConsole, rules: Path, web: bool) -> Demonstration | None:
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
        return await demonstrate(rules, say)


def _print(console: SafeConsole, found: Demonstration) -> None:
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False)
    for title, width in (("client", 20), ("v1 received", 23), ("v2 received", 30), ("where v2 differs", None)):
        table.add_column(title, width=width, overflow="fold")
    for sent in found.sent:
        table.add_row(
            _client(sent), _received(sent.primary), _received(sent.shadow), _differing(sent.primary, sent.shadow)
        )
    console.print(table)
    for problem in found.problems:
        console.print(f"NOT AS IT SHOULD BE: {problem}", style="bold red", markup=False)
    console.print()
    console.print(found.summary)
    console.print("The same in mitmweb: `make demo-web`, or `mirror-addon demo --web`.")


def _client(sent: Sent) -> Text:
    text = Text(f"{sent.ask.method} {PREFIX}{sent.ask.path}\n", "bold")
    if sent.ask.content:
        text.append(f"{sent.ask.content}\n")
    return text.append(f"→ {sent.got.response.status} in {sent.got.seconds * 1000:.1f} ms", "green")


def _received(exchange: Exchange | None) -> Text:
    if exchange is None:
        return Text("nothing", "bold red")
    request = exchange.received
    text = Text(f"{request.method} {request.target}\n", "bold")
    text.append(f"{request.field('host')}\n", "cyan")
    hops = request.field("x-forwarded-for") or "none"
    text.append("XFF " + (hops.replace(",", ",\n    ") if len(hops) > 26 else hops), "cyan")
    if request.body:
        text.append(f"\n{len(request.body)} B")
    return text


def _differing(primary: Exchange | None, shadow: Exchange | None) -> Text:
    if primary is None or shadow is None:
        return Text("not comparable", "bold red")
    text = Text(", ".join(differing_requests(primary.received, shadow.received)) + "\n", "cyan")
    differences = list(differing_responses(primary.response, shadow.response))
    text.append("\n".join(differences or ["same response"]), "yellow" if differences else "green")
    return text.append(f"\n{(shadow.seconds - primary.seconds) * 1000:+.0f} ms")
