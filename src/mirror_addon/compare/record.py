"""A line of the record: one shadow, both answers, and what came of them, as a JSON object. Pure; the README has the
table of fields."""

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
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.redaction import redact

VERSION = 1
MAX_BODY = 1024 * 1024
"""Bytes of a body that are recorded."""

DROPS = frozenset({"queue_full", "breaker_open", "body_too_large", "shutdown", "worker_lost", "aborted", "unsendable"})
"""Words of `shadow.error` for a shadow that was not sent, or given up by the proxy; all others are failures."""

Headers = tuple[tuple[bytes, bytes], ...]


class About(NamedTuple):
    """What a line says besides the answers."""

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


class RecordedRequest(NamedTuple):
    """The client's request, for a record with bodies. `body` is None where it was not kept."""

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
    redacted: frozenset[bytes] = frozenset(),
) -> bytes:
    """The line with its newline. `primary` is None where the proxy ended before it was answered.

    `request`: record headers and bodies too, with the values of the `redacted` fields blanked. Differences are taken
    as they are.
    """
    bodies = request is not None
    line: dict[str, Any] = {
        "version": VERSION,
        "id": about.id,
        "flow": about.flow,
        "time": _moment(about.start),
        "rule": about.rule,
        "route": about.route,
        "target": about.target,
        "control": about.control,
        "method": about.method,
        "url": about.url,
        "draw": about.draw,
        "primary": _answer(primary if primary is not None else Answer(None), bodies, redacted),
        "shadow": _answer(shadow, bodies, redacted),
        "verdict": comparison.verdict,
        "differences": differences_of(comparison),
        "notes": list(comparison.notes),
        "more": comparison.more,
        "client": about.client,
        "start": about.start,
    }
    if request is not None:
        line["request"] = {
            "headers": _headers(request.headers, redacted),
            **_body(request.body),
            "cut": request.cut or (request.body is not None and len(request.body) > MAX_BODY),
        }
    return to_json(line) + b"\n"


def differences_of(comparison: Comparison) -> list[dict[str, Any]]:
    """The differences as they stand in a line."""
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
    """JSON in ASCII that every reader takes: no lone surrogates, no NaN."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = "\\ud"
    if "\\ud" in text:
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


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _answer(answer: Answer, bodies: bool, redacted: frozenset[bytes]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "status": answer.status,
        "ms": None if answer.ms is None else round(answer.ms, 3),
        "bytes": answer.bytes,
        "error": answer.error or None,
    }
    if bodies:
        body = answer.body
        told |= {
            "headers": _headers(answer.headers, redacted),
            **_body(body),
            "cut": body is not None and (len(body) > MAX_BODY or len(body) < answer.bytes),
        }
    return told


def _headers(headers: Headers, redacted: frozenset[bytes]) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in redact(headers, redacted)]


def _body(body: bytes | None) -> dict[str, str | None]:
    if body is None:
        return {"body": None, "encoding": None}
    body = body[:MAX_BODY]
    try:
        return {"body": body.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "encoding": "base64"}
