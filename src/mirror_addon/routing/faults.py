"""Fault injection: delay, then abort, each with a random number of its own (Envoy's fault filter)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mirror_addon.istio.resources.virtual_service import Abort
from mirror_addon.istio.resources.virtual_service import Delay
from mirror_addon.istio.resources.virtual_service import HTTPFaultInjection
from mirror_addon.routing.decision import LocalResponse
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.fractions import NEVER
from mirror_addon.routing.fractions import Fraction
from mirror_addon.routing.fractions import from_integer
from mirror_addon.routing.fractions import from_percent
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.local_replies import grpc_reply
from mirror_addon.routing.local_replies import is_grpc
from mirror_addon.routing.local_replies import local_reply
from mirror_addon.routing.randomness import derived

_DELAY, _ABORT = 0x64656C6179, 0x61626F7274
_BODY = b"fault filter abort"
_GRPC_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """A compiled fault policy. A missing percentage means never, unlike a mirror's (`route.go`, `TranslateFault`)."""

    seconds: float
    delay: Fraction
    http_status: int | None
    grpc_status: int | None
    abort: Fraction

    def delay_of(self, draw: int) -> float:
        """Return for how many seconds a request is held."""
        return self.seconds if self.seconds and self.delay.includes(derived(draw, _DELAY)) else 0.0

    def abort_of(self, request: Request, draw: int, edits: Sequence[HeaderEdit] = ()) -> LocalResponse | None:
        """Return the abort's response, with the route's response edits; None where the request goes on."""
        if not self.aborts(draw):
            return None
        if self.grpc_status is None or not is_grpc(request):
            status = 200 if self.http_status is None else self.http_status
            return local_reply(request, status, _BODY, (), edits)
        headers: Fields = ()
        for edit in edits:
            headers = edit.apply(headers)
        return grpc_reply(request, self.grpc_status, _BODY, headers)

    def aborts(self, draw: int) -> bool:
        """Whether a request with this draw is aborted."""
        return self.abort.includes(derived(draw, _ABORT))

    def words(self, draw: int) -> list[str]:
        """Return the comparisons, for a trace."""
        lines = []
        if self.delay.numerator:
            lines.append(f"delay {self.seconds:g} s: {self.delay.words(derived(draw, _DELAY), 'roll')}")
        if self.abort.numerator:
            status = f"gRPC status {self.grpc_status}" if self.grpc_status is not None else f"{self.http_status}"
            lines.append(f"abort with {status}: {self.abort.words(derived(draw, _ABORT), 'roll')}")
        return lines


def compile_fault(fault: HTTPFaultInjection | None) -> Fault | None:
    """Return the compiled policy; None where it never delays or aborts."""
    if fault is None:
        return None
    delay, abort = fault.delay or Delay(), fault.abort or Abort()
    seconds = delay.fixed_delay or 0.0
    delay_fraction = NEVER
    if seconds > 0:
        delay_fraction = from_percent(delay.percentage) if delay.percentage else from_integer(delay.percent)
    grpc_status = None
    if abort.grpc_status is not None and abort.grpc_status in _GRPC_CODES:
        grpc_status = _GRPC_CODES.index(abort.grpc_status)
    typed = abort.http_status is not None or grpc_status is not None
    abort_fraction = from_percent(abort.percentage) if abort.percentage and typed else NEVER
    if not delay_fraction.numerator and not abort_fraction.numerator:
        return None
    return Fault(seconds, delay_fraction, abort.http_status, grpc_status, abort_fraction)
