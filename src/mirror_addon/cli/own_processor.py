"""A processor that `mirror-addon envoy --processor` runs beside Envoy, with the same rules."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import Final

from mirror_addon.cli.console import echo
from mirror_addon.processes.child import command

_LISTENING = re.compile(r"processor is listening at (127\.0\.0\.1):(\d+)\s")
_STARTS_WITHIN = 30.0
_ENDS_WITHIN: Final = 15.0
"""Seconds from SIGTERM to SIGKILL; it drains before it ends."""


class ProcessorError(RuntimeError):
    """The processor did not start. Its messages are above."""


def processor_command(rules: Sequence[str], assignments: Sequence[str]) -> list[str]:
    """Return the command of a processor with these options, at a free port."""
    given = [part for path in rules for part in ("--rules", path)]
    given += [part for assignment in assignments for part in ("--set", assignment)]
    return command("mirror_addon.cli.own_processor", "--listen", "127.0.0.1:0", *given)


def main(*arguments: str) -> None:
    """Be the processor. It does not outlive the command that started it (`processes.child`)."""
    from mirror_addon.cli.main import main as command_line

    command_line(["processor", *arguments], prog_name="mirror-addon")


class OwnProcessor:
    """The process. Use it as an asynchronous context manager; it is ended with Envoy."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> tuple[str, int]:
        """Run it and return its address. Raises ProcessorError where it does not listen."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches this command, which ends both in their order
        )
        try:
            address = await asyncio.wait_for(self._address(), _STARTS_WITHIN)
        except TimeoutError:
            raise ProcessorError(f"The processor did not listen within {_STARTS_WITHIN:g} s") from None
        self._reading = asyncio.create_task(self._read())
        return address

    async def stop(self) -> None:
        """End the process, if it runs. What it prints last is printed."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _ENDS_WITHIN)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reading is not None:
            await self._reading

    async def _address(self) -> tuple[str, int]:
        while line := await self._line():
            echo(line.rstrip("\n"))
            if found := _LISTENING.search(line):
                return found[1], int(found[2])
        assert self._process is not None
        code = await self._process.wait()
        raise ProcessorError(f"The processor ended at its start with code {code}; its messages are above")

    async def _read(self) -> None:
        """Print what it prints. Envoy goes on without it: no request fails."""
        while line := await self._line():
            echo(line.rstrip("\n"))
        assert self._process is not None
        if code := await self._process.wait():
            echo(f"the processor ended with code {code}; requests pass, and nothing is mirrored", err=True)

    async def _line(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        return (await self._process.stdout.readline()).decode(errors="replace")
