"""The list of changes is complete, and an unload leaves mitmproxy and its process as they were before."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import types
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import contentviews
from mitmproxy import options
from mitmproxy.addonmanager import traverse
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.connection import Server
from mitmproxy.hooks import all_hooks
from mitmproxy.test import taddons
from mitmproxy.tools.console import common as console_common  # noqa: F401  mitmproxy's programs load it
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.web import app as web_app  # noqa: F401
from pairtools import primary_flow

from mirror_addon.addon import MirrorAddon
from mirror_addon.host.changes import CHANGES
from mirror_addon.host.changes import HostChanges
from mirror_addon.host.http_streams import HttpStreams

ROOT = Path(__file__).resolve().parents[2]

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: b}
spec: {host: b, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
"""

SEEN = {
    "Dispatch of hooks": {"AddonManager overrides trigger_event"},
    "Moments of a request": {
        f"mitmproxy.proxy.layers.http.HttpStream.{name}"
        for name in ("make_server_connection", "state_wait_for_response_headers", "send_response")
    },
    "Reads of a client's connection": {"a client's reader"},
    "Sockets to upstreams": {"an upstream's socket"},
    "Entries of HAR files": {"SaveHar overrides flow_entry"},
    "Credentials for an upstream proxy": {"UpstreamAuth overrides requestheaders"},
    "Content view": {"content view mirror diff"},
    "URLs in the flow list": {"mitmproxy.tools.web.app.flow_to_json", "mitmproxy.tools.console.common.format_flow"},
    "Two options of mitmproxy": {"option keep_host_header", "option connection_strategy"},
    "Garbage collector and thread switches": {"frozen objects"},
}
"""What `state` shows of each change, while a streamed body is mirrored. Others have tests of their own below."""


def patchable() -> Iterator[tuple[str, object]]:
    """Every function and class of mitmproxy and of asyncio, and every attribute of the classes."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in ("mitmproxy", "asyncio"):
            continue
        for attribute, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType | type):
                yield f"{name}.{attribute}", value
            if isinstance(value, type) and value.__module__ == name:
                yield from ((f"{name}.{attribute}.{each}", member) for each, member in vars(value).items())


def objects(master: DumpMaster) -> Iterator[tuple[str, object]]:
    """The class of mitmproxy's addons and of the objects that hold them, and methods that an object overrides."""
    for each in (master, master.addons, master.options, master.commands, *traverse(master.addons.chain)):
        kind = type(each)
        if kind.__module__.startswith("mitmproxy."):
            yield f"class of {kind.__name__}", kind
            for name, value in vars(each).items():
                if callable(getattr(kind, name, None)):
                    yield f"{kind.__name__} overrides {name}", value


def views() -> list[str]:
    registry = getattr(contentviews, "registry", None)
    return list(registry) if registry is not None else [view.name.lower() for view in contentviews.views]


def client_readers(master: DumpMaster) -> list[Any]:
    proxyserver: Any = master.addons.get("proxyserver")
    clients = [handler.transports.get(handler.client) for handler in proxyserver.connections.values()]
    return [client.reader for client in clients if client is not None]  # a connection that ends has lost it already


def upstream_sockets(master: DumpMaster) -> list[Any]:
    proxyserver: Any = master.addons.get("proxyserver")
    return [
        each.writer.get_extra_info("socket")._sock
        for handler in proxyserver.connections.values()
        for connection, each in handler.transports.items()
        if isinstance(connection, Server) and each.writer is not None
    ]


def state(master: DumpMaster) -> dict[str, object]:
    """What a change of mitmproxy or of its process would make different, by name."""
    loop = asyncio.get_running_loop()
    root = logging.getLogger()
    return {
        **dict(patchable()),
        **dict(objects(master)),
        **{f"option {name}": option.current() for name, option in master.options.items() if name != "scripts"},
        **{f"content view {name}": True for name in views()},
        **{f"handler of signal {number}": signal.getsignal(number) for number in signal.valid_signals()},
        **{f"variable {name}": value for name, value in os.environ.items()},
        "a client's reader": {type(reader) for reader in client_readers(master)} - {asyncio.StreamReader},
        "an upstream's socket": {type(sock) for sock in upstream_sockets(master)} - {socket.socket},
        "frozen objects": gc.get_freeze_count() > 0,
        "collector": (gc.isenabled(), gc.get_threshold(), gc.callbacks[:]),
        "switch interval": sys.getswitchinterval(),
        "exception hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
        "event loop": (loop.get_task_factory(), loop.get_exception_handler(), loop.get_debug()),
        "logging": (root.handlers[:], root.level, logging.getLogger("mitmproxy").level),
        "working directory": os.getcwd(),
    }


def differences(before: dict[str, object], now: dict[str, object]) -> set[str]:
    """Modules that were imported since are no difference, nor are options that an addon registered."""
    names = {name for name in before if name not in now or before[name] != now[name]}
    kinds = ("option", "content view", "AddonManager", "SaveHar", "UpstreamAuth")
    return names | {name for name in now.keys() - before.keys() if name.startswith(kinds) and "mirror_" not in name}


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that responds when a counted body of 8 bytes is complete."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(8)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


class Proxy:
    """mitmdump in this process, as `mitmdump -s SCRIPT` runs it."""

    def __init__(self, master: DumpMaster, script: Path) -> None:
        self.master, self.script = master, script

    def addon(self) -> MirrorAddon | None:
        found = self.master.addons.get("mirror")
        return found if isinstance(found, MirrorAddon) and found.session.writer else None

    async def load(self) -> None:
        self.master.options.update(scripts=[str(self.script)])
        await wait_until(self.addon)

    async def unload(self) -> None:
        tasks = asyncio.all_tasks()
        self.master.options.update(scripts=[])
        assert self.addon() is None
        self.draining = asyncio.all_tasks() - tasks

    @contextlib.asynccontextmanager
    async def upload(self) -> AsyncIterator[None]:
        """A streamed body whose first half has been read on entry, and whose second half is sent on exit."""
        proxyserver: Any = self.master.addons.get("proxyserver")
        reader, writer = await asyncio.open_connection(*proxyserver.listen_addrs()[0][:2])
        with contextlib.closing(writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 8\r\n\r\nhalf")
            await wait_until(lambda: {type(reader) for reader in client_readers(self.master)} - {asyncio.StreamReader})
            yield
            writer.write(b"half")
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        await writer.wait_closed()
        await wait_until(lambda: not client_readers(self.master))


@pytest.fixture
async def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    monkeypatch.chdir(tmp_path)
    gc.unfreeze()
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "shop.yaml").write_text(RULES)
    shutil.copy(ROOT / "mirror_addon", tmp_path)
    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mode = [f"reverse:http://127.0.0.1:{port}"]
    settings = options.Options(listen_host="127.0.0.1", listen_port=0, mode=mode, confdir=str(tmp_path))
    master = DumpMaster(settings, with_termlog=False, with_dumper=False)
    settings.update(stream_large_bodies="1")
    settings.update_defer(
        mirror_rules=["rules"], mirror_endpoints=[f"b/v1=127.0.0.1:{port}", f"b/v2=127.0.0.1:{port}"], mirror_workers=1
    )
    running = asyncio.create_task(master.run())
    found = Proxy(master, tmp_path / "mirror_addon")
    try:
        errorcheck: Any = master.addons.get("errorcheck")
        await wait_until(lambda: errorcheck.logger not in logging.getLogger().handlers)  # the end of a start
        yield found
        settings.update(server=False)
        await wait_until(lambda: not master.addons.get("proxyserver").listen_addrs())  # type: ignore[union-attr]
    finally:
        master.shutdown()
        await running
        server.close()


async def test_the_list_is_complete_and_an_unload_takes_everything_back(proxy: Proxy) -> None:
    master = proxy.master
    before = state(master)
    await proxy.load()
    async with proxy.upload():
        assert differences(before, state(master)) == set.union(*SEEN.values())
        await proxy.unload()
        assert differences(before, state(master)) == set()
    await asyncio.wait(proxy.draining)
    assert differences(before, state(master)) == set()


async def test_a_reload_changes_nothing_twice(proxy: Proxy) -> None:
    master = proxy.master
    before = state(master)
    await proxy.load()
    first = proxy.addon()
    assert first
    async with proxy.upload():
        loaded = differences(before, state(master))
        os.utime(proxy.script, (proxy.script.stat().st_mtime + 10,) * 2)
        await wait_until(lambda: proxy.addon() not in (None, first))
        # A connection that was open before stays as mitmproxy opened it.
        gone = SEEN["Reads of a client's connection"] | SEEN["Sockets to upstreams"]
        assert differences(before, state(master)) == loaded - gone
    async with proxy.upload():
        assert differences(before, state(master)) == loaded
        await proxy.unload()
    await asyncio.wait(proxy.draining)
    assert differences(before, state(master)) == set()


async def test_the_script_has_a_name_for_every_hook_and_deferred_values_are_converted(proxy: Proxy) -> None:
    await proxy.load()
    (script,) = proxy.master.addons.get("scriptloader").addons  # type: ignore[union-attr]
    names = vars(script.ns)
    assert {name for name in all_hooks if name not in names} == {"add_log"}
    assert all(names[name] is None for name in all_hooks.keys() - {"add_log"})
    assert proxy.master.options.mirror_workers == "1", "a number, as config.yaml has it"
    assert not proxy.master.options.deferred


def test_every_change_is_covered_here() -> None:
    elsewhere = {
        "Names in the script",
        "Columns of mitmweb",
        "Values of deferred options",
        "A hook for scripts",
        "Late responses",
    }
    assert {change.name for change in CHANGES} == SEEN.keys() | elsewhere
    assert all((ROOT / change.code).is_file() for change in CHANGES)


def test_the_page_has_the_list() -> None:
    page = (ROOT / "docs" / "explanation" / "host.md").read_text()
    for change in CHANGES:
        section = page.partition(f"\n## {change.name}\n")[2].partition("\n## ")[0]
        words = " ".join(section.split())
        for text in (
            change.what,
            change.why,
            change.worth,
            change.guard,
            change.off,
            change.unload,
            f"`{change.code}`",
        ):
            assert text in words, (change.name, text)
    assert page.count("\n## ") == len(CHANGES)


def no_moments() -> HttpStreams:
    return HttpStreams(lambda flow: None, lambda flow: None, lambda flow: None)


async def test_at_exit_what_is_still_in_use_stays() -> None:
    """Requests pass until the shadows are drained, and mitmproxy writes its HAR file after that."""
    changes = HostChanges(
        "Mirror Diff", lambda flow: [], lambda entry, flow: entry | {"comment": "annotated"}, streams := no_moments()
    )
    writer = SaveHar()
    with taddons.context(writer) as context:
        context.options.add_option("keep_host_header", bool, False, "")
        context.options.add_option("connection_strategy", str, "eager", "")
        changes.load()
        changes.apply(fast_hooks=True)
        context.master.should_exit.set()
        changes.take_back()
        assert context.options.keep_host_header
        assert context.options.connection_strategy == "lazy"
        assert writer.flow_entry(primary_flow(), set())["comment"] == "annotated"
        assert "trigger_event" not in vars(context.master.addons)
        assert "mirror diff" not in views()
        assert streams.taken
        streams.give_back()


async def test_a_value_that_no_option_can_have_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    changes = HostChanges("Mirror Diff", lambda flow: [], lambda entry, flow: entry, no_moments())
    with taddons.context() as context:
        context.options.update_defer(mirror_workers=None)
        changes.load()
        changes.take_back()
        assert not context.options.deferred
    assert "mirror: mirror_workers=None: must be a string" in caplog.text
