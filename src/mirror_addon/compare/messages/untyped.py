"""Messages whose type is not known, as documents of field numbers.

The wire format does not tell a text from bytes or a message, a float from an integer, or a single value from a list of
one. What is most likely is taken; `reconcile` then makes both sides of a pair agree.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Iterable
from typing import Any

from mirror_addon.compare.messages.well_known import time_text
from mirror_addon.compare.messages.wire import I32
from mirror_addon.compare.messages.wire import I64
from mirror_addon.compare.messages.wire import LEN
from mirror_addon.compare.messages.wire import MAX_DEPTH
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import BudgetError
from mirror_addon.compare.messages.wire import WireError
from mirror_addon.compare.messages.wire import WireField
from mirror_addon.compare.messages.wire import read_fields
from mirror_addon.compare.paths import FieldNumber

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LIKELY = 1e-6, 1e13
"""Floating-point numbers that are likely; the bits of small integers are far below."""
_TIMES = range(10**9, 41 * 10**8)
"""Seconds since the epoch between 2001 and 2099."""


def untyped_document(fields: Iterable[WireField], budget: Budget, depth: int) -> dict[str, Any]:
    """A message by field number. A field that is there several times is a list. Raises WireError."""
    document: dict[str, Any] = {}
    lists: set[int] = set()
    for number, wire, value in fields:
        key = FieldNumber(number)
        found = _value(wire, value, budget, depth)
        if key not in document:
            document[key] = found
        elif number in lists:
            document[key].append(found)
        else:
            lists.add(number)
            document[key] = [document[key], found]
    return document


def _value(wire: int, value: Any, budget: Budget, depth: int) -> Any:
    if wire == LEN:
        return untyped_value(value, budget, depth)
    if wire in (I32, I64):
        return _fixed(value, "<f" if wire == I32 else "<d", 4 if wire == I32 else 8)
    return untyped_document(value, budget, depth + 1) if isinstance(value, list) else value


def untyped_value(data: bytes, budget: Budget, depth: int) -> Any:
    """Bytes as a text, as a message, or else in Base64."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    # The first bytes of a message with a field 1 are those of a line break or a tab.
    if text is not None and not _CONTROL.search(text) and text[:1] not in ("\n", "\t", "\r"):
        return text
    if depth < MAX_DEPTH:
        try:
            return untyped_document(read_fields(data, budget), budget, depth + 1)
        except BudgetError:
            raise
        except WireError:
            pass
    if text is not None and not _CONTROL.search(text):
        return text
    return base64.b64encode(data).decode()


def _fixed(value: int, kind: str, size: int) -> int | float:
    number: float = struct.unpack(kind, value.to_bytes(size, "little"))[0]
    if number and math.isfinite(number) and _LIKELY[0] < abs(number) < _LIKELY[1]:
        return shortest(number) if size == 4 else number
    return value


def shortest(number: float) -> float:
    """The float with the fewest digits that is the same in 32 bits: 9.99 for 9.989999771118164."""
    if not math.isfinite(number):
        return number
    packed = struct.pack("<f", number)
    for digits in (6, 7, 8):
        found = float(f"{number:.{digits}g}")
        if struct.pack("<f", found) == packed:
            return found
    return number


def reconcile(primary: Any, shadow: Any) -> None:
    """Make two documents agree, in place, where fields are known by number only: what is a list on one side is one on
    both, and two messages that look like google.protobuf.Timestamp are times."""
    if isinstance(primary, dict) and isinstance(shadow, dict):
        for key in primary.keys() & shadow.keys():
            one, other = primary[key], shadow[key]
            if isinstance(key, FieldNumber):
                if isinstance(one, list) and not isinstance(other, list):
                    other = shadow[key] = [other]
                elif isinstance(other, list) and not isinstance(one, list):
                    one = primary[key] = [one]
            if _is_time(one) and _is_time(other) and ("2" in one or "2" in other):
                primary[key], shadow[key] = (time_text(each["1"], each.get("2", 0)) for each in (one, other))
            else:
                reconcile(one, other)
    elif isinstance(primary, list) and isinstance(shadow, list):
        for one, other in zip(primary, shadow, strict=False):
            reconcile(one, other)


def _is_time(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() <= {"1", "2"}:
        return False
    seconds, nanos = value.get("1"), value.get("2", 1)
    return isinstance(seconds, int) and seconds in _TIMES and isinstance(nanos, int) and 0 < nanos < 10**9
