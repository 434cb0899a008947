"""mitmdump and mitmweb with the addon as the demo starts them."""

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

import click

from mirror_addon.demo.upstreams import Upstream


class Proxy:
    """mitmdump or mitmweb with the addon, on free loopback ports, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.address = ("", 0)
        self.url = ""
        """mitmweb's own page."""
        self._lines: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def output(self) -> str:
        return "".join(self._lines)

    async def listening(self, web: bool) -> None:
        """Returns when it listens. Raises ClickException with its output when it does not come to that."""
        assert self.process.stdout
        while not (self.address[1] and (self.url or not web)):
            line = (await asyncio.wait_for(self.process.stdout.readline(), 60)).decode(errors="replace")
            if not line:
                raise click.ClickException(f"the proxy did not start:\n{self.output}")
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
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self.process.wait(), 15)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        if self._reading:
            await self._reading


@contextlib.asynccontextmanager
async def running(rules: Path, v1: Upstream, v2: Upstream, web: bool) -> AsyncIterator[Proxy]:
    """The proxy between the two upstreams, with settings of its own and not the user's mitmproxy's."""
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
        # A session of its own: Ctrl-C comes to us, and we end the proxy when we have finished with it.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
        proxy = Proxy(process)
        try:
            await proxy.listening(web)
            yield proxy
        finally:
            await proxy.stop()
