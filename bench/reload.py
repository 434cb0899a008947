"""What reloads of many rules add to requests in flight: `python -m bench.reload [--routes 10000] [--every 2]`.

A steady load, below what the proxy can do, runs all the time: requests are due at fixed moments, and a latency counts
from then on, even if the client itself is late. Spells without reloads and spells in which the rules' file is rewritten
again and again, every fourth time with an error in it, take turns (one without, two with, one without), so that both
are measured under the same conditions. Prints the latencies of both in Markdown, and where the true ratio of their p99
lies with 95 %, by a bootstrap of the turns.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import mirror_addon
from bench.processes import Running
from bench.processes import stub
from bench.report import RESAMPLES
from bench.report import heading
from bench.report import line
from bench.report import machine

CONNECTIONS = 8
GRACE = 10.0
"""Seconds that a response may take."""
LEAD_IN = 1.5
"""Seconds from the first rewrite until reloads are surely under way."""
LEAD_OUT = 3.0
"""Seconds from the last rewrite until its reload is surely over."""
ROUTE = """  - match: [{{uri: {{prefix: /team{0}/service{1}/}}}}]
    rewrite: {{uri: /}}
    route: [{{destination: {{host: serviceB, subset: v1}}}}]
    mirror: {{host: serviceB, subset: v2}}
"""
HEAD = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: many, annotations: {{generation: "{0}"}}}}
spec:
  hosts: [many.test]
  http:
"""
BROKEN = "  - {mirrorr: {host: serviceB}}\n"


def write_rules(folder: Path, routes: str, generation: int) -> None:
    text = HEAD.format(generation) + routes
    if generation % 4 == 3:
        text += BROKEN
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / "many.yaml")


def route_lines(routes: int) -> str:
    return "".join(ROUTE.format(number % 100, number) for number in range(routes))


class Load:
    """Requests that are due at fixed moments, `rate` a second over a few keep-alive connections, until it is left."""

    def __init__(self, port: int, path: str, rate: float) -> None:
        self.answered: list[tuple[float, float]] = []
        """When each request was due, and its latency from then on; seconds."""
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: many.test\r\n\r\n".encode()
        self._period = CONNECTIONS / rate

    async def __aenter__(self) -> Load:
        begin = time.perf_counter()
        self._due = [begin + self._period * number / CONNECTIONS for number in range(CONNECTIONS)]
        self._clients = [asyncio.create_task(self._ask(number)) for number in range(CONNECTIONS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            client.cancel()
        for outcome in await asyncio.gather(*self._clients, return_exceptions=True):
            if not isinstance(outcome, asyncio.CancelledError):
                raise RuntimeError("a request failed") from outcome

    async def _ask(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                due = self._due[number]
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                writer.write(self._request)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise ValueError(head)
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                self.answered.append((due, time.perf_counter() - due))
                self._due[number] += self._period
        finally:
            writer.close()

    async def spell(self, seconds: float) -> list[float]:
        """The latencies of the requests that are due from now on, for so long."""
        begin = time.perf_counter()
        await asyncio.sleep(seconds)
        end = time.perf_counter()
        while min(self._due) < end:
            if time.perf_counter() > end + GRACE:
                raise RuntimeError("requests are not answered any more")
            await asyncio.sleep(0.01)
        return [latency for due, latency in self.answered if begin <= due < end]


@dataclass
class Turn:
    """The latencies of one turn, in seconds."""

    quiet: list[float] = field(default_factory=list)
    reloading: list[float] = field(default_factory=list)


class Rewriting:
    """Writes the rules anew, now and every so many seconds until it is left."""

    def __init__(self, folder: Path, routes: str, every: float, first: int) -> None:
        self.generation = first
        self._write = partial(write_rules, folder, routes)
        self._every = every
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._left.wait(max(0.0, due - time.monotonic())):
            self._write(self.generation)
            self.generation += 1
            due += self._every

    def __enter__(self) -> Rewriting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()


def milliseconds(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(turns: list[Turn]) -> float:
    """Of the p99s of all turns together."""
    quiet = [latency for turn in turns for latency in turn.quiet]
    reloading = [latency for turn in turns for latency in turn.reloading]
    return milliseconds(reloading, 0.99) / milliseconds(quiet, 0.99)


def ratio_interval(turns: list[Turn]) -> tuple[float, float]:
    draws = random.Random(1)
    ratios = sorted(ratio(draws.choices(turns, k=len(turns))) for _ in range(RESAMPLES // 4))
    return ratios[len(ratios) // 40], ratios[-1 - len(ratios) // 40]


async def measure(
    port: int, folder: Path, routes: int, turns: int, seconds: float, every: float, rate: float
) -> tuple[list[Turn], int]:
    """The turns, and how many rewrites there were."""
    lines, generation = route_lines(routes), 1
    measured = []
    async with Load(port, f"/team{(routes - 1) % 100}/service{routes - 1}/x", rate) as load:
        await asyncio.sleep(LEAD_OUT)
        for _ in range(turns):
            turn = Turn()
            turn.quiet += await load.spell(seconds)
            with Rewriting(folder, lines, every, generation) as rewriting:
                await asyncio.sleep(LEAD_IN)
                turn.reloading += await load.spell(2 * seconds)
            generation = rewriting.generation
            await asyncio.sleep(LEAD_OUT)
            turn.quiet += await load.spell(seconds)
            measured.append(turn)
    return measured, generation - 1


@click.command(help=__doc__)
@click.option("--routes", default=1000, show_default=True)
@click.option("--turns", default=10, show_default=True, help="Each of four spells.")
@click.option("--seconds", default=6.0, show_default=True, help="Of a spell.")
@click.option("--every", default=1.2, show_default=True, help="Seconds between rewrites.")
@click.option("--rate", default=100.0, show_default=True, help="Requests a second.")
def main(routes: int, turns: int, seconds: float, every: float, rate: float) -> None:
    with tempfile.TemporaryDirectory() as temporary, stub("0") as v1, stub("0") as v2:
        folder = Path(temporary)
        for name in ("destination-rule.yaml", "service-entry.yaml"):
            shutil.copy(ROOT / "rules" / name, folder)
        write_rules(folder, route_lines(routes), 0)
        proxy = Running(partial(mirror_addon, rules=folder), v1, v2)
        try:
            measured, rewrites = asyncio.run(measure(proxy.port, folder, routes, turns, seconds, every, rate))
        finally:
            proxy.stop()
    click.echo(f"{machine()}\n")
    click.echo(
        f"{routes} routes, {rate:g} requests a second, {rewrites} rewrites, a quarter of them broken, in {turns} turns "
        f"of 4 x {seconds:g} s; every request was answered.\n"
    )
    click.echo(heading(["", "requests", "p50 ms", "p99 ms", "worst ms"]))
    for name, latencies in (
        ("no reload", [latency for turn in measured for latency in turn.quiet]),
        ("reloading", [latency for turn in measured for latency in turn.reloading]),
    ):
        shares = [f"{milliseconds(latencies, share):.1f}" for share in (0.5, 0.99, 1.0)]
        click.echo(line([name, str(len(latencies)), *shares]))
    low, high = ratio_interval(measured)
    click.echo(f"\np99 with reloads is {ratio(measured):.2f} ({low:.2f}-{high:.2f}) of that without.")


if __name__ == "__main__":
    main()
