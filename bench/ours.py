"""`python -m bench.ours`: mirror_addon against bare mitmdump and nothing else, in many short turns.

A round is bare, mirrored, mirrored, bare, so that a machine that grows slower is not taken for a slow addon; a round's
ratio is of both turns of each. The table has the medians of the rounds' ratios with their quartiles, and the interval
in which the true median lies with 95 % (bootstrap). `--control` runs a second bare mitmdump in the addon's place: how
far that is from 1.00 is what the machine's noise alone makes. `--slow-hooks` leaves mitmproxy's dispatch of hooks as it
is (mirror_fast_hooks=false): the difference is then what mirroring takes, without what the addon gives back. `--beside`
has another process send as many shadows while bare mitmdump's turns last: what is left of the difference is what the
addon does in the proxy, and the rest is that of a machine that has the worker and the mirror to run as well.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.contenders import bare
from bench.contenders import mirror_addon
from bench.contenders import mirror_addon_slow_hooks
from bench.processes import STATES
from bench.processes import Running
from bench.processes import allow_descriptors
from bench.processes import arrived
from bench.processes import load
from bench.processes import stub
from bench.report import heading
from bench.report import interval
from bench.report import line
from bench.report import machine
from bench.report import spread

COLUMNS = (
    "mirror",
    "req/s, bare",
    "throughput of bare",
    "95 %",
    "p99 of bare",
    "95 %",
    "proxy CPU of bare",
    "95 %",
    "us added",
    "delivered",
    "errors",
)
WARM_UP = 1.5
STARTING = 0.3
"""Seconds that a load may need before its first request."""


class Beside:
    """`bench.beside` for one mirror."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "bench.beside", str(port)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def begin(self, rate: float, seconds: float) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{rate} {seconds}\n")

    def wait(self) -> None:
        assert self._process.stdout
        if self._process.stdout.readline() != "done\n":
            raise RuntimeError("bench.beside has ended")

    def __enter__(self) -> Beside:
        self.begin(1.0, 1.0)  # its worker has started then
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()


@dataclass(frozen=True, slots=True)
class Turn:
    """A load on one proxy: requests a second, p99 in milliseconds, the proxy's CPU in microseconds a request."""

    rate: float
    p99: float
    cpu: float
    delivered: float
    errors: int


class State:
    """A mirror in one state, with both proxies running before it."""

    def __init__(
        self, name: str, own: Callable[[Ports, Path], list[str]], beside: bool, clients: int, seconds: float
    ) -> None:
        self.name = name
        self.clients = clients
        self.seconds = seconds
        self.bare: list[Turn] = []
        self.own: list[Turn] = []
        self._stack = contextlib.ExitStack()
        self._v1 = self._stack.enter_context(stub("0"))
        self._v2 = self._stack.enter_context(stub(STATES[name]))
        self._bare = self._start(bare, workers=False)
        self._own = self._start(own, workers=own is not bare)
        for each in (self._bare, self._own):
            warm = load(each.port, clients, WARM_UP, 1_000_000)
        self._rate = warm["requests"] / warm["seconds"]
        """Of the addon, the last time."""
        self._beside = self._stack.enter_context(Beside(self._v2)) if beside else None

    def _start(self, command: Callable[[Ports, Path], list[str]], *, workers: bool) -> Running:
        running = Running(command, self._v1, self._v2, workers=workers)
        self._stack.callback(running.stop)
        return running

    def close(self) -> None:
        self._stack.close()

    def round(self) -> None:
        """Four turns."""
        self.bare.append(self._turn(self._bare, self._beside))
        self.own += [self._turn(self._own), self._turn(self._own)]
        self._rate = self.own[-1].rate
        self.bare.append(self._turn(self._bare, self._beside))

    def _turn(self, proxy: Running, beside: Beside | None = None) -> Turn:
        shadows, before = arrived(self._v2), proxy.usage()
        if beside is not None:
            beside.begin(self._rate, self.seconds + STARTING)
        measured = load(proxy.port, self.clients, self.seconds, 1_000_000)
        if beside is not None:
            beside.wait()
        proxy.settle(1.0)  # what is left of its shadows would disturb the next turn
        after = proxy.usage()
        requests = max(measured["requests"], 1)
        return Turn(
            rate=measured["requests"] / measured["seconds"],
            p99=measured["p99"],
            cpu=(after.proxy - before.proxy) * 1e6 / requests,
            delivered=(arrived(self._v2) - shadows) / requests,
            errors=int(measured["errors"]),
        )

    def row(self) -> str:
        """The table's line."""
        cells = [self.name, f"{statistics.median(turn.rate for turn in self.bare):.0f}"]
        for field in ("rate", "p99", "cpu"):
            ratios = [own / base for own, base in zip(_sums(self.own, field), _sums(self.bare, field), strict=True)]
            cells += [spread(ratios, 3), interval(ratios, random.Random(1), 3)]
        added = [(own - base) / 2 for own, base in zip(_sums(self.own, "cpu"), _sums(self.bare, "cpu"), strict=True)]
        delivered = statistics.fmean(turn.delivered for turn in self.own)
        cells += [f"{statistics.median(added):.0f}", f"{delivered:.3f}" if self.name != "refused" else "-"]
        return line([*cells, str(sum(turn.errors for turn in self.bare + self.own))])


def _sums(turns: Sequence[Turn], field: str) -> list[float]:
    """Of the two turns of each round."""
    values = [getattr(turn, field) for turn in turns]
    return [first + second for first, second in zip(values[::2], values[1::2], strict=True)]


@click.command(help=__doc__)
@click.option("--rounds", default=30, show_default=True, type=click.IntRange(2))
@click.option("--seconds", default=0.7, show_default=True, help="Of load in a turn.")
@click.option("--clients", default=16, show_default=True, help="Keep-alive connections.")
@click.option("--state", "states", multiple=True, type=click.Choice(list(STATES)), help="All, if none is given.")
@click.option("--control", is_flag=True, help="Compare bare mitmdump with itself.")
@click.option("--slow-hooks", is_flag=True, help="With mirror_fast_hooks=false.")
@click.option("--beside", is_flag=True, help="Another process sends as many shadows beside bare mitmdump.")
def main(
    rounds: int, seconds: float, clients: int, states: tuple[str, ...], control: bool, slow_hooks: bool, beside: bool
) -> None:
    allow_descriptors()
    own = bare if control else mirror_addon_slow_hooks if slow_hooks else mirror_addon
    click.echo(machine())
    click.echo(f"{clients} keep-alive clients, 100 % mirrored, {rounds} rounds of four turns of {seconds:g} s.\n")
    click.echo(heading(COLUMNS))
    for name in states or STATES:
        state = State(name, own, beside, clients, seconds)
        try:
            for number in range(rounds):
                state.round()
                click.echo(f"{name}, round {number + 1}: {state.own[-1]}", err=True)
            click.echo(state.row())
        finally:
            state.close()


if __name__ == "__main__":
    main(prog_name="python -m bench.ours")
