"""The values that captures are read into: an exchange, and a request that can be sent again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from mitmproxy import connection
from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.compare.answer import Answer
from mirror_addon.routing.decision import Request


@dataclass(slots=True)
class Entry:
    """One exchange of a capture."""

    flow: mitm_flow.Flow
    position: int
    """Bytes of the file that had been read when it was found."""
    connection: str = ""
    """Identifies the client's connection. Empty: the flow's `client_conn.id` does."""
    draw: int | None = None
    """The random number by which weights and mirrors were chosen for the request; None: not recorded."""
    answer: Answer | None = None
    """The primary's response as recorded; None: the flow has it."""
    redacted: tuple[str, ...] = ()
    """Names of the request's header fields whose values are blanked in the capture. They are not in the flow."""
    redacted_answer: tuple[str, ...] = ()
    """The same of the response."""
    left_out: str = ""
    """Why it cannot be sent again, a reason as `recorded` returns it, where the flow does not show it."""
    in_turn: bool = False
    """It is not known on which connection it was: of requests that began at the same moment, each waits for the one
    before it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An exchange of a capture of which not even the request can be read."""

    reason: str
    """One word, as `recorded` returns it."""
    position: int
    """As that of `Entry`."""


def flow_of(request: http.Request, peer: tuple[str, int], server: tuple[str, int] | None) -> http.HTTPFlow:
    """A flow for the request of a client with this address, with a new id. Its connection used TLS for https."""
    started = request.timestamp_start
    client = connection.Client(
        peername=peer,
        sockname=("", 0),
        timestamp_start=started,
        timestamp_tls_setup=started if request.scheme == "https" else None,
    )
    flow = http.HTTPFlow(client, connection.Server(address=server))
    flow.id = str(uuid.uuid4())
    flow.request = request
    return flow


@dataclass(slots=True)
class Recorded:
    """A request that can be sent again. Times are seconds since the epoch."""

    id: str
    request: Request
    """As the client sent it, before the rules rewrote it."""
    body: bytes
    flow: http.HTTPFlow
    answer: Answer | None
    """The primary's response as recorded; None: the flow has it."""
    started: float
    ended: float
    """When its client had the response. For HTTP/1 the same as `started`, because there every later request of the
    connection waited for the response anyway."""
    connection: str
    client: str
    """Its address, `ADDRESS:PORT`, or empty."""
    draw: int | None
    redacted: tuple[str, ...]
    redacted_answer: tuple[str, ...]
    position: int
    in_turn: bool = False
    """As that of `Entry`."""

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        response = self.flow.response
        return len(self.body) + (len(response.raw_content or b"") if response else 0)
