"""One side of a pair."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What one upstream answered. A body may be cut: then `body` is its first part and `bytes` is more than its length.

    `status`: None where there was no answer. `headers`: names and values as on the wire, in their order. `body`: as on
    the wire, content coding not undone; None where it was not kept. `bytes`: length of the whole body on the wire.
    `ms`: milliseconds from the request's last byte to the answer's. `error`: why there is no complete answer (connect,
    timeout, reset, ...), or empty.
    """

    status: int | None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    bytes: int = 0
    ms: float | None = None
    error: str = ""
