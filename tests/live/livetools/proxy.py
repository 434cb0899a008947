"""mitmdump and mitmweb as subprocesses: started, waited for, ended, and searched for what they left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from livetools.books import assert_balanced
from livetools.books import books
from livetools.forked import Forked
from livetools.forked import can_fork
from livetools.recorder import PATIENCE
from livetools.zygote import MARK

ROOT = Path(__file__).resolve().parents[3]
CANCELLED_CLIENT = re.compile(
    r"Exception in callback StreamReaderProtocol\.connection_made.*?CancelledError\n", re.DOTALL
)
"""What asyncio of Python 3.11 prints where mitmproxy ends while a client is connected: it asks a cancelled task for its
exception. Python 3.12 does not."""
"""The checkout."""


def tool(name: str) -> str:
    """The program of this name that belongs to the running interpreter."""
    return str(Path(sys.executable).with_name(name))


def processes(mark: str) -> set[int]:
    """Pids of all living processes that were started, however indirectly, with this mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0") and state(int(entry.name)) != "Z":
                    found.add(int(entry.name))
            except OSError:  # gone meanwhile, or not ours
                continue
    return found


def state(pid: int) -> str | None:
    """The letter that Linux gives the process's state, None for one that does not exist."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return None


def _started(command: list[str], cwd: Path, env: dict[str, str], anew: bool) -> subprocess.Popen[bytes] | Forked:
    if not anew and can_fork(command, env):
        return Forked(command, cwd, env)
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


class Tool:
    """A program with its output collected. As a context manager it is ended by Ctrl-C's signal and must end well.

    Where the program is Python it is forked off an interpreter that has done the imports (see `zygote`), unless
    `anew`: for tests of the start itself, and of what is imported when.
    """

    def __init__(
        self, command: Iterable[str], cwd: Path = ROOT, env: dict[str, str] | None = None, *, anew: bool = False
    ) -> None:
        self.mark = uuid.uuid4().hex
        inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        whole = {**inherited, "PYTHONUNBUFFERED": "1", **(env or {}), MARK: self.mark}
        self.process = _started([*command], cwd, whole, anew)
        self._output: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                with self._changed:
                    self._output.append(line.decode("utf-8", "replace"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def output(self) -> str:
        with self._changed:
            return "".join(self._output)

    def wait_for(self, pattern: str, timeout: float = PATIENCE, after: int = 0) -> re.Match[str]:
        """Waits until the output (from character `after` on) has a match of `pattern`, or fails with the output."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                if found := re.compile(pattern).search("".join(self._output), after):
                    return found
                left = deadline - time.monotonic()
                if self._ended or not self._changed.wait(max(left, 0)):
                    text = "".join(self._output)
                    raise AssertionError(f"no {pattern!r} within {timeout} s (ended: {self._ended}) in:\n{text}")

    def finish(self, timeout: float = 2 * PATIENCE) -> int:
        """Waits for the end of the program and of everything it started; the exit code."""
        code = self.process.wait(timeout)
        self.wait_until_gone()
        self._reader.join(PATIENCE)
        return code

    def wait_until_gone(self, timeout: float = PATIENCE) -> None:
        deadline = time.monotonic() + timeout
        while left := processes(self.mark):
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"{len(left)} processes were left running after:\n{self.output}")
            time.sleep(0.02)

    def interrupt(self, timeout: float = 2 * PATIENCE) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.finish(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            self.kill()
            error.add_note(f"output of {self.process.args!r}:\n{self.output}")
            return
        if self.process.poll() is None:
            try:
                code = self.interrupt()
            finally:
                self.kill()
            assert code == 0, f"exit code {code}:\n{self.output}"
        assert "Traceback (most recent call last)" not in CANCELLED_CLIENT.sub("", self.output), self.output

    def kill(self) -> None:
        """Ends the program and all that it started at once."""
        for pid in processes(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


class Proxy(Tool):
    """A mitmproxy tool that listens on a free port of 127.0.0.1 from when the constructor returns."""

    def __init__(
        self,
        confdir: Path,
        *arguments: str,
        program: str = "mitmdump",
        script: str | None = "mirror_addon",
        cwd: Path = ROOT,
        env: dict[str, str] | None = None,
        port: int = 0,
        anew: bool = False,
    ) -> None:
        command = [tool(program), "--listen-host", "127.0.0.1", "--listen-port", str(port)]
        command += ["--set", f"confdir={confdir}", *(["-s", script] if script is not None else [])]
        if script is not None and not any(argument.startswith("mirror_drain=") for argument in arguments):
            # However busy the machine is, what it has not sent at the end is sent.
            command += ["--set", f"mirror_drain={PATIENCE:.0f}s"]
        super().__init__([*command, *arguments], cwd, env, anew=anew)
        try:
            listening = self.wait_for(r"listening at (?:http://)?127\.0\.0\.1:(\d+)\.\n")
        except BaseException:
            self.kill()
            raise
        self.address = ("127.0.0.1", int(listening[1]))

    def finish(self, timeout: float = 2 * PATIENCE) -> int:
        """As above; and then the counters must add up."""
        code = super().finish(timeout)
        assert_balanced(self.output)
        return code

    @property
    def totals(self) -> dict[str, int]:
        """The counters at the end, of the last engine."""
        return books(self.output)[-1]

    @property
    def workers(self) -> set[int]:
        """Pids of the processes it started."""
        return processes(self.mark) - {self.process.pid}
