"""The work behind "Mirror Diff": two answers compared, and the difference of their bodies as lines. Pure.

A body of megabytes is parsed in one go that no thread can interrupt, so big ones are compared in a process of their
own (`in_process`), of which this module is the program.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.rules import Rules
from mirror_addon.diff_view.bodies import Body
from mirror_addon.diff_view.bodies import body_differences
from mirror_addon.diff_view.bodies import read_body

_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from mirror_addon.diff_view.comparing import main
main()
"""


class Task(NamedTuple):
    """What is to be compared, and how. `kept`: what was found when the answers came, which then holds."""

    primary: Answer
    shadow: Answer
    control: Answer | None
    rules: Rules
    method: str
    url: str
    kept: Comparison | None

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        return sum(len(each.body or b"") for each in (self.primary, self.shadow, self.control) if each)


class Compared(NamedTuple):
    """A comparison, and the bodies' difference as lines where they were not compared by structure."""

    comparison: Comparison
    body: tuple[str, ...] = ()


def differs_in_body(comparison: Comparison) -> bool:
    """Whether the bodies differ as a whole, of which a comparison has little to show."""
    return any(each.path == "body" and not each.noise for each in comparison.differences)


def compared(task: Task) -> Compared:
    """The task done, here and now."""
    comparison = task.kept or compare(
        task.primary, task.shadow, task.rules, control=task.control, method=task.method, url=task.url
    )
    if not differs_in_body(comparison):
        return Compared(comparison)
    return Compared(comparison, tuple(body_differences(_body(task.primary), _body(task.shadow))))


def _body(answer: Answer) -> Body:
    fields = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
    return read_body(answer.body or b"", fields.get(b"content-type", ""), fields.get(b"content-encoding", ""))


def in_process(task: Task) -> Compared:
    """The task done by a process that ends with it; waits for that. Raises OSError or ChildProcessError."""
    # -P keeps the working directory off sys.path, where a stray module would be found before the library's.
    command = [sys.executable, "-P", "-c", _PROGRAM, _ROOT]
    done = subprocess.run(command, input=pickle.dumps(task), capture_output=True)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ChildProcessError(f"the comparison ended with {done.returncode}: {last}")
    result: Compared = pickle.loads(done.stdout)
    return result


def main() -> None:
    """The process: a pickled task comes in, what was found goes out."""
    sys.stdout.buffer.write(pickle.dumps(compared(pickle.load(sys.stdin.buffer))))
