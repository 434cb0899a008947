"""Work that is done in a child process of its own: bytes in, bytes out, within a time limit."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable

from mirror_addon.processes.child import command


class JobFailed(Exception):
    """A job has no result. The text says why, as the end of a sentence."""


class JobCancelled(JobFailed):
    """`close` was called."""


class ChildJobs:
    """Runs `main(*arguments)` of `module` for each job, which must end within `limit` seconds.

    `main` calls `respond`. A job ends at the latest with this process, on Linux even if that is killed.
    """

    def __init__(self, module: str, limit: float) -> None:
        self._module = module
        self._limit = limit
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, data: bytes, *arguments: str) -> bytes:
        """Do one job and return what it wrote. Blocks: call it from a thread, one job at a time. Raises JobFailed."""
        pipe = subprocess.PIPE
        try:
            # The thread that starts a child must outlive it (see parent_death): the block ends after the child.
            with subprocess.Popen(
                command(self._module, *arguments), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            ) as process:
                self._process = process
                if self._closed:
                    process.kill()
                try:
                    result, complaint = process.communicate(data, self._limit)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise JobFailed(f"it took more than {self._limit:g} s") from None
        except OSError as error:
            raise JobFailed(f"its process cannot be started: {error.strerror or error}") from None
        finally:
            self._process = None
        if self._closed:
            raise JobCancelled("it was cancelled")
        if process.returncode:
            raise JobFailed(_reason(process.returncode, complaint))
        return result

    def close(self) -> None:
        """From any thread, for good: kill the child that runs, without waiting for it."""
        self._closed = True
        if (process := self._process) is not None:
            with contextlib.suppress(OSError):
                process.kill()


def _reason(code: int, complaint: bytes) -> str:
    """What a process that failed said last, or how it ended."""
    if lines := complaint.decode(errors="replace").strip().splitlines():
        return lines[-1]
    if code < 0:
        out_of_memory = ", perhaps because memory ran out" if code == -signal.SIGKILL else ""
        return f"its process was ended by signal {-code}{out_of_memory}"
    return f"its process ended with exit code {code}"


def respond(work: Callable[[bytes], bytes]) -> None:
    """In the child: pass the job's data to `work`, and return its result to the parent."""
    result = work(sys.stdin.buffer.read())
    # With PYTHONUNBUFFERED, sys.stdout.buffer is a raw file, whose write() may write a part.
    with open(sys.stdout.fileno(), "wb", closefd=False) as pipe:
        pipe.write(result)
