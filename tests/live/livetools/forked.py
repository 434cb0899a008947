"""Programs in Python that start at once, because an interpreter has done their imports before: see `zygote`."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from livetools import zygote
from livetools.zygote import MARK

_ZYGOTE = Path(zygote.__file__)
_MARK_LENGTH = 32
_READ_AT_START = re.compile("PYTHON|LANG|LC_|LD_|MITMPROXY_|OPENSSL_")
"""Variables that the interpreter or what is imported reads before a fork is told its own."""
_HARMLESS = {("PYTHONUNBUFFERED", "1"), ("PYTHONPATH", str(_ZYGOTE.parents[3] / "src"))}


def _settings(env: Mapping[str, str]) -> set[tuple[str, str]]:
    return {(name, value) for name, value in env.items() if _READ_AT_START.match(name)}


_SETTINGS = _settings(os.environ) | _HARMLESS


def can_fork(command: list[str], env: Mapping[str, str]) -> bool:
    """Whether the command is a program of the running interpreter that needs nothing which is read at its start.

    Coverage is measured from the start of an interpreter on: with it, every program is started anew.
    """
    measured = "COVERAGE_PROCESS_CONFIG" in env or "COVERAGE_PROCESS_START" in env
    return not measured and _arguments(command) is not None and _settings(env) <= _SETTINGS


def _arguments(command: list[str]) -> list[str] | None:
    """The interpreter's arguments for `python -c`, `python -m` and the programs beside it; None for other commands."""
    program, *arguments = command
    folder = Path(sys.executable).parent
    if program in (sys.executable, str(folder / "python")):
        return arguments if re.match("(-P )?-[cm] ", " ".join(arguments)) else None
    beside = Path(program).parent == folder and Path(program).name in ("mitmdump", "mitmweb", "mirror-addon")
    return command if beside else None


@functools.cache
def _requests() -> socket.socket:
    """The socket to this process's zygote, which is started for the first program."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(_ZYGOTE), str(theirs.fileno())],
            env={**os.environ, "PYTHONUNBUFFERED": "1", MARK: _MARK_LENGTH * "-"},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class Forked:
    """A process of the zygote, with the interface of `subprocess.Popen`. Its output and its errors are one stream.

    `env` has a mark. Raises AssertionError where it cannot be started.
    """

    def __init__(self, command: list[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.args = command
        self.returncode: int | None = None
        self._lock = threading.Lock()
        program = {"arguments": _arguments(command), "cwd": str(cwd), "env": dict(env)}
        output, into_output = os.pipe()
        self._news, into_news = os.pipe()
        with open(os.devnull, "rb") as nothing:
            streams = [nothing.fileno(), into_output, into_output, into_news]
            socket.send_fds(_requests(), [json.dumps(program).encode()], streams)
        os.close(into_output)
        os.close(into_news)
        self.stdout: IO[bytes] = os.fdopen(output, "rb")
        what, self.pid = self._read()
        assert what == "pid", self.stdout.read()

    def _read(self) -> tuple[str, int]:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._news, 1)
            assert byte, "the zygote has ended"
            line += byte
        what, number = line.split()
        return what.decode(), int(number)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, or minus the number of the signal that ended it. Raises subprocess.TimeoutExpired."""
        with self._lock:
            if self.returncode is None:
                if not select.select([self._news], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                _, status = self._read()
                os.close(self._news)
                self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Does nothing where the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
