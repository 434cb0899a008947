"""The result of one shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

if TYPE_CHECKING:
    from mirror_addon.shadow.frames import Report
    from mirror_addon.shadow.frames import SentRequest

Outcome = Literal["sent", "failed", "dropped"]


@dataclass(slots=True)
class ShadowResult:
    """The result of one shadow. There is exactly one for every shadow that was offered.

    `sent`: the mirror's response is complete, whatever its status. `failed`: the shadow was tried and there is no
    complete response; `reason` is `connect`, `timeout`, `reset` or `protocol`, and the fields have what was received
    until then. `dropped`: it was not tried, or given up on this side; `reason` is `queue_full`, `body_too_large`,
    `breaker_open`, `shutdown`, `worker_lost`, or the reason with which an upload was aborted.
    """

    id: str
    label: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    """The error message, for people."""
    status: int | None = None
    http_version: str = ""
    """`HTTP/1.1` or `HTTP/2`; empty without a response."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    """The first `keep_body` bytes as received, without decoding; None if responses are discarded."""
    bytes: int = 0
    """Body bytes received."""
    truncated: bool = False
    """Reading stopped before the response's end: its body was longer than `drain_body`, or a stream that went on."""
    connect_ms: float | None = None
    """Milliseconds for name lookup, TCP and TLS; None if a connection was reused or could not be made."""
    first_byte_ms: float | None = None
    """Milliseconds from the last byte of the request to the first bytes of the response."""
    total_ms: float = 0.0
    """Milliseconds from the start to the last byte. The start: a lane is free, and a new connection may be opened."""
    ms: float | None = None
    """Milliseconds from the last byte of the request to the last byte of the response, or to the failure."""
    clock: str = "program"
    """How `ms` was taken, see compare.answer."""
    late_ms: float | None = None
    """Milliseconds from the arrival of the last bytes to their read; None if that is not known."""
    adapted: tuple[str, ...] = ()
    """How the worker changed the request, see frames.Report."""
    request: SentRequest | None = None
    """What was sent in place of the request that was handed over, see frames.Report."""

    @property
    def response_ms(self) -> float:
        """`ms`; `total_ms` where there is none."""
        return self.total_ms if self.ms is None else self.ms


def result_of(id: str, label: str, outcome: Outcome, reason: str, report: Report | None, body: bytes) -> ShadowResult:
    """Return the result of a shadow from its worker's report; without a report it has only outcome and reason."""
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
        report.ms,
        report.clock,
        report.late_ms,
        report.adapted,
        report.request,
    )
