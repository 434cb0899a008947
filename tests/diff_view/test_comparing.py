from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from livetools.children import children
from livetools.children import wait_for
from livetools.proxy import state

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.diff_view.comparing import Compared
from mirror_addon.diff_view.comparing import Task
from mirror_addon.diff_view.comparing import child_jobs
from mirror_addon.diff_view.comparing import compared
from mirror_addon.diff_view.comparing import in_process
from mirror_addon.processes.child import ROOT
from mirror_addon.processes.job import ChildJobs
from mirror_addon.processes.job import JobFailed

TEXT = ((b"Content-Type", b"text/plain"),)
JSON = ((b"Content-Type", b"application/json"),)


@pytest.fixture
def jobs() -> Iterator[ChildJobs]:
    made = child_jobs()
    yield made
    made.close()


def answer(body: bytes | None, headers: tuple[tuple[bytes, bytes], ...] = TEXT) -> Answer:
    return Answer(200, headers, body, len(body or b""))


def task(ours: Answer, theirs: Answer, kept: Comparison | None = None, rules: Rules = DEFAULT_RULES) -> Task:
    return Task(ours, theirs, None, rules, "GET", "http://shop.test/x", "", kept)


def test_text_has_lines_and_json_has_none() -> None:
    assert compared(task(answer(b"a"), answer(b"b"))).body == ("@@ -1 +1 @@", "-a", "+b")
    by_structure = compared(task(answer(b'{"a": 1}', JSON), answer(b'{"a": 2}', JSON)))
    assert [each.path for each in by_structure.comparison.differences] == ["$.a"]
    assert by_structure.body == ()


def test_what_is_kept_holds() -> None:
    kept = Comparison("same")
    assert compared(task(answer(b"a"), answer(b"b"), kept)) == Compared(kept)
    ignored = Comparison("noise", (Difference("body", "value", 1, 2, "ignored"),))
    assert compared(task(answer(b"a"), answer(b"b"), ignored)) == Compared(ignored)


@pytest.mark.parametrize("rules", [DEFAULT_RULES, DEFAULT_RULES.ignoring("$.a, header:x-y")])
def test_a_process_finds_the_same(rules: Rules, jobs: ChildJobs) -> None:
    for pair in ((answer(b"a\nb"), answer(b"a\nc")), (answer(b'{"a": 1}', JSON), answer(b'{"a": 2}', JSON))):
        assert in_process(task(*pair, rules=rules), jobs) == compared(task(*pair, rules=rules))


def test_a_process_that_fails_says_why(jobs: ChildJobs) -> None:
    broken = task(answer(b"a"), Answer(200, body="no bytes"))  # type: ignore[arg-type]
    with pytest.raises(JobFailed, match=r"^\w+Error: "):
        in_process(broken, jobs)


def test_the_process_dies_with_its_parent() -> None:
    """Even one that is stopped, and could not end by itself."""
    program = f"""
import sys
sys.path.insert(0, {ROOT!r})
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.diff_view.comparing import Task, child_jobs, in_process
primary, shadow = (Answer(200, body=bytes([letter]) * 20_000_000) for letter in b"ab")
in_process(Task(primary, shadow, None, DEFAULT_RULES, "GET", "http://shop.test/x", "", None), child_jobs())
"""
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        (pid,) = wait_for(lambda: children(parent.pid))
        process = Path(f"/proc/{pid}")
        wait_for(lambda: b"processes/child.py" in (process / "cmdline").read_bytes())  # a copy of the parent until exec
        wait_for(lambda: "zstandard" in (process / "maps").read_text())  # imported after the child's first steps
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
    wait_for(lambda: state(pid) in (None, "Z"))
