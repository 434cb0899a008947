"""`mirror-addon collect`: a mirror target that takes everything, for when there is no v2 yet."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status

from mirror_addon.cli.value_type import value_type
from mirror_addon.collector.files import Har
from mirror_addon.collector.files import JsonLines
from mirror_addon.collector.files import Writer
from mirror_addon.collector.server import Collected
from mirror_addon.collector.server import Collector
from mirror_addon.collector.summary import Tally
from mirror_addon.compare.record_file import why_unwritable
from mirror_addon.compare.report.wording import counted
from mirror_addon.options import values

LOOPBACK = "127.0.0.1"
_SHOW_EVERY = 0.25
_GRACE = 0.2


def parse_listen(text: str) -> tuple[str, int]:
    """`0.0.0.0:9002`, `[::1]:9002`, and `:9002` or `9002` for this machine only. Port 0 is any free one."""
    match = re.fullmatch(r"(?:(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s]*):)?(?P<port>[0-9]{1,5})", text.strip())
    if not match or int(match["port"]) > 65535:
        raise ValueError("write ADDRESS:PORT, as in 127.0.0.1:9002, or :9002 for this machine only")
    return (match["host"] or LOOPBACK).strip("[]"), int(match["port"])


def parse_status(text: str) -> int:
    if not re.fullmatch(r"[2-5][0-9][0-9]", text):
        raise ValueError("must be the status of a complete answer, 200 to 599")
    return int(text)


@click.command()
@click.option(
    "--listen",
    default=":9002",
    show_default=True,
    metavar="ADDRESS:PORT",
    type=value_type(parse_listen),
    help="Where to listen. Without an address only this machine reaches it.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="FILE.har: a HAR document, in a new file. Else JSON Lines, which are appended.",
)
@click.option("--for", "seconds", metavar="DURATION", type=value_type(values.positive_duration), help="10m")
@click.option("--count", type=click.IntRange(1), help="End after so many requests.")
@click.option("--status", default="200", show_default=True, metavar="CODE", type=value_type(parse_status))
@click.option(
    "--delay",
    default="0s",
    metavar="DURATION",
    type=value_type(values.duration),
    help="Before answers: 50ms.",
)
@click.option(
    "--max-body",
    default="1MiB",
    show_default=True,
    metavar="SIZE",
    type=value_type(values.size),
    help="What is recorded of each body; its length is in any case.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
def collect(
    listen: tuple[str, int],
    output: Path,
    seconds: float | None,
    count: int | None,
    status: int,
    delay: float,
    max_body: int,
    as_json: bool,
) -> None:
    """Be a mirror target: answer every request alike, and record it.

    Ends with Ctrl-C, --for or --count, and then says what came: endpoints, methods, header and query names, sizes. The
    file is whole after every request. Spoken: HTTP/1.0, HTTP/1.1, and HTTP/2 with prior knowledge; no TLS, no upgrades.
    """
    collecting = _Collecting(_writer(output, status), count)
    collector = Collector(*listen, collecting.take, status=status, delay=delay, keep=max_body)
    problem = asyncio.run(_run(collector, collecting, listen, seconds, delay))
    collecting.writer.close()
    if problem:
        raise click.UsageError(problem)
    tally = collecting.tally
    if as_json:
        click.echo(json.dumps(tally.document()))
    else:
        console = Console(highlight=False)
        for each in tally.tables():
            console.print(each)
    if collector.refused:
        click.echo(f"warning: {counted(collector.refused, 'connection')} spoke no HTTP this understands", err=True)
    if collecting.problem:
        raise click.ClickException(f"{output} cannot be written any more: {collecting.problem}")


def _writer(output: Path, status: int) -> Writer:
    if output.suffix.lower() == ".har":
        try:
            return Har(output, status)
        except FileExistsError:
            raise click.UsageError(f"{output} exists; name a new file, for a HAR document cannot be added to") from None
        except OSError as error:
            raise click.UsageError(f"{output} cannot be written: {os.strerror(error.errno or 0)}") from None
    if problem := why_unwritable(output):
        raise click.UsageError(f"{output}: {problem}")
    return JsonLines(output)


class _Collecting:
    """Writes and counts, until there are enough or the disc is full."""

    def __init__(self, writer: Writer, count: int | None) -> None:
        self.writer = writer
        self.tally = Tally()
        self.problem = ""
        self.ended: Callable[[], None] = lambda: None
        self._left = count

    def take(self, request: Collected) -> bool:
        if self.problem or self._left == 0:
            return False
        try:
            self.writer.write(request)
        except OSError as error:
            self.problem = os.strerror(error.errno or 0)
            self.ended()
            return False
        self.tally.add(request)
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self.ended()
        return True


async def _run(
    collector: Collector, collecting: _Collecting, listen: tuple[str, int], seconds: float | None, delay: float
) -> str:
    """Collect until something ends it. What is wrong with the address, or nothing."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    collecting.ended = ended.set
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        async with collector:
            for host, port in collector.addresses:
                shown = f"[{host}]" if ":" in host else host
                reach = " (this machine only; --listen 0.0.0.0:PORT for all)" if host in (LOOPBACK, "::1") else ""
                click.echo(f"collecting at http://{shown}:{port}{reach}; Ctrl-C ends it", err=True)
            await _wait(ended, seconds, collecting.tally)
            await asyncio.sleep(delay + _GRACE if collecting._left == 0 else 0)  # the last answers
    except OSError as error:
        host, port = listen
        why = os.strerror(error.errno) if error.errno else str(error)
        return f"Cannot listen at {host or '*'}:{port}: {why}; name another with --listen ADDRESS:PORT"
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return ""


async def _wait(ended: asyncio.Event, seconds: float | None, tally: Tally) -> None:
    console = Console(stderr=True)
    loop = asyncio.get_running_loop()
    until = None if seconds is None else loop.time() + seconds
    status: Status | None = console.status("waiting for requests") if console.is_terminal else None
    if status:
        status.start()
    try:
        while not ended.is_set() and (until is None or loop.time() < until):
            left = None if until is None else until - loop.time()
            step = _SHOW_EVERY if status else left
            try:
                await asyncio.wait_for(ended.wait(), step if left is None or step is None else min(step, left))
            except TimeoutError:
                pass
            if status and tally.requests:
                status.update(counted(tally.requests, "request"))
    finally:
        if status:
            status.stop()
