"""`python -m bench`: throughput and latency kept, CPU and memory used, with every request mirrored.

All contenders run at once. Each gets its load in turn with its base, the same program without mirroring, against the
same upstreams, in many short rounds; a ratio is of two neighbouring turns. The table has medians over the rounds, in
brackets the ratios' quartiles. Peers that are not installed are left out. Prints Markdown.

The load keeps the machine busy, upstreams included: for programs that proxy a request in less than an upstream takes to
answer it, the mirror's own work costs throughput too, and "CPU of bare" is the fairer figure. A turn begins when the
last one's shadows are done, or 8 s later, which is kind to programs that pile them up.
"""

from __future__ import annotations

import contextlib
import statistics
from dataclasses import dataclass

import click

from bench.contenders import Contender
from bench.processes import STATES
from bench.processes import Running
from bench.processes import allow_descriptors
from bench.processes import arrived
from bench.processes import load
from bench.processes import stub
from bench.report import heading
from bench.report import line
from bench.report import machine
from bench.report import spread
from bench.table import MIRRORING

SETTLE = 8.0
"""Seconds that a contender may go on working after its turn; longer than httpx's own timeouts."""
COLUMNS = (
    "mirror",
    "contender",
    "req/s",
    "of bare",
    "p99 ms",
    "of bare",
    "proxy CPU ms/req",
    "of bare",
    "worker CPU ms/req",
    "peak MiB",
    "delivered",
    "errors",
)


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


@dataclass(frozen=True, slots=True)
class Pair:
    """Two neighbouring turns."""

    base: Turn
    own: Turn


def turn(contender: Running, v2: int, clients: int, seconds: float, count: int) -> Turn:
    shadows, before = arrived(v2), contender.usage()
    measured = load(contender.port, clients, seconds, count)
    contender.settle(SETTLE)  # shadows still under way would disturb the next contender
    after = contender.usage()
    requests = max(measured["requests"], 1)
    return Turn(
        rate=measured["requests"] / measured["seconds"],
        p99=measured["p99"],
        errors=int(measured["errors"]),
        proxy_cpu=(after.proxy - before.proxy) * 1000 / requests,
        workers_cpu=(after.workers - before.workers) * 1000 / requests,
        peak=after.proxy_peak + after.workers_peak,
        delivered=(arrived(v2) - shadows) / requests,
    )


def measure(
    state: str, compared: list[Contender], rounds: int, clients: int, seconds: float, count: int
) -> dict[Contender, list[Pair]]:
    """All turns of one state of the mirror, by mirroring contender."""
    pairs: dict[Contender, list[Pair]] = {contender: [] for contender in compared}
    with contextlib.ExitStack() as stack:
        v1, v2 = stack.enter_context(stub("0")), stack.enter_context(stub(STATES[state]))
        running: dict[Contender, Running] = {}
        for contender in with_bases(compared):
            running[contender] = Running(contender.command, v1, v2, workers=contender.workers)
            stack.callback(running[contender].stop)
        for each in running.values():
            turn(each, v2, clients, min(seconds, 1.0), count)  # warm up
        for number in range(rounds):
            turned = number % 2 == 1
            for contender in reversed(compared) if turned else compared:
                assert contender.base
                order = (contender, contender.base) if turned else (contender.base, contender)
                turns = {one: turn(running[one], v2, clients, seconds, count) for one in order}
                pairs[contender].append(Pair(turns[contender.base], turns[contender]))
                click.echo(f"{state}, round {number + 1}, {contender.name}: {pairs[contender][-1]}", err=True)
    return pairs


def with_bases(compared: list[Contender]) -> list[Contender]:
    """Each mirroring contender after its base, and each base once."""
    found: list[Contender] = []
    for contender in compared:
        assert contender.base
        found += [one for one in (contender.base, contender) if one not in found]
    return found


def rows(state: str, pairs: dict[Contender, list[Pair]]) -> list[str]:
    """The table's lines for one state of the mirror."""
    made = []
    for contender in with_bases(list(pairs)):
        if contender.base is None:
            turns = [pair.base for of, its in pairs.items() if of.base is contender for pair in its]
            made.append(row(state, contender, turns, []))
        else:
            made.append(row(state, contender, [pair.own for pair in pairs[contender]], pairs[contender]))
    return made


def row(state: str, contender: Contender, turns: list[Turn], pairs: list[Pair]) -> str:
    """One line: medians of the turns, and the ratios of the pairs, of which a base has none."""

    def median(field: str, digits: int) -> str:
        return f"{statistics.median(getattr(one, field) for one in turns):.{digits}f}"

    def ratio(field: str) -> str:
        if not pairs:
            return "1"
        return spread([getattr(pair.own, field) / max(getattr(pair.base, field), 1e-9) for pair in pairs])

    cells = (
        state,
        contender.name,
        median("rate", 0),
        ratio("rate"),
        median("p99", 1),
        ratio("p99"),
        median("proxy_cpu", 2),
        ratio("proxy_cpu"),
        median("workers_cpu", 2) if contender.workers else "-",
        f"{max(one.peak for one in turns):.0f}",
        median("delivered", 2) if pairs and state != "refused" else "-",
        str(sum(one.errors for one in turns)),
    )
    return line(cells)


BY_NAME = {contender.name: contender for contender in MIRRORING}


@click.command(help=__doc__)
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=0.7, show_default=True, help="Of load in a turn.")
@click.option("--count", default=100_000, show_default=True, help="Most requests in a turn.")
@click.option("--clients", default=16, show_default=True, help="Keep-alive connections.")
@click.option("--state", "states", multiple=True, type=click.Choice(list(STATES)), help="All, if none is given.")
@click.option("--contender", "names", multiple=True, type=click.Choice(list(BY_NAME)), help="All, if none is given.")
def main(
    rounds: int, seconds: float, count: int, clients: int, states: tuple[str, ...], names: tuple[str, ...]
) -> None:
    allow_descriptors()
    wanted = [BY_NAME[name] for name in names] or list(MIRRORING)
    compared = [contender for contender in wanted if contender.program.path is not None]
    missing = [contender for contender in wanted if contender.program.path is None]
    programs = dict.fromkeys(contender.program for contender in compared)
    click.echo(machine(programs))
    click.echo(
        f"{clients} keep-alive clients, 100 % mirrored, medians of {rounds} rounds of {seconds:g} s (quartiles).\n"
    )
    for contender in missing:
        click.echo(f"Left out: {contender.name}, which is not installed ({contender.program.install}).\n")
    click.echo(heading(COLUMNS, texts=2))
    for state in states or STATES:
        for made in rows(state, measure(state, compared, rounds, clients, seconds, count)):
            click.echo(made)


if __name__ == "__main__":
    main(prog_name="python -m bench")
