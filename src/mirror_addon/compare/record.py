"""Make a line of the record: one shadow, both responses and the result of the comparison, as a JSON object.

A record is the JSON Lines file that `mirror_record` names; docs/reference/recording.md has the table of its fields. The
words around it: `record_line` makes a line, `record_file.RecordFile` appends it, `worker.recorder.Recorder` does both
in the worker as the message `shadow.frames.Recording` from the proxy configures it, `report.lines.RecordLine` is a line
as readers parse it, and `captures.entry.Recorded` is a request, from a record or another capture, that can be sent
again.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NamedTuple

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import Call
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.endpoint import endpoint_of_pair
from mirror_addon.compare.redaction import NOTHING
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.twin_values import twin_rows

VERSION = 1
MAX_BODY = 1024 * 1024
"""The most bytes of a body that are recorded."""

Headers = tuple[tuple[bytes, bytes], ...]


class About(NamedTuple):
    """The fields of a line that do not depend on the responses. `start`: seconds since the epoch."""

    id: str
    flow: str
    start: float
    rule: str
    route: str | None
    target: str
    control: bool
    method: str
    url: str
    draw: int
    client: str
    operation: str = ""
    """Of GraphQL, a part of the endpoint."""


class RecordedRequest(NamedTuple):
    """The client's request, for a record with bodies. `body` is None if it was not kept, and `cut` if it is a part."""

    headers: Headers
    body: bytes | None
    cut: bool


def record_line(
    about: About,
    primary: Answer | None,
    shadow: Answer,
    comparison: Comparison,
    *,
    request: RecordedRequest | None = None,
    redacted: Redaction = NOTHING,
    calls: Sequence[Call] | None = None,
) -> bytes:
    """Return the line with its newline, in ASCII.

    `primary`: None if the proxy ended before the primary responded. `request`: if given, headers and bodies are
    recorded too, without what `redacted` leaves out, as is the URL. Differences and `calls` are recorded unchanged;
    None: there is no sandbox.
    """
    bodies = request is not None
    responses = [each.headers for each in (primary, shadow) if each is not None]
    line: dict[str, Any] = {
        "version": VERSION,
        "id": about.id,
        "flow": about.flow,
        "time": _rfc3339(about.start),
        "rule": about.rule,
        "route": about.route,
        "target": about.target,
        "control": about.control,
        "method": about.method,
        "url": redacted.url(about.url),
        "endpoint": endpoint_of_pair(about.method, about.url, about.operation, *responses),
        "draw": about.draw,
        "primary": _response(primary if primary is not None else Answer(None), bodies, redacted),
        "shadow": _response(shadow, bodies, redacted),
        "verdict": comparison.verdict,
        "differences": differences_of(comparison),
        "notes": list(comparison.notes),
        "more": comparison.more,
        "client": about.client,
        "start": about.start,
    }
    if calls is not None:
        line["calls"] = [each.as_dict() for each in calls]
    if comparison.twin is not None:
        line["twin"] = twin_rows(comparison.twin)
    if request is not None:
        headers, body = redacted.message(request.headers, request.body, whole=not request.cut)
        withheld = body is None and request.body is not None
        line["request"] = {
            "headers": _headers(headers),
            **_body(body),
            "cut": request.cut or withheld or (body is not None and len(body) > MAX_BODY),
        }
    return to_json(line) + b"\n"


def differences_of(comparison: Comparison) -> list[dict[str, Any]]:
    """The differences as a line has them: one object each, with the fields of Difference as keys."""
    return [
        {
            "path": each.path,
            "kind": each.kind,
            "primary": each.primary,
            "shadow": each.shadow,
            "noise": each.noise,
            "where": each.where,
        }
        for each in comparison.differences
    ]


def to_json(value: Any) -> bytes:
    """JSON in ASCII that every parser accepts: without lone surrogates, NaN and Infinity, which are replaced."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:  # NaN or Infinity
        text = "\\ud"
    if "\\ud" in text:  # the escape of a surrogate, perhaps a lone one
        text = json.dumps(_clean(value), separators=(",", ":"))
    return text.encode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_clean(item) for item in value]
    return value


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _response(response: Answer, bodies: bool, redacted: Redaction) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "status": response.status,
        "ms": None if response.ms is None else round(response.ms, 3),
        "first_ms": None if response.first_ms is None else round(response.first_ms, 3),
        "connect_ms": None if response.connect_ms is None else round(response.connect_ms, 3),
        "late_ms": None if response.late_ms is None else round(response.late_ms, 3),
        "clock": None if response.ms is None else response.clock,
        "bytes": response.bytes,
        "error": response.error or None,
    }
    if bodies:
        kept = response.body
        whole = response.ended and kept is not None and len(kept) >= response.bytes
        headers, body = redacted.message(response.headers, kept, whole=whole)
        fields |= {
            "headers": _headers(headers),
            **_body(body),
            "cut": kept is not None and (not whole or body is None or len(body) > MAX_BODY),
        }
    elif not response.ended:
        fields["cut"] = True
    return fields


def _headers(headers: Headers) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _body(body: bytes | None) -> dict[str, str | None]:
    if body is None:
        return {"body": None, "encoding": None}
    body = body[:MAX_BODY]
    try:
        return {"body": body.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "encoding": "base64"}
