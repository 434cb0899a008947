"""The work behind "Mirror Diff": compares two responses, and formats the difference of their bodies as lines.

Parsing a body of megabytes is one call that holds the interpreter's lock, so a thread would not keep it from stopping
the event loop, and a thread cannot be ended. What is not small is therefore compared in a child process, which runs
`main`.
"""

from __future__ import annotations

import pickle
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.rules import Rules
from mirror_addon.diff_view.bodies import Body
from mirror_addon.diff_view.bodies import body_differences
from mirror_addon.diff_view.bodies import read_body
from mirror_addon.processes.job import ChildJobs
from mirror_addon.processes.job import respond

LIMIT = 20.0
"""Seconds that a child process may take. Two JSON bodies of 16 MiB, the most that is kept of a body, take 3 s."""


class Task(NamedTuple):
    """Two responses to compare, and the rules. `kept`: the comparison made when they arrived, which is not repeated."""

    primary: Answer
    shadow: Answer
    control: Answer | None
    rules: Rules
    method: str
    url: str
    operation: str
    kept: Comparison | None

    @property
    def size(self) -> int:
        """Bytes of all header fields and bodies."""
        return sum(
            len(each.body or b"") + sum(len(name) + len(value) for name, value in each.headers)
            for each in self._responses
        )

    @property
    def coded(self) -> bool:
        """Whether a body has a content coding."""
        return any(
            each.body and any(name.lower() == b"content-encoding" for name, _ in each.headers)
            for each in self._responses
        )

    @property
    def _responses(self) -> list[Answer]:
        return [each for each in (self.primary, self.shadow, self.control) if each is not None]


class Compared(NamedTuple):
    """A comparison, and the difference of the bodies as lines where they were not compared by structure."""

    comparison: Comparison
    body: tuple[str, ...] = ()


def differs_in_body(comparison: Comparison) -> bool:
    """Whether the bodies differ as a whole. Of that, a comparison holds only one short value."""
    return any(each.path == "body" and not each.noise for each in comparison.differences)


def compared(task: Task) -> Compared:
    """Do the task, in this thread."""
    comparison = task.kept or compare(
        task.primary,
        task.shadow,
        task.rules,
        control=task.control,
        method=task.method,
        url=task.url,
        operation=task.operation,
    )
    if not differs_in_body(comparison):
        return Compared(comparison)
    return Compared(comparison, tuple(body_differences(_body(task.primary), _body(task.shadow))))


def _body(answer: Answer) -> Body:
    fields = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
    return read_body(answer.body or b"", fields.get(b"content-type", ""), fields.get(b"content-encoding", ""))


def child_jobs() -> ChildJobs:
    """Return the child processes for `in_process`."""
    return ChildJobs(__name__, LIMIT)


def in_process(task: Task, jobs: ChildJobs) -> Compared:
    """Compare in a child process, and wait for it. Raises JobFailed."""
    result: Compared = pickle.loads(jobs.run(pickle.dumps(task)))
    return result


def main() -> None:
    """Run as the child process."""
    respond(lambda data: pickle.dumps(compared(pickle.loads(data))))
