"""One side of a pair: the response of the primary, of the mirror, or of the control."""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.compare.echoes import Asked

SOCKET_CLOCK = "socket"
"""Response time: as the bytes left and reached the socket."""
READER_CLOCK = "reader"
"""The same, but the last bytes may have arrived later because the program read the first ones late."""
PROGRAM_CLOCK = "program"
"""As a program came to the bytes."""

NO_FAULT = frozenset({"client_gone", "killed", "unanswered"})
"""Errors of a primary without a response for which its upstream is not the cause, so that nothing can be compared."""

Body = bytes
"""For the fields after the one of that name."""

_LAG_MS = 0.25
_LAG_SHARE = 0.05


def clock_of(ms: float, lag_ms: float, exact: bool) -> str:
    """The clock of a response time. `lag_ms`: by how much late reads may have delayed the end of the response; `exact`:
    it was taken at the socket."""
    if not exact:
        return PROGRAM_CLOCK
    return READER_CLOCK if lag_ms > max(_LAG_MS, _LAG_SHARE * ms) else SOCKET_CLOCK


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of one upstream, or the reason why there is none.

    `status`: None without a response. `headers`: names and values as on the wire, in their order. `body`: as on the
    wire, content coding not undone; None if it was not kept. A body may be cut: then `body` is its first part and
    `bytes`, the length of the whole body on the wire, is more than the length of `body`. `ms`: milliseconds from the
    last byte of the request to the last byte of the response; `clock`: how it was taken, see above. `first_ms`: to its
    first bytes. `connect_ms`: milliseconds of name lookup, TCP and TLS; None if the connection was open before.
    `late_ms`: milliseconds from the arrival of the last bytes to their read, where both are known; the program had to
    wait for so long. `error`: why there is no complete response (`connect`, `timeout`, `reset`, ...), or empty.
    `asked`: how the request differs from the primary's; None if it does not. `ended`: False for a stream that went on
    when reading ended; then the rest of it is not known. `plain`: `body` without its content coding, where that was
    undone before, completely.
    """

    status: int | None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    bytes: int = 0
    ms: float | None = None
    error: str = ""
    connect_ms: float | None = None
    first_ms: float | None = None
    clock: str = PROGRAM_CLOCK
    late_ms: float | None = None
    asked: Asked | None = None
    ended: bool = True
    plain: Body | None = None
