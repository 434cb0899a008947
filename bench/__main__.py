"""`python -m bench`: throughput and latency kept, CPU and memory used, with every request mirrored.

All contenders run at once and get their load in turn, round by round, against the same upstreams; a ratio is of two
neighbouring turns, and the table has the medians over the rounds. Prints Markdown.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version

import click

from bench.contenders import CONTENDERS
from bench.contenders import ROOT
from bench.contenders import Ports
from bench.processes import Contender
from bench.processes import arrived
from bench.processes import free_port
from bench.processes import stub

STATES = {"healthy": "0", "hung": "hang", "refused": "refuse", "slow": "0.2"}
"""The mirror's states: what `bench.stub` does."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contender did under load once. CPU in milliseconds a request, memory in MiB, p99 in milliseconds."""

    rate: float
    p99: float
    errors: int
    proxy_cpu: float
    workers_cpu: float
    peak: float
    delivered: float


def load(port: int, clients: int, seconds: float, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.load", str(port), str(clients), str(seconds), str(count)]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=seconds + 60)
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


def turn(contender: Contender, v2: int, clients: int, seconds: float, count: int) -> Turn:
    shadows, before = arrived(v2), contender.usage()
    measured = load(contender.port, clients, seconds, count)
    proxy_after = contender.usage().proxy
    contender.settle(5)  # shadows still under way would disturb the next contender
    after = contender.usage()
    requests = max(measured["requests"], 1)
    return Turn(
        rate=measured["requests"] / measured["seconds"],
        p99=measured["p99"],
        errors=int(measured["errors"]),
        proxy_cpu=(proxy_after - before.proxy) * 1000 / requests,
        workers_cpu=(after.workers - before.workers) * 1000 / requests,
        peak=after.proxy_peak + after.workers_peak,
        delivered=(arrived(v2) - shadows) / requests,
    )


def measure(
    state: str, names: list[str], rounds: int, clients: int, seconds: float, count: int
) -> dict[str, list[Turn]]:
    """All turns of one state of the mirror, by contender."""
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    with contextlib.ExitStack() as stack:
        v1, v2 = stack.enter_context(stub("0")), stack.enter_context(stub(STATES[state]))
        contenders = []
        for name in names:
            port = free_port()
            contenders.append(Contender(name, CONTENDERS[name](Ports(port, v1, v2)), port))
            stack.callback(contenders[-1].stop)
        for contender in contenders:
            turn(contender, v2, clients, min(seconds, 1.0), count)  # warm up
        for number in range(rounds):
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                turns[contender.name].append(turn(contender, v2, clients, seconds, count))
                click.echo(f"{state}, round {number + 1}, {contender.name}: {turns[contender.name][-1]}", err=True)
    return turns


def row(state: str, name: str, own: list[Turn], base: list[Turn]) -> str:
    """One line of the table: medians, and medians of the ratios to the base's turn of the same round."""

    def median(field: str) -> float:
        return statistics.median(getattr(one, field) for one in own)

    def ratio(field: str) -> float:
        return statistics.median(
            getattr(one, field) / max(getattr(other, field), 1e-9) for one, other in zip(own, base, strict=True)
        )

    delivered = f"{median('delivered'):.2f}" if own is not base and state != "refused" else "-"
    cells = (
        state,
        name,
        f"{median('rate'):.0f}",
        f"{ratio('rate'):.2f}",
        f"{median('p99'):.1f}",
        f"{ratio('p99'):.2f}",
        f"{median('proxy_cpu'):.2f}",
        f"{ratio('proxy_cpu'):.2f}",
        f"{median('workers_cpu'):.2f}",
        f"{max(one.peak for one in own):.0f}",
        delivered,
        str(sum(one.errors for one in own)),
    )
    return f"| {' | '.join(cells)} |"


HEADER = (
    "| mirror | contender | req/s | of bare | p99 ms | of bare | proxy CPU ms/req | of bare | worker CPU ms/req "
    "| peak MiB | delivered | errors |"
)


@click.command(help=__doc__)
@click.option("--rounds", default=12, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=1.5, show_default=True, help="Of load in a turn.")
@click.option("--count", default=100_000, show_default=True, help="Most requests in a turn.")
@click.option("--clients", default=16, show_default=True, help="Keep-alive connections.")
@click.option("--state", "states", multiple=True, type=click.Choice(list(STATES)), help="All, if none is given.")
@click.option("--contender", "names", multiple=True, type=click.Choice(list(CONTENDERS)), help="All, if none is given.")
def main(
    rounds: int, seconds: float, count: int, clients: int, states: tuple[str, ...], names: tuple[str, ...]
) -> None:
    base = next(iter(CONTENDERS))
    compared = [base, *(name for name in names or CONTENDERS if name != base)]
    click.echo(
        f"mitmproxy {version('mitmproxy')}, Python {platform.python_version()}, {os.cpu_count()} cores; "
        f"{clients} keep-alive clients, medians of {rounds} rounds of {seconds:g} s, 100 % mirrored.\n"
    )
    click.echo(HEADER)
    click.echo("|---|---|" + "---:|" * 10)
    for state in states or STATES:
        turns = measure(state, compared, rounds, clients, seconds, count)
        for name in compared:
            click.echo(row(state, name, turns[name], turns[base]))


if __name__ == "__main__":
    main(prog_name="python -m bench")
