"""Jobs in processes that really run."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.children import children
from livetools.children import wait_for

from mirror_addon.processes.job import ChildJobs
from mirror_addon.processes.job import JobCancelled
from mirror_addon.processes.job import JobFailed

PROGRAM = """
import os, sys, time
from mirror_addon.processes.job import respond
def main(what="reverse", *rest):
    if what == "reverse":
        respond(lambda data: data[::-1])
    elif what == "sleep":
        with open(rest[0], "w") as file:
            file.write("x")
        time.sleep(600)
    elif what == "fail":
        respond(lambda data: 1 // 0)
    else:
        os._exit(7)
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The child's module can be imported, and no child stays."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "program.py").write_text(PROGRAM)
    before = children()
    yield
    assert children() <= before


@pytest.fixture
def jobs() -> ChildJobs:
    return ChildJobs("program", 30)


def in_thread(work: Callable[[], bytes]) -> Callable[[], Exception | None]:
    """Start `work` in a thread; what is returned waits for it, and gives what it raised."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait() -> Exception | None:
        thread.join(30)
        assert not thread.is_alive()
        return raised[0] if raised else None

    return wait


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_bytes_in_bytes_out(jobs: ChildJobs, unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    data = os.urandom(5_000_000)
    assert jobs.run(data) == data[::-1]
    assert jobs.run(b"") == b""


def test_a_job_that_raises(jobs: ChildJobs) -> None:
    with pytest.raises(JobFailed, match=r"^ZeroDivisionError: "):
        jobs.run(b"", "fail")
    with pytest.raises(JobFailed, match=r"^its process ended with exit code 7$"):
        jobs.run(b"", "exit")
    assert jobs.run(b"ab") == b"ba"


def test_the_limit(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(JobFailed, match=r"^it took more than 0\.2 s$"):
        ChildJobs("program", 0.2).run(b"", "sleep", str(tmp_path / "asleep"))
    assert time.monotonic() - started < 30


def test_killed_from_outside(jobs: ChildJobs, tmp_path: Path) -> None:
    before, asleep = children(), tmp_path / "asleep"
    wait = in_thread(lambda: jobs.run(b"", "sleep", str(asleep)))
    wait_for(asleep.exists)
    (pid,) = children() - before
    os.kill(pid, signal.SIGKILL)
    assert str(wait()) == "its process was ended by signal 9, perhaps because memory ran out"
    wait = in_thread(lambda: jobs.run(b"", "sleep", str(tmp_path / "again")))
    wait_for((tmp_path / "again").exists)
    os.kill((children() - before).pop(), signal.SIGTERM)
    assert str(wait()) == "its process was ended by signal 15"


def test_closed_while_it_works(jobs: ChildJobs, tmp_path: Path) -> None:
    asleep = tmp_path / "asleep"
    wait = in_thread(lambda: jobs.run(b"", "sleep", str(asleep)))
    wait_for(asleep.exists)
    jobs.close()
    assert isinstance(wait(), JobCancelled)


def test_closed_before(jobs: ChildJobs, tmp_path: Path) -> None:
    jobs.close()
    jobs.close()
    with pytest.raises(JobCancelled):
        jobs.run(b"", "sleep", str(tmp_path / "asleep"))


def test_without_an_interpreter(jobs: ChildJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(JobFailed, match=r"^its process cannot be started: No such file"):
        jobs.run(b"")
