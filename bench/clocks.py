"""`python -m bench.clocks`: whether two equal servers come out equal, and a slower one slower.

mitmdump with mirror_addon and a record, between clients and two servers of each kind: head and body in one write or in
two, connections kept or closed, a response after 0, 4 or 50 ms, of 1 KB or 1 MB. Each run is a record of its own, which
is judged as `mirror-addon report` judges it. Prints Markdown. With `--short`, a few kinds and runs.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.contenders import mirror_addon
from bench.processes import Running
from bench.report import heading
from bench.report import line
from bench.report import machine
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import RecordLine
from mirror_addon.compare.report.speed import compare_speed
from mirror_addon.compare.report.times import TimesTally

CLIENTS = (1, 4, 16)
RUN_SECONDS = 30.0
"""The longest that one run may take."""
RECORD_SECONDS = 10.0
COLUMNS = (
    "server", "v2", "machine", "runs", "pairs a run", "p50 v1, ms", "ratio of medians: median", "lowest", "highest",
    "as fast", "unclear", "slower", "faster", "not compared",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A server."""

    ms: float
    size: int
    apart: bool
    close: bool

    def __str__(self) -> str:
        writes = "two writes" if self.apart else "one write"
        return f"{self.ms:g} ms, {self.size // 1000:,} KB, {writes}, {'closes' if self.close else 'keeps'}"

    @contextlib.contextmanager
    def serve(self, factor: float = 1.0) -> Iterator[int]:
        """The port of such a server, which is `factor` times as slow."""
        words = f"{self.ms * factor} {self.size} {'apart' if self.apart else 'together'}"
        command = [sys.executable, "-m", "bench.clock_server", *words.split(), "close" if self.close else "keep"]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            try:
                yield int(process.stdout.readline())
            finally:
                process.stdin.close()


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that do nothing but use a processor."""
    command = [sys.executable, "-c", "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"]
    spinning = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


class Calibration:
    """A proxy between clients and two servers, and its record."""

    def __init__(self, proxy: Running, record: Path) -> None:
        self._proxy = proxy
        self._record = record
        self._parse = LineParser(RecordLine)
        self._read = 0

    def run(self, clients: int, pairs: int) -> TimesTally:
        """Send so many requests. Return the times of their pairs."""
        command = [sys.executable, "-m", "bench.clock_clients", str(self._proxy.port), str(clients), str(pairs)]
        done = int(subprocess.run([*command, str(RUN_SECONDS)], cwd=ROOT, check=True, capture_output=True).stdout)
        deadline = time.monotonic() + RECORD_SECONDS
        while len(lines := self._record.read_bytes().splitlines()) < self._read + done and time.monotonic() < deadline:
            time.sleep(0.05)
        tally = TimesTally()
        for text in lines[self._read :]:
            record = self._parse(text)
            if not record.shadow.error:
                tally.add(record)
        self._read = len(lines)
        return tally


@contextlib.contextmanager
def calibration(kind: Kind, factor: float) -> Iterator[Calibration]:
    with kind.serve() as v1, kind.serve(factor) as v2, tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.jsonl"

        def command(ports: Ports, _: Path) -> list[str]:
            return [*mirror_addon(ports, _), "--set", f"mirror_record={record}"]

        proxy = Running(command, v1, v2, workers=True)
        try:
            made = Calibration(proxy, record)
            made.run(4, 40)  # processes have started, and code is loaded
            yield made
        finally:
            proxy.stop()


def row(kind: Kind, factor: float, runs: int, pairs: int, spinning: int) -> list[str]:
    """Measure one kind of server, and return its row."""
    ratios, medians, paces, counts = [], [], [], []
    with calibration(kind, factor) as made, busy(spinning):
        for clients in itertools.islice(itertools.cycle(CLIENTS), runs):
            tally = made.run(clients, pairs)
            latency = compare_speed(tally, TimesTally())
            if latency is None:
                continue
            middle = latency.at(0.5)
            ratios.append(middle.shadow / middle.primary)
            medians.append(middle.primary)
            paces.append(latency.pace or "not compared")
            counts.append(latency.pairs)
            click.echo(
                f"{kind}, {clients} clients: {latency.pairs} pairs, p50 {middle.primary:.2f} and {middle.shadow:.2f},"
                f" {latency.paired_median.value:+.2f}: {paces[-1]}",
                err=True,
            )
    return [
        str(kind),
        "equal" if factor == 1 else f"{factor:g}x",
        "busy" if spinning else "idle",
        str(len(ratios)),
        f"{statistics.median(counts):.0f}",
        f"{statistics.median(medians):.2f}",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f}",
        f"{max(ratios):.2f}",
        *(str(paces.count(pace)) for pace in ("as fast", "unclear", "slower", "faster", "not compared")),
    ]


def kinds(short: bool) -> list[Kind]:
    if short:
        return [Kind(4, 1000, False, False), Kind(4, 1000, True, False), Kind(4, 1000, True, True)]
    return [
        Kind(ms, size, apart, close)
        for ms, size, apart, close in itertools.product((0, 4, 50), (1000, 1_000_000), (False, True), (False, True))
    ]


@click.command(help=__doc__)
@click.option("--short", is_flag=True, help="Three kinds, three runs each.")
@click.option("--runs", type=click.IntRange(1), help="Of each kind, with 1, 4 and 16 clients in turn; 20, or 3.")
@click.option("--pairs", default=150, show_default=True, type=click.IntRange(10), help="In a run of equal servers.")
@click.option("--slow-pairs", default=500, show_default=True, type=click.IntRange(10), help="With a slower v2.")
@click.option("--factor", default=1.3, show_default=True, help="How slow the slower v2 is; 1 leaves it out.")
@click.option("--busy/--no-busy", "with_busy", default=True, show_default=True, help="Also with two busy processes.")
@click.option("--most", default=3600.0, show_default=True, help="Seconds after which no other kind is begun.")
def main(
    short: bool, runs: int | None, pairs: int, slow_pairs: int, factor: float, with_busy: bool, most: float
) -> None:
    runs = runs or (3 if short else 20)
    click.echo(f"{machine()}\n\nWith 1, 4 and 16 clients in turn.\n")
    click.echo(heading(COLUMNS, 3))
    end = time.monotonic() + most
    for spinning in (0, 2) if with_busy else (0,):
        for kind in kinds(short):
            if time.monotonic() < end:
                click.echo(line(row(kind, 1.0, runs, pairs, spinning)))
            if kind.ms and factor != 1 and time.monotonic() < end and not kind.close:
                click.echo(line(row(kind, factor, runs, slow_pairs, spinning)))


if __name__ == "__main__":
    main(prog_name="python -m bench.clocks")
