"""By which id a request and the calls that a service makes for it are known."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_ID = 256
"""Bytes. A longer x-request-id is no id."""
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_INVALID_TRACE = b"0" * 32


def ids_of(fields: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, ...]:
    """Return the ids in header fields: `x-request-id` as it is, then the trace id of `traceparent` (W3C Trace Context,
    3.2.2). A service that forwards one of them only is still known by that one."""
    request_id = trace = b""
    for name, value in fields:
        size = len(name)
        if size == 12 and not request_id and name.lower() == b"x-request-id":
            request_id = value.strip()
        elif size == 11 and not trace and name.lower() == b"traceparent":
            found = _TRACEPARENT.fullmatch(value.strip())
            trace = found["trace"] if found is not None and found["trace"] != _INVALID_TRACE else b""
    ids = []
    if request_id and len(request_id) <= MAX_ID:
        ids.append(b"x-request-id:" + request_id)
    if trace:
        ids.append(b"traceparent:" + trace)
    return tuple(ids)
