"""`python -m bench.trip`: the way of one mirrored POST through the code of the addon, in the proxy's process.

Counts the calls of functions of mirror_addon, the modules they stand in, and how often the way goes from one module to
another, from the `requestheaders` hook until the result of the shadow is counted. Once without a view, once with one
(`save_stream_file`) and a record, where each shadow becomes a flow.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import click
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.save import Save
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from bench.contenders import ROOT
from bench.processes import stub

sys.path.insert(0, str(ROOT / "src"))

from mirror_addon import MirrorAddon

SOURCE = str(ROOT / "src" / "mirror_addon")


class Trip:
    """A profile function that notes the modules of the package that are entered, in their order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCE):
            module = frame.f_code.co_filename[len(SOURCE) + 1 : -3]
            self.calls.append((module, frame.f_code.co_qualname))

    @property
    def modules(self) -> Counter[str]:
        return Counter(module for module, _ in self.calls)

    @property
    def changes(self) -> int:
        """How often the way goes from one module to another."""
        return sum(before[0] != after[0] for before, after in zip(self.calls, self.calls[1:], strict=False))


def flow() -> http.HTTPFlow:
    made = tflow.tflow(req=http.Request.make("POST", "http://istio.gateway.xxxx.tech/serviceB/orders", b'{"item": 17}'))
    made.request.headers["host"] = "istio.gateway.xxxx.tech"
    return made


async def one(addon: MirrorAddon) -> None:
    """One mirrored request, from its head to the result of its shadow."""
    assert addon.session.writer
    counters = addon.session.writer.dispatcher.counters
    sent = counters.totals().sent
    each = flow()
    addon.requestheaders(each)
    addon.request(each)
    await asyncio.sleep(0.05)
    each.response = http.Response.make(200, b"ok")
    if addon.responseheaders is not None:
        addon.responseheaders(each)
    addon.response(each)
    deadline = time.monotonic() + 30
    while counters.totals().sent == sent and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)


async def trip(view: bool) -> Trip:
    addon, found = MirrorAddon(), Trip()
    with stub("0") as v2, tempfile.TemporaryDirectory() as folder, taddons.context(Proxyserver(), Save()) as context:
        context.master.addons.add(addon)
        endpoints = ["serviceB/v1=127.0.0.1:9", f"serviceB/v2=127.0.0.1:{v2}"]
        context.configure(addon, mirror_rules=[str(ROOT / "rules")], mirror_endpoints=endpoints)
        if view:
            context.options.update(save_stream_file=str(Path(folder) / "flows"))
            context.configure(addon, mirror_record=str(Path(folder) / "pairs.jsonl"))
        addon.running()
        for _ in range(3):
            await one(addon)
        sys.setprofile(found)
        try:
            await one(addon)
        finally:
            sys.setprofile(None)
        if (drained := addon.done()) is not None:
            await drained
    return found


async def trips() -> list[tuple[str, Trip]]:
    return [("without a view", await trip(False)), ("with a view and a record", await trip(True))]


@click.command(help=__doc__)
@click.option("--list", "listed", is_flag=True, help="Print every call.")
def main(listed: bool) -> None:
    click.echo("| one mirrored POST | calls | modules | changes of module |\n|---|---:|---:|---:|")
    for name, found in asyncio.run(trips()):
        click.echo(f"| {name} | {len(found.calls)} | {len(found.modules)} | {found.changes} |")
        if listed:
            for module, function in found.calls:
                click.echo(f"    {module}: {function}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m bench.trip")
