"""Streams of events and of JSON documents: server-sent events (HTML 9.2.6), JSON Lines, JSON text sequences (RFC 7464).

A stream may have no end. If one of two streams was cut, they are compared as far as both went: what one has beyond the
other is no difference.
"""

from __future__ import annotations

from typing import Any

from mirror_addon.compare.json_documents import JsonError
from mirror_addon.compare.json_documents import read_json

_MAX_EVENTS = 50_000


class StreamError(ValueError):
    """The body cannot be compared as a stream. The message says why."""


def read_events(text: str, cut: bool) -> dict[str, Any]:
    """The events of an event stream, in a document: `{"events": [{"event": ..., "data": ..., "id": ...}], "retry": 1}`.

    Comments are left out, and an event that was cut. `data` is a JSON value if it is an object, a list or a
    string, else a text. Raises StreamError.
    """
    events: list[dict[str, Any]] = []
    document: dict[str, Any] = {"events": events}
    fields: dict[str, str] = {}
    data: list[str] = []
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not cut:
        lines.append("")  # the last event counts although no line ends it
    for line in lines[:-1] if cut else lines:
        if not line:
            if data:
                events.append({**fields, "data": _data("\n".join(data))})
                if len(events) > _MAX_EVENTS:
                    raise StreamError("too many events")
            fields, data = {}, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "retry" and value.isdecimal() and len(value) < 19:
            document["retry"] = int(value)
        elif (name == "event" and value not in ("", "message")) or (name == "id" and "\0" not in value):
            fields[name] = value
    return document


def _data(text: str) -> Any:
    if text[:1] not in ("{", "[", '"'):
        return text
    try:
        return read_json(text)
    except JsonError:
        return text


def read_json_lines(text: str, cut: bool) -> list[Any]:
    """Parse a text with one JSON value a line (NDJSON), without a last line that was cut. Raises JsonError."""
    return _documents(text.split("\n"), cut)


def read_json_sequence(text: str, cut: bool) -> list[Any]:
    """Parse a JSON text sequence, without a last text that was cut. Raises JsonError."""
    return _documents(text.split("\x1e"), cut and not text.endswith("\n"))


def _documents(parts: list[str], cut: bool) -> list[Any]:
    texts = [part for part in (parts[:-1] if cut else parts) if part.strip()]
    return list(read_json(f"[{','.join(texts)}]"))


def shorten(primary: Any, shadow: Any) -> None:
    """Remove from two streams, as read above, what one of them has beyond the other."""
    ones, others = primary, shadow
    if isinstance(primary, dict):
        ones, others = primary["events"], shadow["events"]
        for one, other in ((primary, shadow), (shadow, primary)):
            if "retry" not in one:
                other.pop("retry", None)
    common = min(len(ones), len(others))
    del ones[common:], others[common:]
