"""`python -m bench.instructions`: instructions that a request takes in the proxy's process, counted by valgrind.

Times on a busy machine differ by five percent from run to run, this by a few tenths: it is what to look at before and
after a change of the hot path. Instructions of the kernel and of the worker are not in it. Everything runs some thirty
times slower there, so the worker is given a second to gather what it has to say. Prints Markdown.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from bench.contenders import ROOT
from bench.contenders import Ports
from bench.contenders import bare
from bench.contenders import mirror_addon
from bench.processes import answers
from bench.processes import free_port
from bench.processes import load
from bench.processes import stub
from bench.report import heading
from bench.report import line
from bench.report import machine

FEW, MANY = 100, 400
"""Requests of two runs, whose difference is free of the start."""
CLIENTS = 8
START = 180.0
NO_HOOKS = "class Nothing:\n    pass\n\n\naddons = [Nothing()]\n"
SLOWED = {
    "dispatch/dispatcher.py": ("BATCH_SECONDS = 0.01", "BATCH_SECONDS = 0.5"),
    "worker/outgoing.py": ("BATCH_SECONDS = 0.02", "BATCH_SECONDS = 1.0"),
}
"""What is gathered in 10 ms at full speed is gathered in half a second here."""

Command = Callable[[Ports, Path], list[str]]


def without_hooks(ports: Ports, folder: Path) -> list[str]:
    """mitmdump with a script that does nothing."""
    script = folder / "nothing.py"
    script.write_text(NO_HOOKS)
    return [*bare(ports, folder), "-s", str(script)]


def slowed(ports: Ports, folder: Path) -> list[str]:
    """mirror_addon from a copy of the checkout in which less often is more."""
    copy = folder / "checkout"
    if not copy.exists():
        shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "mirror_addon", copy)
        for name, (fast, slow) in SLOWED.items():
            module = copy / "src" / "mirror_addon" / name
            text = module.read_text()
            if text.count(fast) != 1:
                raise click.ClickException(f"{module.name} has no line {fast!r}: adapt bench/instructions.py")
            module.write_text(text.replace(fast, slow))
    script = str(ROOT / "mirror_addon")
    return [str(copy / "mirror_addon") if word == script else word for word in mirror_addon(ports, folder)]


def slow_hooks(ports: Ports, folder: Path) -> list[str]:
    """The same, mitmproxy's dispatch of hooks left as it is."""
    return [*slowed(ports, folder), "--set", "mirror_fast_hooks=false"]


def switched_off(ports: Ports, folder: Path) -> list[str]:
    """The same, routing without mirroring."""
    return [*slowed(ports, folder), "--set", "mirror_enabled=false"]


CONTENDERS: dict[str, Command] = {
    "bare mitmdump": bare,
    "a script without hooks": without_hooks,
    "mirror_addon, mirror_enabled=false": switched_off,
    "mirror_addon, mirror_fast_hooks=false": slow_hooks,
    "mirror_addon": slowed,
}


def count(command: Command, requests: int, v1: int, v2: int, folder: Path) -> tuple[int, int]:
    """Instructions of a whole run with so many requests, and how many were answered."""
    port = free_port()
    out = folder / "counted"
    program, *arguments = command(Ports(port, v1, v2), folder)
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={out}", "--quiet"]
    interpreter = str(Path(program).with_name("python"))
    process = subprocess.Popen(
        [*valgrind, interpreter, program, *arguments],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + START
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise click.ClickException(f"no 200 under valgrind from {program} {' '.join(arguments)}")
            time.sleep(0.3)
        measured = load(port, CLIENTS, START, requests)
        time.sleep(3)  # for the last results
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    found = re.search(r"^summary: (\d+)", out.read_text(), re.MULTILINE)
    assert found
    return int(found[1]), int(measured["requests"])


@click.command(help=__doc__)
@click.option("--contender", "names", multiple=True, type=click.Choice(list(CONTENDERS)), help="Beside bare mitmdump.")
def main(names: tuple[str, ...]) -> None:
    if shutil.which("valgrind") is None:
        raise click.ClickException("valgrind is not installed (apt-get install valgrind)")
    click.echo(f"{machine()}\n")
    click.echo(heading(("contender", "instructions a request", "of bare")))
    first = 0.0
    chosen = {name: CONTENDERS[name] for name in ("bare mitmdump", *(names or list(CONTENDERS)[1:]))}
    with stub("0") as v1, stub("0") as v2, tempfile.TemporaryDirectory(prefix="mirror-addon-bench-") as folder:
        for name, command in chosen.items():
            few, many = (count(command, requests, v1, v2, Path(folder)) for requests in (FEW, MANY))
            each = (many[0] - few[0]) / (many[1] - few[1])
            first = first or each
            click.echo(line([name, f"{each:,.0f}", f"{each / first:.3f}"]))


if __name__ == "__main__":
    main(prog_name="python -m bench.instructions")
