"""`mirror-addon collect`: the command line of `mirror_addon.collector`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.listen_option import LOOPBACK
from mirror_addon.cli.listen_option import cannot_listen
from mirror_addon.cli.listen_option import listen_option
from mirror_addon.cli.value_type import value_type
from mirror_addon.collector.files import Har
from mirror_addon.collector.files import JsonLines
from mirror_addon.collector.files import Writer
from mirror_addon.collector.run import Collection
from mirror_addon.collector.run import run
from mirror_addon.collector.server import Address
from mirror_addon.collector.server import Collector
from mirror_addon.collector.summary import Tally
from mirror_addon.compare.record_file import why_unwritable
from mirror_addon.compare.report.wording import counted
from mirror_addon.display.console import SafeConsole
from mirror_addon.options import values

_SHOW_EVERY = 0.25
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Responses:
    """How the server responds, and what it records of a request."""

    status: int
    delay: float
    max_body: int


def parse_status(text: str) -> int:
    """The status of a final response. Raises ValueError."""
    if not re.fullmatch(r"[2-5][0-9][0-9]", text):
        raise ValueError("must be the status of a final response, 200 to 599")
    return int(text)


@click.command()
@listen_option(":9002", "Where to listen.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="FILE.har: a HAR, in a new file. Any other name: JSON Lines, appended to the file.",
)
@click.option(
    "--for",
    "seconds",
    metavar="DURATION",
    type=value_type(values.positive_duration),
    help="Stop after this time: 10m.",
)
@click.option("--count", type=click.IntRange(1), help="Stop after so many requests.")
@click.option(
    "--status",
    default="200",
    show_default=True,
    metavar="CODE",
    type=value_type(parse_status),
    help="Status of all responses.",
)
@click.option(
    "--delay",
    default="0s",
    metavar="DURATION",
    type=value_type(values.duration),
    help="Time before a response is sent: 50ms.",
)
@click.option(
    "--max-body",
    default="1MiB",
    show_default=True,
    metavar="SIZE",
    type=value_type(values.size),
    help="How much of each body is recorded. Its length is always recorded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@gathered(responses=Responses)
def collect(
    listen: Address, output: Path, seconds: float | None, count: int | None, as_json: bool, responses: Responses
) -> None:
    """Run a mirror target that records every request and sends the same response to all of them.

    Stops on Ctrl-C, after --for or --count, and then prints a summary: endpoints, methods, names of header fields and
    query parameters, body sizes. The file is complete after every request. Supports HTTP/1.0, HTTP/1.1, and HTTP/2 with
    prior knowledge; no TLS and no upgrades.
    """
    writer = _writer(output, responses.status)
    collection = Collection(writer, count)
    collector = Collector(
        *listen, collection.take, status=responses.status, delay=responses.delay, keep=responses.max_body
    )
    try:
        asyncio.run(_run(collector, collection, seconds))
    except OSError as error:
        raise cannot_listen(error, listen) from None
    finally:
        writer.close()
    if as_json:
        echo(json.dumps(collection.tally.document()))
    else:
        console = SafeConsole(highlight=False)
        for each in collection.tally.tables():
            console.print(each)
    if collector.refused:
        echo(f"warning: {counted(collector.refused, 'connection')} sent something that is not HTTP", err=True)
    if collection.problem:
        raise click.ClickException(f"{output} cannot be written any more: {collection.problem}")


def _writer(output: Path, status: int) -> Writer:
    if output.suffix.lower() == ".har":
        try:
            return Har(output, status)
        except FileExistsError:
            raise click.UsageError(f"{output} exists; name a new file, because a HAR cannot be appended to") from None
        except OSError as error:
            raise click.UsageError(f"{output} cannot be written: {os.strerror(error.errno or 0)}") from None
    if problem := why_unwritable(output):
        raise click.UsageError(f"{output}: {problem}")
    return JsonLines(output)


async def _run(collector: Collector, collection: Collection, seconds: float | None) -> None:
    status = asyncio.create_task(_show_status(collection.tally))
    try:
        await run(collector, collection, seconds, _print_addresses)
    finally:
        status.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await status


def _print_addresses(addresses: list[Address]) -> None:
    for host, port in addresses:
        shown = f"[{host}]" if ":" in host else host
        reach = " (this machine only; --listen 0.0.0.0:PORT for all)" if host in (LOOPBACK, "::1") else ""
        echo(f"collecting at http://{shown}:{port}{reach}; Ctrl-C stops it", err=True)


async def _show_status(tally: Tally) -> None:
    """Show the number of requests on stderr until cancelled, where that is a terminal."""
    console = SafeConsole(stderr=True)
    if not console.is_terminal:
        return
    await asyncio.sleep(_SHOW_EVERY)
    with console.status("waiting for requests") as status:
        while True:
            if tally.requests:
                status.update(counted(tally.requests, "request"))
            await asyncio.sleep(_SHOW_EVERY)
