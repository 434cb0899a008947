"""What reloads of many rules add to requests in flight: `python -m bench.reload [--routes 10000] [--every 1]`.

A steady load below what the proxy can do runs all the time; in turn the rules' file is rewritten, every fourth time
with an error in it, or left alone. Prints the latencies of both, in Markdown.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import mirror_addon
from bench.processes import Running
from bench.processes import stub
from bench.report import machine

RATE = 100
"""Requests a second, from a few keep-alive connections."""
CONNECTIONS = 4
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


def write_rules(folder: Path, routes: int, generation: int) -> None:
    text = HEAD.format(generation) + "".join(ROUTE.format(number % 100, number) for number in range(routes))
    if generation % 4 == 3:
        text += BROKEN
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / "many.yaml")


async def client(port: int, path: str, ends: float, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: many.test\r\n\r\n".encode()
    while (due := time.perf_counter()) < ends:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        latencies.append(time.perf_counter() - due)
        await asyncio.sleep(max(0.0, due + CONNECTIONS / RATE - time.perf_counter()))
    writer.close()


async def turn(port: int, routes: int, seconds: float) -> list[float]:
    latencies: list[float] = []
    path = f"/team{(routes - 1) % 100}/service{routes - 1}/x"
    ends = time.perf_counter() + seconds
    await asyncio.gather(*(client(port, path, ends, latencies) for _ in range(CONNECTIONS)))
    return latencies


class Rewriting:
    """Writes the rules anew, now and every so many seconds until it is left."""

    def __init__(self, folder: Path, routes: int, every: float, first: int) -> None:
        self.generation = first
        self._write = partial(write_rules, folder, routes)
        self._every = every
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            self._write(self.generation)
            self.generation += 1
            due += self._every
            if self._left.wait(due - time.monotonic()):
                return

    def __enter__(self) -> Rewriting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()


def milliseconds(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@click.command(help=__doc__)
@click.option("--routes", default=10_000, show_default=True)
@click.option("--rounds", default=6, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of a turn.")
@click.option(
    "--every", default=0.0, help="Seconds from one rewrite to the next; the watch needs one. [default: once a turn]"
)
def main(routes: int, rounds: int, seconds: float, every: float) -> None:
    quiet: list[float] = []
    reloading: list[float] = []
    generation = 1
    with tempfile.TemporaryDirectory() as temporary, stub("0") as v1, stub("0") as v2:
        folder = Path(temporary)
        for name in ("destination-rule.yaml", "service-entry.yaml"):
            shutil.copy(ROOT / "rules" / name, folder)
        write_rules(folder, routes, 0)
        proxy = Running(partial(mirror_addon, rules=folder), v1, v2)
        try:
            asyncio.run(turn(proxy.port, routes, 2))
            for _ in range(rounds):
                quiet += asyncio.run(turn(proxy.port, routes, seconds))
                with Rewriting(folder, routes, every or seconds * 2, generation) as rewriting:
                    reloading += asyncio.run(turn(proxy.port, routes, seconds))
                generation = rewriting.generation
        finally:
            proxy.stop()
    click.echo(f"{machine()}\n")
    click.echo(
        f"{routes} routes, {RATE} requests a second, {generation - 1} rewrites, a quarter of them broken, in {rounds} "
        f"turns of {seconds:g} s; every request was answered.\n"
    )
    click.echo("| | p50 ms | p99 ms | worst ms |\n|---|---:|---:|---:|")
    for name, latencies in (("no reload", quiet), ("reloading", reloading)):
        shares = (milliseconds(latencies, share) for share in (0.5, 0.99, 1.0))
        click.echo(f"| {name} | " + " | ".join(f"{value:.1f}" for value in shares) + " |")
    click.echo(
        f"\np99 with reloads is {milliseconds(reloading, 0.99) / milliseconds(quiet, 0.99):.2f} of that without."
    )


if __name__ == "__main__":
    main()
