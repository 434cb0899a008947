"""`python -m bench.uploads`: what a mirror that reads slowly costs a client who uploads, of the same without mirroring.

mitmdump with mirror_addon, once with `mirror_enabled=false` and once with, streams or gathers (`stream_large_bodies`)
uploads to a primary that reads as fast as it can; the mirror reads 8 MB a second. Turns alternate. Prints Markdown.
"""

from __future__ import annotations

import contextlib
import random
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.contenders import mirror_addon
from bench.processes import Running
from bench.processes import arrived
from bench.processes import stub
from bench.report import heading
from bench.report import interval
from bench.report import line
from bench.report import machine
from bench.report import spread

MIB = 1024 * 1024
STREAMED = ("stream_large_bodies=1m",)
Command = Callable[[Ports, Path], list[str]]
COLUMNS = (
    "body",
    "alone, s",
    "mirrored, s",
    "of alone",
    "95 %",
    "proxy CPU alone, s",
    "mirrored",
    "shadows",
    "peak MiB alone",
    "mirrored",
)


def command(*options: str) -> Command:
    def made(ports: Ports, folder: Path) -> list[str]:
        return [*mirror_addon(ports, folder), *(part for option in options for part in ("--set", option))]

    return made


def upload(port: int, size: int) -> float:
    """Seconds from the first byte sent to the answer's."""
    head = (
        b"POST /serviceB/upload HTTP/1.1\r\nHost: istio.gateway.xxxx.tech\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % size
    )
    body = memoryview(bytes(MIB))
    with socket.create_connection(("127.0.0.1", port), 120) as connection:
        started = time.perf_counter()
        connection.sendall(head)
        for at in range(0, size, MIB):
            connection.sendall(body[: min(MIB, size - at)])
        answer = connection.recv(1000)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise click.ClickException(f"the upload was answered with {answer!r}")
        return time.perf_counter() - started


def alike(ports: Ports, folder: Path) -> list[str]:
    """Without mirroring, but with the body read in the parts in which a mirrored one is."""
    return [*command("mirror_enabled=false", *STREAMED)(ports, folder), "-s", str(ROOT / "bench/scripts/wide_reads.py")]


def measure(way: str, alone_as: Command, mirrored_as: Command, size: int, rate: float, rounds: int) -> str:
    """The line of one way to pass a body on."""
    with contextlib.ExitStack() as stack:
        v1, v2 = stack.enter_context(stub("0")), stack.enter_context(stub(f"0 {rate}"))
        alone = Running(alone_as, v1, v2, workers=True)
        stack.callback(alone.stop)
        mirrored = Running(mirrored_as, v1, v2, workers=True)
        stack.callback(mirrored.stop)
        before = wait_for(v2, 1)  # what it was asked when it started
        times: dict[Running, list[float]] = {alone: [], mirrored: []}
        cpus: dict[Running, list[float]] = {alone: [], mirrored: []}
        for number in range(rounds + 1):
            for proxy in (alone, mirrored) if number % 2 else (mirrored, alone):
                used = proxy.usage().proxy
                taken = upload(proxy.port, size)
                if number:  # the first one only warms up
                    times[proxy].append(taken)
                    cpus[proxy].append(proxy.usage().proxy - used)
                click.echo(f"{way}, round {number}: {taken:.3f} s", err=True)
                if proxy is mirrored:
                    wait_for(v2, before + number + 1, size / rate + 10)
        shadows = arrived(v2) - before
        peaks = [proxy.usage().proxy_peak + proxy.usage().workers_peak for proxy in (alone, mirrored)]
    ratios = [own / base for own, base in zip(times[mirrored], times[alone], strict=True)]
    cells = (
        f"{size // MIB} MiB, {way}",
        f"{statistics.median(times[alone]):.3f}",
        f"{statistics.median(times[mirrored]):.3f}",
        spread(ratios),
        interval(ratios, random.Random(1)),
        *(f"{statistics.fmean(cpus[proxy]):.3f}" for proxy in (alone, mirrored)),
        f"{shadows} of {rounds + 1}",
        *(f"{peak:.0f}" for peak in peaks),
    )
    return line(cells)


def wait_for(port: int, count: int, seconds: float = 10.0) -> int:
    """Waits until a stub has received so many requests, or for so long; how many it has."""
    deadline = time.monotonic() + seconds
    while (found := arrived(port)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(2))
@click.option("--size", default=64, show_default=True, help="MiB of a body.")
@click.option("--rate", default=8.0, show_default=True, help="MB a second that the mirror reads.")
@click.option("--alike", "reads_alike", is_flag=True, help="Only: what mirroring alone costs, bodies being read alike.")
def main(rounds: int, size: int, rate: float, reads_alike: bool) -> None:
    click.echo(f"{machine()}\n")
    click.echo(heading(COLUMNS))
    if reads_alike:
        ways = [("streamed, read alike", alike, command(*STREAMED))]
    else:
        ways = [
            ("streamed", command("mirror_enabled=false", *STREAMED), command(*STREAMED)),
            ("gathered", command("mirror_enabled=false"), command()),
        ]
    for way in ways:
        click.echo(measure(*way, size * MIB, rate * 1e6, rounds))


if __name__ == "__main__":
    main(prog_name="python -m bench.uploads")
