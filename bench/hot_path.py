"""`python -m bench.hot_path`: microseconds that a mirrored small request costs in the proxy's own loop.

Calls the addon's hooks on ready flows, without network on the primary's side: read and match, copy, hand-off to the
worker; then the answer's hooks, and all that the loop does until the last result is in. Prints the best and the median
of many batches as a Markdown table, CPU of the process; what mitmproxy itself does is not in it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import click
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from bench.contenders import ROOT
from bench.processes import stub
from bench.report import machine

sys.path.insert(0, str(ROOT / "src"))

from mirror_addon import MirrorAddon

URL = "http://istio.gateway.xxxx.tech/serviceB/orders/17?expand=items"
FIELDS = (
    (b"Host", b"istio.gateway.xxxx.tech"),
    (b"User-Agent", b"bench"),
    (b"Accept", b"application/json"),
    (b"Cookie", b"session=0123456789abcdef"),
)


def flow() -> http.HTTPFlow:
    made = tflow.tflow(req=http.Request.make("GET", URL))
    made.request.headers.fields = FIELDS
    return made


async def batch(addon: MirrorAddon, size: int) -> tuple[float, float]:
    """Microseconds of CPU a request, means of `size`: until its shadow is handed over, and of everything."""
    flows = [flow() for _ in range(size)]
    assert addon.session.writer
    totals = addon.session.writer.counters.totals
    expected = totals().sent + size
    before = time.process_time()
    for each in flows:
        addon.requestheaders(each)
        addon.request(each)
        addon.leaves(each)
    addon.session.writer.dispatcher.flush()
    first = time.process_time() - before
    for each in flows:
        each.response = http.Response.make(200, b"ok")
    before = time.process_time()
    for each in flows:
        addon.begins(each)
        if addon.responseheaders is not None:
            addon.responseheaders(each)
        addon.ends(each)
        addon.response(each)
    deadline = time.monotonic() + 30
    while totals().sent < expected and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return first * 1e6 / size, (first + time.process_time() - before) * 1e6 / size


async def measure(batches: int, size: int) -> tuple[list[tuple[float, float]], str]:
    addon = MirrorAddon()
    with stub("0") as v2, taddons.context(Proxyserver()) as context:
        context.master.addons.add(addon)
        overrides = ["serviceB/v1=127.0.0.1:9", f"serviceB/v2=127.0.0.1:{v2}"]
        context.configure(addon, mirror_rules=[str(ROOT / "rules")], mirror_endpoints=overrides)
        addon.running()
        await batch(addon, size)
        measured = [await batch(addon, size) for _ in range(batches)]
        if (drained := addon.done()) is not None:
            await drained
        assert addon.session.writer
        return measured, addon.session.writer.counters.text()


@click.command(help=__doc__)
@click.option("--batches", default=30, show_default=True)
@click.option("--size", default=200, show_default=True, help="Requests in a batch.")
def main(batches: int, size: int) -> None:
    measured, counters = asyncio.run(measure(batches, size))
    if f"sent {(batches + 1) * size}\n" not in counters:
        raise click.ClickException(f"not every shadow was sent:\n{counters}")
    click.echo(f"{machine()}\n")
    click.echo("| microseconds a mirrored request | best | median |\n|---|---:|---:|")
    names = ("match, copy, hand-over", "and of its answer and result")
    for name, values in zip(names, zip(*measured, strict=True), strict=True):
        click.echo(f"| {name} | {min(values):.0f} | {statistics.median(values):.0f} |")


if __name__ == "__main__":
    main(prog_name="python -m bench.hot_path")
