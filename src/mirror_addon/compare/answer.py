"""One side of a pair: the response of the primary, of the mirror, or of the control."""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.compare.echoes import Asked


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of one upstream, or the reason why there is none.

    `status`: None without a response. `headers`: names and values as on the wire, in their order. `body`: as on the
    wire, content coding not undone; None if it was not kept. A body may be cut: then `body` is its first part and
    `bytes`, the length of the whole body on the wire, is more than the length of `body`. `ms`: milliseconds from the
    last byte of the request to the last byte of the response. `error`: why there is no complete response (`connect`,
    `timeout`, `reset`, ...), or empty. `asked`: how the request differs from the primary's; None if it does not.
    `ended`: False for a stream that went on when reading ended; then the rest of it is not known.
    """

    status: int | None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    bytes: int = 0
    ms: float | None = None
    error: str = ""
    asked: Asked | None = None
    ended: bool = True
