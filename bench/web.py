"""`python -m bench.web`: what pairs that are shown cost in mitmweb, against mitmweb alone.

One client, one request after the other, in turns with each of the two, which both run all the time: alone, with the
addon, with the addon, alone. Prints milliseconds a request (the mean of the medians of the turns) with their ratio, and
the peak memory of the proxy without its worker. mitmproxy keeps every flow, so memory grows with `--requests`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import click

from bench.contenders import Ports
from bench.contenders import bare
from bench.contenders import mirror_addon
from bench.processes import Running
from bench.processes import free_port
from bench.processes import load
from bench.processes import stub
from bench.report import machine


def _web(command: list[str]) -> list[str]:
    """The same with mitmweb in place of mitmdump."""
    quiet = ["--set", "web_open_browser=false", "--set", f"web_port={free_port()}"]
    return [str(Path(command[0]).with_name("mitmweb")), *quiet, *(word for word in command[1:] if word != "-q")]


def alone(ports: Ports, folder: Path) -> list[str]:
    return _web(bare(ports, folder))


def with_pairs(ports: Ports, folder: Path) -> list[str]:
    return _web(mirror_addon(ports, folder))


@click.command(help=__doc__)
@click.option("--requests", default=6000, show_default=True, help="Of each of the two.")
@click.option("--turns", default=12, show_default=True, help="Into which they are divided.")
def main(requests: int, turns: int) -> None:
    commands: dict[str, Callable[[Ports, Path], list[str]]] = {"mitmweb": alone, "with pairs shown": with_pairs}
    medians: dict[str, list[float]] = {name: [] for name in commands}
    with stub("0") as v1, stub("0") as v2:
        running = {name: Running(command, v1, v2, workers=True) for name, command in commands.items()}
        try:
            for turn in range(turns):
                for name in list(running) if turn % 2 == 0 else list(reversed(running)):
                    measured = load(running[name].port, 1, 60.0, requests // turns)
                    if measured["errors"]:
                        raise click.ClickException(f"{name}: {measured['errors']:.0f} requests failed")
                    medians[name].append(measured["p50"])
                    running[name].settle(5.0)
            peaks = {name: each.usage().proxy_peak for name, each in running.items()}
        finally:
            for each in running.values():
                each.stop()
    click.echo(f"{machine()}\n\nOne client, {requests} requests\n")
    click.echo("| | ms a request | of mitmweb alone | peak MiB |\n|---|---:|---:|---:|")
    base = statistics.mean(medians["mitmweb"])
    for name, values in medians.items():
        mean = statistics.mean(values)
        click.echo(f"| {name} | {mean:.2f} | {mean / base:.2f} | {peaks[name]:.0f} |")


if __name__ == "__main__":
    main(prog_name="python -m bench.web")
