"""`python -m bench.saturation`: how many shadows workers deliver at most, and the memory that a dead mirror costs.

First the shadow engine alone, fed by a small process, with several numbers of workers in turn. Then many requests
through mitmdump with mirror_addon while the mirror hangs, or is in another state. Prints Markdown.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

import click

from bench.contenders import ROOT
from bench.contenders import mirror_addon
from bench.processes import STATES
from bench.processes import Running
from bench.processes import allow_descriptors
from bench.processes import arrived
from bench.processes import children
from bench.processes import cpu
from bench.processes import load
from bench.processes import stub
from bench.report import heading
from bench.report import line
from bench.report import machine
from bench.report import spread

RATES = (
    "workers",
    "shadows/s",
    "of the first line",
    "worker CPU ms/shadow",
    "hand-over CPU ms/shadow",
    "mirror CPU ms/shadow",
    "workers' peak MiB",
)
MEMORY = (
    "mirror",
    "requests",
    "req/s",
    "errors",
    "shadows arrived",
    "proxy peak MiB",
    "worker peak MiB",
    "sum",
    "of the first line",
)


def drive(port: int, workers: int, seconds: float) -> dict[str, float]:
    """What `bench.driver` measured, and the stub's CPU milliseconds a shadow of all its time."""
    command = [sys.executable, "-m", "bench.driver", str(port), str(workers), str(seconds)]
    shadows, used = arrived(port), sum(map(cpu, children(os.getpid())))
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=seconds + 60)
    measured: dict[str, float] = json.loads(ran.stdout)
    used = sum(map(cpu, children(os.getpid()))) - used  # the stub is the only process left
    measured["stub_cpu"] = used * 1000 / max(arrived(port) - shadows, 1)
    return measured


def saturate(counts: tuple[int, ...], rounds: int, seconds: float) -> None:
    measured: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    with stub("0") as v2:
        for number in range(rounds):
            for count in counts if number % 2 == 0 else reversed(counts):
                measured[count].append(drive(v2, count, seconds))
                click.echo(f"round {number + 1}, {count} workers: {measured[count][-1]}", err=True)
    first = [turn["rate"] for turn in measured[counts[0]]]
    click.echo(f"To a stub that answers at once, medians of {rounds} rounds of {seconds:g} s (quartiles).\n")
    click.echo(heading(RATES))
    for count, turns in measured.items():
        rates = [turn["rate"] for turn in turns]
        ratios = [own / base for own, base in zip(rates, first, strict=True)]
        costs = [
            f"{statistics.median(turn[field] for turn in turns):.3f}"
            for field in ("worker_cpu", "driver_cpu", "stub_cpu")
        ]
        peak = f"{max(turn['peak'] for turn in turns):.0f}"
        click.echo(line([str(count), spread(rates, 0), spread(ratios), *costs, peak]))
    click.echo()


def remember(state: str, requests: int, clients: int, seconds: float, first: float | None) -> tuple[str, float]:
    """The line of one state of the mirror, and the sum of both peaks; `first`: that of the line all are compared to."""
    with stub("0") as v1, stub(STATES[state]) as v2:
        proxy = Running(mirror_addon, v1, v2, workers=True)
        try:
            measured = load(proxy.port, clients, seconds, requests)
            usage, shadows = proxy.usage(), arrived(v2)
        finally:
            proxy.stop()
    total = usage.proxy_peak + usage.workers_peak
    cells = (
        state,
        f"{measured['requests']:.0f}",
        f"{measured['requests'] / measured['seconds']:.0f}",
        f"{measured['errors']:.0f}",
        str(shadows) if state != "refused" else "-",
        f"{usage.proxy_peak:.0f}",
        f"{usage.workers_peak:.0f}",
        f"{total:.0f}",
        f"{total / (first or total):.2f}",
    )
    return line(cells), total


@click.command(help=__doc__)
@click.option("--rounds", default=6, show_default=True, type=click.IntRange(0), help="0 leaves the first table out.")
@click.option("--seconds", default=1.0, show_default=True, help="Of measuring in a turn.")
@click.option("--workers", "counts", multiple=True, default=(1, 2, 4), show_default=True, type=click.IntRange(1))
@click.option("--requests", default=20_000, show_default=True, help="In each state; 0 leaves the second table out.")
@click.option("--most", default=120.0, show_default=True, help="Seconds that those requests may take.")
@click.option("--clients", default=16, show_default=True, help="Keep-alive connections.")
@click.option(
    "--state", "states", multiple=True, default=("healthy", "hung", "refused"), show_default=True,
    type=click.Choice(list(STATES)),
)  # fmt: skip
def main(
    rounds: int,
    seconds: float,
    counts: tuple[int, ...],
    requests: int,
    most: float,
    clients: int,
    states: tuple[str, ...],
) -> None:
    allow_descriptors()
    click.echo(f"{machine()}\n")
    if rounds:
        saturate(counts, rounds, seconds)
    if requests:
        click.echo(f"mirror_addon in mitmdump, {clients} keep-alive clients, {requests} requests, 100 % mirrored.\n")
        click.echo(heading(MEMORY))
        first = None
        for state in states:
            row, total = remember(state, requests, clients, most, first)
            first = first or total
            click.echo(row)


if __name__ == "__main__":
    main(prog_name="python -m bench.saturation")
