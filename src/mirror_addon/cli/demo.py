"""`mirror-addon demo`: the worked example with real traffic, printed side by side."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import signal
import statistics
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mirror_addon.demo.differences import differing_answers
from mirror_addon.demo.differences import differing_requests
from mirror_addon.demo.differences import problems
from mirror_addon.demo.proxy import Proxy
from mirror_addon.demo.proxy import running
from mirror_addon.demo.traffic import ASKS
from mirror_addon.demo.traffic import HOST
from mirror_addon.demo.traffic import PATIENCE
from mirror_addon.demo.traffic import PREFIX
from mirror_addon.demo.traffic import Ask
from mirror_addon.demo.traffic import Got
from mirror_addon.demo.traffic import send
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Upstream

EXAMPLE_RULES = Path(__file__).with_name("example_rules")
"""In a checkout a link to `rules/`, in an installed package a copy of it."""
WIDTH = 100
"""Columns where the output is no terminal."""


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


def _client(ask: Ask, got: Got) -> Text:
    text = Text(f"{ask.method} {PREFIX}{ask.path}\n", "bold")
    if ask.content:
        text.append(f"{ask.content}\n")
    return text.append(f"→ {got.answer.status} in {got.seconds * 1000:.1f} ms", "green")


def _differing(primary: Exchange | None, shadow: Exchange | None) -> Text:
    if primary is None or shadow is None:
        return Text("not comparable", "bold red")
    text = Text(", ".join(differing_requests(primary.received, shadow.received)) + "\n", "cyan")
    answers = list(differing_answers(primary.answer, shadow.answer))
    text.append("answer: " + "\n".join(answers or ["the same"]), "yellow" if answers else "green")
    return text.append(f"\n{(shadow.seconds - primary.seconds) * 1000:+.0f} ms")


async def _table(proxy: Proxy, v1: Upstream, v2: Upstream) -> tuple[Table, str, list[str]]:
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False)
    for title, width in (("client", 20), ("v1 received", 23), ("v2 received", 30), ("where v2 differs", None)):
        table.add_column(title, width=width, overflow="fold")
    answers: list[float] = []
    late: list[float] = []
    wrong: list[str] = []
    for ask in ASKS:
        try:
            got = await asyncio.to_thread(send, proxy.address, ask)
        except (OSError, http.client.HTTPException) as error:
            raise click.ClickException(f"{ask.method} {ask.path}: {error!r}\n{proxy.output}") from None
        answers.append(got.seconds)
        primary = await v1.next(0)  # v1 answered before the client got the answer, or never
        shadow = await v2.next(0.5 if wrong else PATIENCE) if primary else None
        table.add_row(_client(ask, got), _received(primary), _received(shadow), _differing(primary, shadow))
        wrong += [f"{ask.method} {ask.path}: {problem}" for problem in problems(got.answer, primary, shadow)]
        if shadow:
            late.append(shadow.seconds)
    waited = statistics.median(answers) * 1000
    summary = f"{len(ASKS)} requests: the client waited {waited:.1f} ms"
    if not late:
        return table, f"{summary} (median), v2 received none of them.", wrong
    took = statistics.median(late) * 1000
    if waited >= took:
        wrong.append("the client waited as long as v2 took")
    return table, f"{summary}, v2 took {took:.1f} ms (medians).", wrong


async def _show(console: Console, rules: Path) -> bool:
    """The demo in the terminal; True when all was as it should be."""
    async with Upstream("v1", 0.0) as v1, Upstream("v2", 0.12) as v2:
        console.print(f"v1 listens on {v1.address}, v2 on {v2.address}, the rules are {rules}.")
        async with running(rules, v1, v2, web=False) as proxy:
            console.print(f"mitmdump with the addon listens on {proxy.address[0]}:{proxy.address[1]}.\n")
            table, summary, wrong = await _table(proxy, v1, v2)
    console.print(table)
    if proxy.process.returncode or "Traceback" in proxy.output:
        wrong.append(f"the proxy ended with {proxy.process.returncode}:\n{proxy.output}")
    for problem in wrong:
        console.print(f"NOT AS IT SHOULD BE: {problem}", style="bold red", markup=False)
    console.print()
    console.print(summary)
    console.print("The same in mitmweb: `make demo-web`, or `mirror-addon demo --web`.")
    return not wrong


async def _browse(console: Console, rules: Path) -> bool:
    """mitmweb with traffic, a request a second, until Ctrl-C."""
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    async with (
        Upstream("v1", 0.0) as v1,
        Upstream("v2", 0.12) as v2,
        running(rules, v1, v2, web=True) as proxy,
    ):
        address = f"{proxy.address[0]}:{proxy.address[1]}"
        console.print(f"mitmweb: {proxy.url}", soft_wrap=True)
        console.print(f"Send it more: curl -x http://{address} http://{HOST}{PREFIX}/orders/17", soft_wrap=True)
        console.print("A request a second goes through it. Ctrl-C ends it.")
        while not interrupted.is_set() and proxy.process.returncode is None:
            for ask in ASKS:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    await asyncio.to_thread(send, proxy.address, ask)
                v1.forget()
                v2.forget()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(interrupted.wait(), 1)
                if interrupted.is_set() or proxy.process.returncode is not None:
                    break
    if proxy.process.returncode:
        console.print(proxy.output, markup=False)
    return not proxy.process.returncode


async def _run(console: Console, rules: Path, web: bool) -> bool:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await (_browse if web else _show)(console, rules)


@click.command()
@click.option("--web", is_flag=True, help="Leave mitmweb open, with traffic, until Ctrl-C.")
@click.option(
    "--rules",
    type=click.Path(exists=True, path_type=Path),
    default=EXAMPLE_RULES,
    help="A changed copy of the worked example's rules.",
)
def demo(web: bool, rules: Path) -> None:
    """Run the worked example: two small upstreams, the proxy between them, a dozen requests, what each side saw.

    Exits with 1 when anything was not as it should be.
    """
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    if not asyncio.run(_run(console, rules.resolve(), web)):
        raise SystemExit(1)
