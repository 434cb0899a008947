"""How long a reload of the rules stops an event loop, and when it is in force: `python -m bench.reload_stops`.

One process runs an event loop with a watched set of rules, as the proxy does, without a proxy around it. A heartbeat
that is due every millisecond records by how much it is late. Beside it one request after another passes 12 steps, as
many as a proxied request takes: each runs Python for 0.2 ms, then sends a byte through a pipe and waits for it in the
event loop, so that it has to get the interpreter's lock back from a thread that compiles rules. One of the rules' files
is then rewritten. Printed are the heartbeat's worst delay and the worst time of a request, from the change until a
second after the new table is in force, and the time from the change until then, all as median and maximum of the
rounds. "No reload" is the same without a change: what the machine itself does.

On a machine that is busy with other things look at the columns "CPU": the same two, counted in the CPU time that this
process has used meanwhile, which is what the threads of a reload took. Time in which the process did not run is not in
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import statistics
import tempfile
import time
import weakref
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import astuple
from dataclasses import dataclass
from pathlib import Path

import click

from bench.report import heading
from bench.report import line
from bench.report import machine
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules.background import exempt_what_is_loaded
from mirror_addon.rules.live import LiveRules

FILES = 5
AFTER = 1.0
"""Seconds after a table came into force in which the garbage collector or the end of the old table may still stop."""
QUIET = 2.0
"""Seconds of a round without a reload."""
PATIENCE = 120.0
STEPS = 12
WORK = 0.0002
PAUSE = 0.01
"""Seconds between two requests."""

HEAD = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: many{file}, annotations: {{generation: "{generation}"}}}}
spec:
  hosts: [many{file}.test]
  http:
"""
ROUTE = """  - match: [{{uri: {{prefix: /team{team}/service{number}/}}}}]
    rewrite: {{uri: /}}
    route: [{{destination: {{host: service{service}, subset: v1}}}}]
    mirror: {{host: service{service}, subset: v2}}
"""
SERVICES = 50
SERVICE = """---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: service{0}}}
spec: {{host: service{0}, subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: service{0}}}
spec:
  hosts: [service{0}.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, labels: {{version: v1}}}}, {{address: 127.0.0.1, labels: {{version: v2}}}}]
"""


@dataclass(frozen=True)
class Round:
    """Seconds."""

    stop: float
    stop_cpu: float
    request: float
    request_cpu: float
    in_force: float


class Heartbeat:
    """Is due every millisecond."""

    def __init__(self) -> None:
        self.worst = self.worst_cpu = 0.0
        self._loop = asyncio.get_running_loop()
        self._beat()

    def _beat(self) -> None:
        self._cpu = time.process_time()
        self._due = self._loop.time() + 0.001
        self._timer = self._loop.call_at(self._due, self._next)

    def _next(self) -> None:
        self.worst = max(self.worst, self._loop.time() - self._due)
        self.worst_cpu = max(self.worst_cpu, time.process_time() - self._cpu)
        self._beat()

    def stop(self) -> None:
        self._timer.cancel()


class Requests:
    """One after the other, until cancelled."""

    def __init__(self) -> None:
        self.worst = self.worst_cpu = 0.0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        read, write = os.pipe()
        os.set_blocking(read, False)
        arrived = asyncio.Event()
        loop.add_reader(read, lambda: (os.read(read, 1), arrived.set()))
        try:
            while True:
                begin, cpu = time.perf_counter(), time.process_time()
                for _ in range(STEPS):
                    until = time.thread_time() + WORK
                    while time.thread_time() < until:
                        pass
                    arrived.clear()
                    os.write(write, b"x")
                    await arrived.wait()
                self.worst = max(self.worst, time.perf_counter() - begin)
                self.worst_cpu = max(self.worst_cpu, time.process_time() - cpu)
                await asyncio.sleep(PAUSE)
        finally:
            loop.remove_reader(read)
            os.close(read)
            os.close(write)


def write_file(folder: Path, file: int, routes: int, generation: int) -> None:
    each = range(file, routes, FILES)
    rules = (ROUTE.format(team=number % 100, number=number, service=number % SERVICES) for number in each)
    (folder / "new").write_text(HEAD.format(file=file, generation=generation) + "".join(rules))
    (folder / "new").rename(folder / f"many{file}.yaml")


@contextlib.contextmanager
def rules_folder(routes: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "services.yaml").write_text("".join(map(SERVICE.format, range(SERVICES))))
        for file in range(FILES):
            write_file(folder, file, routes, 0)
        yield folder


def settings(folder: Path) -> Settings:
    values = {option.name: option.default for option in OPTIONS}
    return parse_settings(values | {"mirror_rules": [str(folder)]})


async def one_round(live: LiveRules, folder: Path, routes: int, generation: int) -> Round:
    """A round with a change; with `generation` 0 one without."""
    loop = asyncio.get_running_loop()
    heartbeat, requests = Heartbeat(), Requests()
    asking = asyncio.create_task(requests.run())
    begin = loop.time()
    in_force = 0.0
    if generation:
        before = weakref.ref(live.table)  # nobody but LiveRules may keep it alive
        await asyncio.to_thread(write_file, folder, generation % FILES, routes, generation)
        begin = loop.time()
        while live.table is before():
            await asyncio.sleep(0.002)
            if loop.time() - begin > PATIENCE:
                raise RuntimeError("the change never came into force")
        in_force = loop.time() - begin
        await asyncio.sleep(AFTER)
    else:
        await asyncio.sleep(QUIET)
    heartbeat.stop()
    asking.cancel()
    return Round(heartbeat.worst, heartbeat.worst_cpu, requests.worst, requests.worst_cpu, in_force)


async def measure(routes: int, rounds: int) -> tuple[list[Round], list[Round]]:
    """The rounds without a change, and those with one; they take turns."""
    with rules_folder(routes) as folder:
        live = LiveRules(b"192.0.2.1")
        live.load(settings(folder))
        exempt_what_is_loaded()
        live.watch()
        try:
            await asyncio.sleep(1.5)
            quiet, reloads = [], []
            for number in range(1, rounds + 1):
                quiet.append(await one_round(live, folder, routes, 0))
                reloads.append(await one_round(live, folder, routes, number))
            return quiet, reloads
        finally:
            live.close()


def shown(values: Sequence[float]) -> str:
    milliseconds = [1000 * value for value in values]
    return f"{statistics.median(milliseconds):.1f} / {max(milliseconds):.1f}"


@click.command(help=__doc__)
@click.option("--routes", default=(100, 1000, 10_000), multiple=True, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(routes: Sequence[int], rounds: int) -> None:
    logging.getLogger("mirror_addon").setLevel(logging.ERROR)
    click.echo(f"{machine()}\n\nMedian / maximum of {rounds} rounds, in ms.\n")
    click.echo(heading(["routes", "round", "late heartbeat", "CPU", "request", "CPU", "in force after"], texts=2))
    for number in routes:
        quiet, reloads = asyncio.run(measure(number, rounds))
        for name, measured in (("no reload", quiet), ("reload", reloads)):
            columns = list(zip(*map(astuple, measured), strict=True))
            cells = [shown(column) for column in columns[: 5 if measured is reloads else 4]]
            click.echo(line([str(number), name, *cells]))


if __name__ == "__main__":
    main()
