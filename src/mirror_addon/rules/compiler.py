"""Large rule sets are read and compiled in a process of their own, for as long as that takes.

In the proxy's process that work would take turns with every request, whatever the thread: 1,000 routes are 0.2 s of
holding the interpreter's lock. What is left to do there is to read the result, a tenth of that, in small steps.

The process ends with its work, with `close`, when it takes too long, and on Linux when the proxy is killed; elsewhere
it then finishes its work first.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

from mirror_addon.options.settings import Settings
from mirror_addon.processes.parent_death import die_with_parent
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.rules.transfer import pack

PATIENCE = 60.0
"""Seconds: 10,000 routes take 4."""
NICENESS = 5
"""A request goes first; a change of rules is still to be in force in two seconds."""
_PACKAGE = Path(__file__).resolve().parents[1]
_PROGRAM = """
import sys
if sys.argv[1] not in sys.path:
    sys.path.insert(0, sys.argv[1])
from mirror_addon.rules.compiler import main
main()
"""


class CompilerFailed(Exception):
    """There is no result; the text says why."""


class Closed(Exception):
    """Nobody wants the result any more."""


class RulesCompiler:
    """Starts such a process for each rule set. All but `close` is for a thread that may wait."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._written = _newest_source()

    def compile(self, settings: Settings, local_address: bytes) -> bytes:
        """What `load_rule_set` gives, an empty table for a refused set; for `rule_set_transfer.unpack`.

        Raises CompilerFailed, and Closed after `close`.
        """
        # -P keeps the working directory off sys.path, where a stray yaml.py would be found before the library's.
        command = [sys.executable, "-P", "-W", "ignore", "-c", _PROGRAM, str(_PACKAGE.parent), str(os.getpid())]
        work = pickle.dumps(self._written) + pickle.dumps((settings, local_address))
        pipe = subprocess.PIPE
        try:
            # Nothing leaves this block before the process has ended: it dies with the thread that started it.
            with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
                self._process = process
                if self._closed:
                    process.kill()
                try:
                    result, complaint = process.communicate(work, PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise CompilerFailed(f"it was not done in {PATIENCE:g} s") from None
        except OSError as error:
            raise CompilerFailed(f"it cannot be started: {error.strerror or error}") from None
        finally:
            self._process = None
        if self._closed:
            raise Closed
        if process.returncode:
            raise CompilerFailed(_reason(process.returncode, complaint))
        return result

    def close(self) -> None:
        """From the loop: end what runs."""
        self._closed = True
        if (process := self._process) is not None:
            with contextlib.suppress(OSError):
                process.kill()


def _newest_source() -> int:
    """When the program was written last, in nanoseconds: only one and the same can read what it has packed."""
    return max((file.stat().st_mtime_ns for file in _PACKAGE.rglob("*.py")), default=0)


def _reason(code: int, complaint: bytes) -> str:
    if lines := complaint.decode(errors="replace").strip().splitlines():
        return lines[-1]
    if code < 0:
        return f"it was ended by signal {-code}" + (", for want of memory?" * (code == -signal.SIGKILL))
    return f"it ended with {code}"


def main() -> None:
    """The process's whole life."""
    die_with_parent()
    if os.getppid() != int(sys.argv[2]):
        return  # the proxy was killed before
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    die_with_parent()
    gc.disable()
    if pickle.load(sys.stdin.buffer) != _newest_source():
        sys.exit("mirror_addon's own files were changed since the proxy started; start it again")
    settings, local_address = pickle.load(sys.stdin.buffer)
    with open(sys.stdout.fileno(), "wb", closefd=False) as pipe:  # sys.stdout may be unbuffered, and write a part
        pipe.write(pack(load_rule_set(settings, local_address, only_good=True)))
    os._exit(0)  # without taking apart what was built
