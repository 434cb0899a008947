"""`python -m bench.sandbox`: what the primary's calls cost with a sandbox, against bare mitmdump.

One keep-alive client makes the primary's calls, one after the other: `POST /charges` through a regular listener, with
the id of a request that is mirrored, so that each is noted and its response kept. After every hundred it sends another
such request. With `--mirror` a second client makes the same calls at the sandbox's listener meanwhile, as a mirror
would.

A round is bare, sandbox, sandbox, bare, and a round's ratio is of both turns of each, so that a machine that grows
slower is not taken for a slow sandbox. `--control` runs a second bare mitmdump in the sandbox's place: how far that is
from 1.00 is what the machine's noise alone makes.
"""

from __future__ import annotations

import contextlib
import random
import socket
import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.contenders import bare
from bench.processes import Running
from bench.processes import free_port
from bench.processes import stub
from bench.report import heading
from bench.report import interval
from bench.report import line
from bench.report import machine
from bench.report import spread

CALLS = 100
"""Calls for one mirrored request."""
BODY = b'{"amount": 10, "currency": "EUR"}'
COLUMNS = ("proxy", "call, us, bare", "call of bare", "95 %", "proxy CPU of bare", "95 %", "errors")


@dataclass
class Proxy:
    """A running proxy and the ports of its listeners for calls."""

    running: Running
    calls: int
    sandbox: int


@dataclass
class Turn:
    """What a client has seen: seconds of each call, in order."""

    times: list[float] = field(default_factory=list)
    errors: int = 0
    cpu: float = 0.0


class Connection:
    """A keep-alive connection that sends bytes and reads one response with a length."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> bool:
        """Whether the response is a 200."""
        self._socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._read()
        head = data[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data += self._read()
        return data.startswith(b"HTTP/1.1 200")

    def _read(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the proxy closed the connection")
        return data

    def close(self) -> None:
        self._socket.close()


def call(upstream: int, id: str) -> bytes:
    """A call in absolute form, as a client sends it to its proxy."""
    host = b"127.0.0.1:%d" % upstream
    head = b"POST http://%b/charges HTTP/1.1\r\nHost: %b\r\nx-request-id: %b\r\n" % (host, host, id.encode())
    return head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def order(id: str) -> bytes:
    return b"GET /orders HTTP/1.1\r\nHost: shop.test\r\nx-request-id: %b\r\n\r\n" % id.encode()


def turn(proxy: Proxy, upstream: int, seconds: float, mirror: bool) -> Turn:
    """Make calls for so long."""
    found = Turn()
    front, calls = Connection(proxy.running.port), Connection(proxy.calls)
    beside = Connection(proxy.sandbox) if mirror else None
    before = proxy.running.usage().proxy
    ends = time.perf_counter() + seconds
    try:
        while time.perf_counter() < ends:
            id = str(uuid.uuid4())
            found.errors += not front.ask(order(id))
            other = threading.Thread(target=_mirror, args=(beside, upstream, id)) if beside else None
            if other:
                other.start()
            request = call(upstream, id)
            for _ in range(CALLS):
                begun = time.perf_counter()
                found.errors += not calls.ask(request)
                found.times.append(time.perf_counter() - begun)
            if other:
                other.join()
    finally:
        for each in (front, calls, *([beside] if beside else [])):
            each.close()
    found.cpu = (proxy.running.usage().proxy - before) / max(1, len(found.times))
    return found


def _mirror(connection: Connection, upstream: int, id: str) -> None:
    for _ in range(CALLS):
        connection.ask(call(upstream, id))


@contextlib.contextmanager
def proxy(v1: int, v2: int, *, sandbox: bool) -> Iterator[Proxy]:
    """mitmdump in front of `v1` with two listeners more, bare or with the sandbox at the second one."""
    calls, mirrors = free_port(), free_port()

    def command(ports: Ports, folder: Path) -> list[str]:
        modes = [part for port in (calls, mirrors) for part in ("--mode", f"regular@127.0.0.1:{port}")]
        if not sandbox:
            return [*bare(ports, folder), *modes]
        target = f"mirror_to=|~u /orders|http://127.0.0.1:{v2}"
        options = (target, f"mirror_rules={folder}", f"mirror_sandbox={mirrors}")
        return [*bare(ports, folder), *modes, "-s", str(ROOT / "mirror_addon"), *_set(options)]

    running = Running(command, v1, v2, workers=sandbox)
    try:
        yield Proxy(running, calls, mirrors)
    finally:
        running.stop()


def _set(options: tuple[str, ...]) -> list[str]:
    return [part for option in options for part in ("--set", option)]


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=20, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.2), default=2.0, show_default=True, help="Of each turn.")
@click.option("--mirror", is_flag=True, help="A mirror makes the same calls meanwhile.")
@click.option("--control", is_flag=True, help="A second bare mitmdump instead of the sandbox.")
def main(rounds: int, seconds: float, mirror: bool, control: bool) -> None:
    click.echo(machine())
    click.echo(f"One client, {rounds} rounds of four turns of {seconds:g} s.\n")
    latency, cpu, base, errors = [], [], [], 0
    with stub("0") as v1, stub("0") as v2, stub("0") as payments, contextlib.ExitStack() as stack:
        plain = stack.enter_context(proxy(v1, v2, sandbox=False))
        own = stack.enter_context(proxy(v1, v2, sandbox=not control))
        for each in (plain, own):
            turn(each, payments, 1.0, False)  # what is imported and opened first
        for number in range(rounds):
            turns = [turn(each, payments, seconds, mirror and each is own) for each in (plain, own, own, plain)]
            medians = [statistics.median(each.times) for each in turns]
            base += [medians[0] * 1e6, medians[3] * 1e6]
            latency.append((medians[1] + medians[2]) / (medians[0] + medians[3]))
            cpu.append((turns[1].cpu + turns[2].cpu) / (turns[0].cpu + turns[3].cpu))
            errors += sum(each.errors for each in turns)
            click.echo(f"round {number + 1}: {latency[-1]:.3f}", err=True)
    draws = random.Random(1)
    click.echo(heading(COLUMNS))
    name = "bare mitmdump" if control else "sandbox, with a mirror" if mirror else "sandbox"
    cells = (spread(base, 0), spread(latency), interval(latency, draws), spread(cpu), interval(cpu, draws), str(errors))
    click.echo(line((name, *cells)))


if __name__ == "__main__":
    main(prog_name="python -m bench.sandbox")
