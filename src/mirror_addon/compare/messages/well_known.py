"""Messages of google.protobuf with a form of their own in JSON (https://protobuf.dev/programming-guides/json)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1)
_EARLIEST, _LATEST = -62135596800, 253402300799  # the years 1 to 9999
ANY = "google.protobuf.Any"
_WRAPPERS = {
    "DoubleValue": 0.0, "FloatValue": 0.0, "Int64Value": 0, "UInt64Value": 0, "Int32Value": 0, "UInt32Value": 0,
    "BoolValue": False, "StringValue": "", "BytesValue": "",
}  # fmt: skip


def time_text(seconds: int, nanos: int) -> str:
    """A time as RFC 3339 has it, always with nine digits, so that all are in one style."""
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}.{nanos:09}Z"


def well_known(name: str, document: dict[str, Any]) -> Any:
    """The form of a message of that full name; the document itself for any other, and for one with unknown fields."""
    make = _FORMS.get(name.removeprefix("google.protobuf."))
    if make is None or not name.startswith("google.protobuf.") or any(key.isdigit() for key in document):
        return document
    return make(document)


def _time(document: dict[str, Any]) -> Any:
    seconds, nanos = document.get("seconds", 0), document.get("nanos", 0)
    if not _EARLIEST <= seconds <= _LATEST or not 0 <= nanos < 10**9:
        return document
    return time_text(seconds, nanos)


def _duration(document: dict[str, Any]) -> Any:
    """Seconds as a number, for tolerances."""
    seconds, nanos = document.get("seconds", 0), document.get("nanos", 0)
    return seconds + nanos / 10**9 if nanos else seconds


def _json_value(document: dict[str, Any]) -> Any:
    return next((None if kind == "null_value" else value for kind, value in document.items()), None)


def _wrapper(default: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document.get("value", default)


_FORMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Timestamp": _time,
    "Duration": _duration,
    "Struct": lambda document: document.get("fields", {}),
    "Value": _json_value,
    "ListValue": lambda document: document.get("values", []),
    **{name: _wrapper(default) for name, default in _WRAPPERS.items()},
}
