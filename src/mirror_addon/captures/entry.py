"""One exchange of a capture, and the request in it that can be sent again."""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.compare.answer import Answer
from mirror_addon.routing.decision import Request


@dataclass(slots=True)
class Entry:
    """One exchange of a capture. `position` is how far the file was read then, in bytes."""

    flow: mitm_flow.Flow
    position: int
    connection: str = ""
    """Names the client's connection; empty: of the flow's own client."""
    draw: int | None = None
    """The random number of the request when it was recorded."""
    answer: Answer | None = None
    """The primary's answer as recorded; None: what the flow says."""
    redacted: tuple[str, ...] = ()
    """Names of the request's fields whose values the capture does not have; they are not in the flow."""
    redacted_answer: tuple[str, ...] = ()
    """The same of the answer."""
    left_out: str = ""
    """Why it cannot be sent again, where only the file says so."""


@dataclass(slots=True)
class Recorded:
    """A request that can be sent again. Times are seconds since the epoch."""

    id: str
    request: Request
    """As the client sent it, before any rewrite."""
    body: bytes
    flow: http.HTTPFlow
    answer: Answer | None
    """As recorded; None: what the flow says."""
    started: float
    ended: float
    """From when on its client had the answer; of HTTP/1 `started`: there the client waited for it in any case."""
    connection: str
    client: str
    """`ADDRESS:PORT` or empty."""
    draw: int | None
    redacted: tuple[str, ...]
    redacted_answer: tuple[str, ...]
    position: int

    @property
    def size(self) -> int:
        """Bytes of its bodies."""
        response = self.flow.response
        return len(self.body) + (len(response.raw_content or b"") if response else 0)
