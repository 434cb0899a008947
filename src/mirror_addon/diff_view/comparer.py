"""Compares the responses of two flows when a person opens the view: small bodies at once, others in a child process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mitmproxy import http

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.echoes import asked_by
from mirror_addon.compare.graphql import operation_of
from mirror_addon.compare.rules import Rules
from mirror_addon.diff_view.comparing import Compared
from mirror_addon.diff_view.comparing import Task
from mirror_addon.diff_view.comparing import child_jobs
from mirror_addon.diff_view.comparing import compared
from mirror_addon.diff_view.comparing import differs_in_body
from mirror_addon.diff_view.comparing import in_process
from mirror_addon.processes.job import ChildJobs
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shadow_flow import milliseconds

AT_ONCE = 4 * 1024
"""Bytes of all responses together up to which they are compared in the event loop, if no body has a content coding: 25
bytes may be the code of megabytes. Others are compared in a child process, which can be killed: what a server sent may
take any time."""
REMEMBERED = 16
"""Pairs whose results are kept."""

Identity = tuple[object, ...]


def answer_of(flow: http.HTTPFlow) -> Answer:
    """Return the response of a flow, or its error, as `compare` takes it."""
    response = flow.response
    error = flow.error.msg.partition(":")[0] if flow.error else ""
    if response is None:
        return Answer(None, error=error or "no_answer")
    body = response.raw_content
    cut = meta.numbers_of(flow, meta.CUT_KEY)
    size = int(cut[1]) if cut else len(body or b"")
    return Answer(response.status_code, response.headers.fields, body, size, milliseconds(flow), error)


class Comparer:
    """Compares pairs, and keeps the newest results, each until a response of its flows is edited or replaced.

    `rules` returns the comparison rules in force for a primary.
    """

    def __init__(self, rules: Callable[[http.HTTPFlow], Rules]) -> None:
        self._rules = rules
        self._pool: ThreadPoolExecutor | None = None
        self._jobs: ChildJobs | None = None
        self._results: OrderedDict[tuple[str, str], tuple[Identity, Future[Compared]]] = OrderedDict()

    def compare(
        self, primary: http.HTTPFlow, shadow: http.HTTPFlow, control: http.HTTPFlow | None = None
    ) -> Compared | None:
        """Return the comparison of two flows, or None while it is under way. Raises JobFailed.

        The comparison made when the responses arrived is not repeated unless one of them was edited since.
        """
        kept = meta.read_comparison(shadow) if meta.is_current(primary, shadow) else None
        if kept is not None and not differs_in_body(kept):
            return Compared(kept)
        key = primary.id, shadow.id
        identity = tuple(
            part
            for flow in (primary, shadow, control)
            if flow and flow.response
            for part in (flow.response.status_code, flow.response.headers.fields, flow.response.raw_content)
        )
        known = self._results.get(key)
        if known is None or not _same(known[0], identity):
            task = Task(
                answer_of(primary),
                replace(answer_of(shadow), asked=_asked(primary, shadow)),
                answer_of(control) if control else None,
                self._rules(primary),
                primary.request.method,
                primary.request.pretty_url,
                operation_of(
                    primary.request.method, primary.request.pretty_url, primary.request.raw_content or b""
                ).name,
                kept,
            )
            known = self._results[key] = identity, self._start(task)
            while len(self._results) > REMEMBERED:
                self._results.popitem(last=False)
        result = known[1]
        return result.result() if result.done() else None

    def _start(self, task: Task) -> Future[Compared]:
        if task.size <= AT_ONCE and not task.coded:
            result: Future[Compared] = Future()
            result.set_result(compared(task))
            return result
        if self._pool is None or self._jobs is None:
            self._pool = ThreadPoolExecutor(1, "mirror-diff")
            self._jobs = child_jobs()
        return self._pool.submit(in_process, task, self._jobs)

    def close(self) -> None:
        """Forget all results and kill the child process."""
        self._results.clear()
        if self._jobs is not None:
            self._jobs.close()
            self._jobs = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _asked(primary: http.HTTPFlow, shadow: http.HTTPFlow) -> Asked:
    """How the mirror was asked, compared with the primary."""
    mine, its = (
        asked_by((flow.request.host_header or "").encode("utf-8", "surrogateescape"), flow.request.headers.fields, b"")
        for flow in (primary, shadow)
    )
    return its._replace(primary_host=mine.host)


def _same(one: Identity, other: Identity) -> bool:
    """Whether the two hold the same objects. Comparing the bodies by value would take as long as it saves."""
    return len(one) == len(other) and all(mine is theirs for mine, theirs in zip(one, other, strict=True))
