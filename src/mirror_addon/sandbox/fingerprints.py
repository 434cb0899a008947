"""What two bodies of calls have in common: the same content, or the same structure.

Both are needed only to choose among several calls of one kind, so they are computed when a mirror's call has come, and
never for a primary's alone.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any
from urllib.parse import parse_qsl

MAX_PARSED = 64 * 1024
"""Bytes of a body that is parsed. Of a longer one only the bytes are looked at."""
_MAX_FIELDS = 1000


def canonical(body: bytes, content_type: bytes, content_encoding: bytes) -> bytes:
    """The body with the members of JSON objects in order and without white space; other bodies as they are."""
    document = _json(body, content_type, content_encoding)
    if document is None:
        return body
    try:
        return json.dumps(document[0], sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


def shape_of(body: bytes | None, content_type: bytes, content_encoding: bytes) -> Hashable:
    """The structure of a body: names and types of JSON and form fields without their values, else its media type."""
    media_type = content_type.partition(b";")[0].strip().lower()
    if body is None or not body:
        return media_type, body is None
    document = _json(body, content_type, content_encoding)
    try:
        if document is not None:
            return media_type, _shape(document[0])
        if media_type == b"application/x-www-form-urlencoded" and len(body) <= MAX_PARSED and not content_encoding:
            pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
            return media_type, frozenset(name for name, _ in pairs)
    except (ValueError, RecursionError):
        pass
    return media_type, "bytes"


def _json(body: bytes, content_type: bytes, content_encoding: bytes) -> tuple[Any] | None:
    """The document in a body that says it is JSON, in a tuple because it may be null; None for any other."""
    if content_encoding or len(body) > MAX_PARSED or b"json" not in content_type.lower():
        return None
    try:
        return (json.loads(body),)
    except (ValueError, RecursionError):
        return None


def _shape(value: Any) -> Hashable:
    if isinstance(value, dict):
        return "object", frozenset((name, _shape(member)) for name, member in value.items())
    if isinstance(value, list):
        return "array", frozenset(map(_shape, value))
    if isinstance(value, bool) or value is None:
        return str(type(value).__name__)
    return "number" if isinstance(value, (int, float)) else "string"
