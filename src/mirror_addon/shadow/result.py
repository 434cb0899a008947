"""What became of one shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

if TYPE_CHECKING:
    from mirror_addon.shadow.frames import Report

Outcome = Literal["sent", "failed", "dropped"]


@dataclass(slots=True)
class ShadowResult:
    """The end of one shadow, told once for every shadow that was offered.

    `sent`: the mirror answered, whatever the status. `failed`: it was tried and there is no complete answer; `reason`
    is `connect`, `timeout`, `reset` or `protocol`, and what was received until then is filled in. `dropped`: it was
    not tried, or given up by this side; `reason` is `queue_full`, `body_too_large`, `breaker_open`, `shutdown`,
    `worker_lost`, or the word an upload was aborted with.
    """

    id: str
    label: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    """For people: what exactly went wrong."""
    status: int | None = None
    http_version: str = ""
    """`HTTP/1.1`, `HTTP/2`."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    """The first `keep_body` bytes as on the wire (content coding not undone), None where answers are discarded."""
    bytes: int = 0
    """Body bytes received."""
    truncated: bool = False
    """The answer was longer than `drain_body`, reading stopped there."""
    connect_ms: float | None = None
    """Connection with TLS; None where one was reused or none came about."""
    first_byte_ms: float | None = None
    """From the start to the answer's head."""
    total_ms: float = 0.0
    """From a lane's taking the shadow up (so without its time in the queue) to the last byte."""


def result_of(id: str, label: str, outcome: Outcome, reason: str, report: Report | None, body: bytes) -> ShadowResult:
    """The result that a worker's report says, or none where it never came to that."""
    if report is None:
        return ShadowResult(id, label, outcome, reason)
    return ShadowResult(
        id,
        label,
        outcome,
        reason,
        report.detail,
        report.status,
        report.http_version,
        report.headers,
        body if report.kept else None,
        report.bytes,
        report.truncated,
        report.connect_ms,
        report.first_byte_ms,
        report.total_ms,
    )
