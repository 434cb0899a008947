"""The primary's response as shadows are compared with it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from mirror_addon.compare.answer import PROGRAM_CLOCK
from mirror_addon.compare.answer import Answer

if TYPE_CHECKING:
    from mirror_addon.flows.exchange import Exchange
    from mirror_addon.host.upstream_clock import ExchangeTimes


class PrimaryEnd(NamedTuple):
    """A primary's response, and a note for people on what is missing in it."""

    answer: Answer
    note: str


def primary_end(flow: http.HTTPFlow, exchange: Exchange | None, body_limit: int, times: ExchangeTimes) -> PrimaryEnd:
    """Return the primary's response as it came, with up to `body_limit` bytes of its body; as the flow has it if the
    exchange does not know, or there is none because the flow was read from a file.

    With a limit of 0 it has no header fields either. A response that was cut off has its status and an error.
    """
    came, error = exchange.answer if exchange is not None else None, _error(flow)
    response = came.message if came is not None else flow.response
    if response is None:
        return PrimaryEnd(Answer(None, error=error or "unanswered"), "")
    fields = exchange.answer_fields if exchange is not None else None
    if fields is None:
        fields = response.headers.fields
    trailers = came.trailers if came is not None else response.trailers.fields if response.trailers else ()
    fields = (*fields, *trailers)  # as those of a shadow over HTTP/2
    content = came.body if came is not None else response.raw_content
    copy = exchange.response_copy if exchange is not None else None
    note = ""
    if content is None:
        note = "the primary's body was streamed and is not compared"
        length = response.headers.get("content-length", "")
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0
    else:
        size = len(content) if copy is None else copy.size
    if not body_limit:
        fields, content = (), None
    elif content is not None and size > body_limit:
        content = content[:body_limit]
    status = came.status if came is not None else response.data.status_code
    taken = times.connect_ms, times.first_ms, PROGRAM_CLOCK if error else times.clock, times.late_ms
    return PrimaryEnd(Answer(status, fields, content, size, times.ms, error, *taken), note)


def _error(flow: http.HTTPFlow) -> str:
    """Return why there is no complete response, as one of the words of records; mitmproxy has only a message."""
    if flow.error is None:
        return ""
    text = flow.error.msg.lower()
    if text == mitm_flow.Error.KILLED_MESSAGE.lower():
        return "killed"
    if "client disconnect" in text or "client closed" in text or "by client" in text:
        return "client_gone"
    if "timeout" in text or "timed out" in text:
        return "timeout"
    if flow.server_conn is None or flow.server_conn.timestamp_tcp_setup is None:
        return "connect"
    if "disconnect" in text or "closed" in text or "reset" in text:
        return "reset"
    return "protocol"
