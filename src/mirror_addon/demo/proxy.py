"""mitmdump or mitmweb with the addon, as a child process of the demo."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from asyncio.subprocess import PIPE
from asyncio.subprocess import STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

from mirror_addon.demo.upstreams import Upstream

_STARTS_WITHIN, _ENDS_WITHIN = 60.0, 15.0
"""Seconds."""


class DemoError(Exception):
    """The demo cannot go on. The message has the proxy's output."""


class Proxy:
    """A running mitmdump or mitmweb with the addon, on free ports of 127.0.0.1."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.address = ("", 0)
        self.url = ""
        """The address of mitmweb's page; empty for mitmdump."""
        self._lines: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def output(self) -> str:
        """Its last 500 lines on stdout and stderr."""
        return "".join(self._lines)

    async def listening(self, web: bool) -> None:
        """Wait until it listens. Raises DemoError where it ends before that, TimeoutError after a minute."""
        assert self.process.stdout
        while not (self.address[1] and (self.url or not web)):
            line = (await asyncio.wait_for(self.process.stdout.readline(), _STARTS_WITHIN)).decode(errors="replace")
            if not line:
                raise DemoError(f"the proxy did not start:\n{self.output}")
            self._lines.append(line)
            if found := re.search(r"proxy listening at ([\d.]+):(\d+)", line):
                self.address = (found[1], int(found[2]))
            elif found := re.search(r"Web server listening at (\S+)", line):
                self.url = found[1]
        self._reading = asyncio.create_task(self._drain(self.process.stdout))

    async def _drain(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            self._lines.append(line.decode(errors="replace"))
            del self._lines[:-500]

    async def stop(self) -> None:
        """End it with SIGINT, or with SIGKILL where it does not end in time."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self.process.wait(), _ENDS_WITHIN)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        if self._reading:
            await self._reading


@contextlib.asynccontextmanager
async def running(rules: Path, v1: Upstream, v2: Upstream, web: bool) -> AsyncIterator[Proxy]:
    """The proxy in front of the two upstreams. It has a configuration folder of its own, not the user's."""
    with tempfile.TemporaryDirectory(prefix="mirror-addon-demo-") as confdir:
        settings = {"confdir": confdir, "mirror_rules": str(rules)}
        if web:
            with socket.create_server(("127.0.0.1", 0)) as free:
                settings |= {"web_open_browser": "false", "web_port": str(free.getsockname()[1])}
        options = [f"{name}={value}" for name, value in settings.items()]
        options += [f"mirror_endpoints=serviceB/{upstream.version}={upstream.address}" for upstream in (v1, v2)]
        start = "from mirror_addon.cli.main import main; main()"
        command = [sys.executable, "-P", "-u", "-c", start, "web" if web else "dump"]
        command += ["--listen-host", "127.0.0.1", "--listen-port", "0"]
        command += [part for option in options for part in ("--set", option)]
        # A session of its own, so that Ctrl-C in the terminal reaches the demo only, which then ends the proxy.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
        proxy = Proxy(process)
        try:
            await proxy.listening(web)
            yield proxy
        finally:
            await proxy.stop()
