"""`python -m bench.processor`: what a processor behind Envoy costs the primary, and how many pairs it compares.

Envoy alone, Envoy with its own mirror, and Envoy that shows 0, 1, 10 and 100 % of the exchanges to one processor, and
all to two; beside them mitmdump with the addon, which compares too. All run at once, with one Envoy worker each. They
get the load in turn, in many rounds: first as much as the clients can send, then a fixed rate. Ratios are of turns of
one round: throughput and CPU of Envoy alone, p99 of Envoy with its own mirror, which costs what no processor can save.
A turn ends when all its pairs are compared; that time counts for the pairs a second. `--stalls` measures instead how
long 64 MiB take while the processor is healthy, stopped, or not there. Prints Markdown.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.contenders import endpoints
from bench.contenders import mirror_addon
from bench.processes import answers
from bench.processes import children
from bench.processes import cpu
from bench.processes import free_port
from bench.processes import load
from bench.processes import peak
from bench.processes import stub
from bench.report import heading
from bench.report import line
from bench.report import machine
from bench.report import spread
from bench.uploads import upload
from mirror_addon.cli.envoy_process import find_envoy

MIB = 1024 * 1024
SETTLE = 20.0
"""Seconds that pairs may take after the load."""
POLL = 0.1
"""Seconds between two looks whether they have: rendering `/metrics` takes some 5 ms of the front's processor time."""
ADDON = [sys.executable, "-m", "mirror_addon"]
VERDICTS = ("same", "noise", "different")
COLUMNS = (
    "contender",
    "req/s",
    "of alone",
    "p99 ms at the rate",
    "of Envoy's mirror",
    "proxy CPU ms/req",
    "of alone",
    "front",
    "workers",
    "pairs/s",
    "compared",
    "dropped",
    "errors",
    "peak MiB: proxy",
    "fronts",
    "workers",
)


@dataclass(frozen=True, slots=True)
class Contender:
    """`share`: the percentage shown to so many `processors`."""

    name: str
    processors: int = 0
    share: int = 100
    mirrors: bool = True
    envoy: bool = True


ALONE = Contender("Envoy alone", mirrors=False)
OWN = Contender("Envoy, its own mirror")
ONE = Contender("processor, 100 %", 1)
CONTENDERS = (
    ALONE,
    OWN,
    Contender("processor, 0 %", 1, 0),
    Contender("processor, 1 %", 1, 1),
    Contender("processor, 10 %", 1, 10),
    ONE,
    Contender("two processors, 100 %", 2),
    Contender("mitmdump with the addon", envoy=False),
)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, and pairs."""

    proxy: float
    fronts: float
    workers: float
    compared: float
    dropped: float


@dataclass(frozen=True, slots=True)
class Turn:
    """CPU in milliseconds a request."""

    rate: float
    p99: float
    errors: int
    proxy: float
    fronts: float
    workers: float
    pairs: float
    compared: float
    dropped: float


class Setup:
    """A running contender. Use it as a context manager."""

    def __init__(self, contender: Contender, v1: int, v2: int) -> None:
        self.contender = contender
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mirror-addon-bench-")))
        self.port = free_port()
        ports = Ports(self.port, v1, v2)
        self._metrics: list[int] = []
        self.fronts: list[subprocess.Popen[bytes]] = []
        addresses = []
        for _ in range(contender.processors):
            listen, metrics = free_port(), free_port()
            self._metrics.append(metrics)
            addresses.append(f"127.0.0.1:{listen}")
            command = ["processor", "--listen", addresses[-1], "--metrics", f"127.0.0.1:{metrics}"]
            self.fronts.append(self._start([*ADDON, *command, "--rules", str(ROOT / "rules"), *endpoints(ports)]))
        if contender.envoy:
            given = ["--processor", ",".join(addresses), "--share", f"{contender.share}%"] if addresses else []
            mirrors = [] if contender.mirrors else ["--set", "mirror_enabled=false"]
            export = [*ADDON, "export", "envoy", "--rules", str(ROOT / "rules"), "--listen", f"127.0.0.1:{self.port}"]
            made = subprocess.run(
                [*export, *endpoints(ports), *given, *mirrors], check=True, capture_output=True, text=True, timeout=60
            )
            (folder / "envoy.yaml").write_text(made.stdout)
            command = [str(find_envoy()), "-c", str(folder / "envoy.yaml"), "--concurrency", "1", "-l", "error"]
            self.proxy = self._start([*command, "--disable-hot-restart"])
        else:
            self._metrics.append(free_port())
            page = f"mirror_web_port={self._metrics[0]}"
            self.proxy = self._start([*mirror_addon(ports, folder), "--set", page])
        self._wait()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def stop() -> None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self._stack.callback(stop)
        return process

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while not (answers(self.port) and all(self._samples(port) for port in self._metrics)):
            if time.monotonic() > deadline:
                self._stack.close()
                raise RuntimeError(f"{self.contender.name} does not answer")
            time.sleep(0.1)

    def __enter__(self) -> Setup:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @staticmethod
    def _samples(port: int) -> dict[str, float]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
                rows = [each.rpartition(" ") for each in response.read().decode().splitlines() if each[0] != "#"]
        except OSError:
            return {}
        return {name: float(value) for name, _, value in rows}

    def _sum(self, samples: list[dict[str, float]], prefix: str, *parts: str) -> float:
        return sum(
            value
            for each in samples
            for name, value in each.items()
            if name.startswith(prefix) and (not parts or any(f'"{part}"' in name for part in parts))
        )

    def usage(self) -> Usage:
        samples = [self._samples(port) for port in self._metrics]
        fronts = sum(cpu(process.pid) for process in self.fronts)
        workers = sum(cpu(pid) for process in (*self.fronts, self.proxy) for pid in children(process.pid))
        compared = self._sum(samples, "mirror_pairs_total", *VERDICTS)
        return Usage(cpu(self.proxy.pid), fronts, workers, compared, self._sum(samples, "mirror_dropped_total"))

    def settle(self) -> None:
        """Wait until every pair is compared."""
        deadline = time.monotonic() + SETTLE
        while time.monotonic() < deadline:
            samples = [self._samples(port) for port in self._metrics]
            left = self._sum(samples, "mirror_pending") + self._sum(samples, "mirror_comparisons_waiting")
            if not left and not self._sum(samples, "mirror_processor_streams_open"):
                return
            time.sleep(POLL)

    def peaks(self) -> tuple[float, float, float]:
        """Of the proxy, of the fronts and of the workers, in MiB."""
        workers = [pid for process in (*self.fronts, self.proxy) for pid in children(process.pid)]
        return peak(self.proxy.pid), sum(peak(front.pid) for front in self.fronts), sum(map(peak, workers))

    def turn(self, clients: int, seconds: float, rate: float = 0.0) -> Turn:
        before, started = self.usage(), time.monotonic()
        measured = load(self.port, clients, seconds, 1_000_000, rate)
        self.settle()
        taken, after = time.monotonic() - started, self.usage()
        requests = max(measured["requests"], 1)

        def cost(name: str) -> float:
            return float(getattr(after, name) - getattr(before, name)) * 1000 / requests

        compared = after.compared - before.compared
        return Turn(
            measured["requests"] / measured["seconds"],
            measured["p99"],
            int(measured["errors"]),
            cost("proxy"),
            cost("fronts"),
            cost("workers"),
            compared / taken,
            compared / requests,
            (after.dropped - before.dropped) / requests,
        )


Rounds = dict[Contender, list[tuple[Turn, Turn]]]
"""Of each round the turn at full speed and that at the rate."""


def measure(setups: list[Setup], rounds: int, clients: int, seconds: float, rate: float) -> Rounds:
    found: Rounds = {setup.contender: [] for setup in setups}
    for setup in setups:
        setup.turn(clients, 1.0)  # warm up
    for number in range(rounds):
        for setup in reversed(setups) if number % 2 else setups:
            turns = setup.turn(clients, seconds), setup.turn(clients, seconds, rate)
            found[setup.contender].append(turns)
            click.echo(f"round {number + 1}, {setup.contender.name}: {turns}", err=True)
    return found


def row(setup: Setup, found: Rounds) -> str:
    turns = found[setup.contender]
    alone, own = found[ALONE], found[OWN]

    def median(name: str, digits: int, of: int = 0) -> str:
        return f"{statistics.median(getattr(each[of], name) for each in turns):.{digits}f}"

    def ratio(name: str, base: list[tuple[Turn, Turn]], of: int = 0) -> str:
        return spread(
            [getattr(a[of], name) / max(getattr(b[of], name), 1e-9) for a, b in zip(turns, base, strict=True)]
        )

    peaks = [f"{each:.0f}" for each in setup.peaks()]
    return line(
        (
            setup.contender.name,
            median("rate", 0),
            ratio("rate", alone),
            median("p99", 1, 1),
            ratio("p99", own, 1),
            median("proxy", 3),
            ratio("proxy", alone),
            median("fronts", 3),
            median("workers", 3),
            median("pairs", 0),
            median("compared", 2),
            median("dropped", 3),
            str(sum(turn.errors for each in turns for turn in each)),
            *peaks,
        )
    )


def download(port: int) -> float:
    """Seconds for 64 MiB."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(b"GET /serviceB/big HTTP/1.1\r\nHost: istio.gateway.xxxx.tech\r\nConnection: close\r\n\r\n")
        size = 0
        while data := connection.recv(MIB):
            size += len(data)
    if size < 64 * MIB:
        raise RuntimeError(f"only {size} bytes came")
    return time.monotonic() - started


@contextlib.contextmanager
def big_upstream() -> Iterator[int]:
    """An upstream in a process of its own that answers everything with 64 MiB."""
    program = (
        "import socket,threading\n"
        "s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True)\n"
        "body=bytes(1<<20); head=b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n'%(64<<20)\n"
        "def serve(c):\n"
        "  while c.recv(65536):\n"
        "    c.sendall(head)\n"
        "    for _ in range(64): c.sendall(body)\n"
        "while True: threading.Thread(target=serve,args=(s.accept()[0],),daemon=True).start()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )  # a client that has seen enough is a traceback
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def stalls(rounds: int) -> Iterator[str]:
    """Lines of a table: seconds that 64 MiB take, up and down."""
    yield heading(("processor", "64 MiB up, s", "most", "64 MiB down, s", "most"))
    states: list[tuple[str, int, signal.Signals | None]] = [
        ("no filter", 0, None),
        ("healthy", 1, None),
        ("stopped", 1, signal.SIGSTOP),
        ("killed", 1, signal.SIGKILL),
    ]
    for name, processors, sent in states:
        times: dict[str, list[float]] = {"up": [], "down": []}
        for _ in range(rounds):
            with stub("0") as v1, stub("0") as v2, Setup(Contender(name, processors), v1, v2) as setup:
                _interfere(setup, sent)
                times["up"].append(upload(setup.port, 64 * MIB))
            with big_upstream() as v1, stub("0") as v2, Setup(Contender(name, processors), v1, v2) as setup:
                _interfere(setup, sent)
                times["down"].append(download(setup.port))
        cells = [text for each in times.values() for text in (f"{statistics.median(each):.2f}", f"{max(each):.2f}")]
        yield line((name, *cells))


def _interfere(setup: Setup, sent: signal.Signals | None) -> None:
    for front in setup.fronts if sent is not None else ():
        front.send_signal(sent)
        time.sleep(0.1)


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=3.0, show_default=True, help="Of load in a turn.")
@click.option("--clients", default=16, show_default=True, help="Keep-alive connections.")
@click.option("--rate", default=300.0, show_default=True, help="Requests a second of the turns with a fixed rate.")
@click.option("--contender", "names", multiple=True, type=click.Choice([each.name for each in CONTENDERS[2:]]))
@click.option("--stalls", "only_stalls", is_flag=True, help="Measure 64 MiB up and down.")
def main(rounds: int, seconds: float, clients: int, rate: float, names: tuple[str, ...], only_stalls: bool) -> None:
    click.echo(machine())
    if only_stalls:
        for each in stalls(rounds):
            click.echo(each)
        return
    click.echo(
        f"{clients} clients, {rounds} rounds of {seconds:g} s at full speed and at {rate:g} requests a second.\n"
    )
    with contextlib.ExitStack() as stack:
        v1, v2 = stack.enter_context(stub("0")), stack.enter_context(stub("0"))
        wanted = [each for each in CONTENDERS if not names or each in (ALONE, OWN) or each.name in names]
        setups = [stack.enter_context(Setup(each, v1, v2)) for each in wanted]
        found = measure(setups, rounds, clients, seconds, rate)
        click.echo(heading(COLUMNS))
        for setup in setups:
            click.echo(row(setup, found))


if __name__ == "__main__":
    main(prog_name="python -m bench.processor")
