"""Whether a response came from the upstream, by Envoy's `response.code_details`. Pure.

The words are those of `envoy/stream_info/stream_info.h` (ResponseCodeDetails). Envoy 1.36 tells no response that it
made itself; newer ones do.
"""

from __future__ import annotations

from typing import NamedTuple

_FROM_UPSTREAM = frozenset({"", "via_upstream"})
_TIMEOUTS = (
    "response_timeout",
    "upstream_response_timeout",
    "upstream_per_try_timeout",
    "upstream_max_stream_duration_reached",
    "max_duration_timeout",
)
_RESETS = "upstream_reset"
_CAUSES = {
    "connection_failure": "connect",
    "connection_timeout": "connect",
    "protocol_error": "protocol",
}
"""Parts of the text in braces, and the error of the primary in a record."""


class Origin(NamedTuple):
    """Where a response is from. `error`: why the upstream gave none, a word of records; empty where it did."""

    upstream: bool
    """The request was sent to the upstream, and so mirrored by Envoy too."""
    error: str = ""


def origin_of(details: str) -> Origin:
    """Return where the response with these details is from."""
    if details in _FROM_UPSTREAM:
        return Origin(True)
    if details.startswith(_TIMEOUTS):
        return Origin(True, "timeout")
    if details.startswith(_RESETS):
        return Origin(True, next((error for part, error in _CAUSES.items() if part in details), "reset"))
    return Origin(False)
