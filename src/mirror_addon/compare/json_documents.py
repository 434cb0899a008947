"""Parse JSON (RFC 8259) exactly: numbers by value, and nothing that two parsers may read differently."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from decimal import InvalidOperation
from typing import Any

_MAX_MEMORY = 200 * 1024 * 1024
"""Bytes of memory that a parsed document may take, by a rough estimate."""
_EXACT = 16
"""A decimal fraction of so many characters has at most 15 digits, and 15 digits survive a round trip as a float."""
_SMALL = 40
"""An integer with an exponent becomes an int up to so many digits. A longer one stays a Decimal to save memory."""


class JsonError(ValueError):
    """The text cannot be compared as JSON. The message says why."""


def read_json(text: str) -> Any:
    """Parse a JSON text. Raises JsonError if it is invalid, ambiguous (duplicate keys) or too big.

    Numbers become int, float or Decimal, so that `==` is exact: true for different spellings of one number, and false
    for different numbers.
    """
    if text.count("{") * 240 + text.count("[") * 90 + text.count(",") * 70 + len(text) > _MAX_MEMORY:
        raise JsonError("too many values")
    if text.startswith("\ufeff"):
        text = text[1:]
    try:
        return _load(text, int)
    except JsonError:
        raise
    except json.JSONDecodeError as error:
        raise JsonError(f"invalid JSON ({error.msg[:60]} at character {error.pos})") from None
    except RecursionError:
        raise JsonError("JSON nested too deep") from None
    except (ValueError, InvalidOperation, OverflowError):
        pass
    try:
        # An integer may have more digits than int() accepts (sys.set_int_max_str_digits).
        return _load(text, _integer)
    except (ValueError, InvalidOperation, OverflowError):
        raise JsonError("a JSON number that is too large") from None


def _load(text: str, integer: Callable[[str], int | Decimal]) -> Any:
    return json.loads(
        text, object_pairs_hook=_members, parse_float=_number, parse_int=integer, parse_constant=_no_constant
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise JsonError(f"duplicate key {twice[:40]!r}")
    return members


def _number(text: str) -> int | float | Decimal:
    rounded = float(text)
    if repr(rounded) == text or (len(text) <= _EXACT and "e" not in text and "E" not in text):
        return rounded
    exact = Decimal(text)
    if exact == exact.to_integral_value():
        return int(exact) if exact.adjusted() < _SMALL else exact
    return rounded if Decimal(repr(rounded)) == exact else exact


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= sys.int_info.default_max_str_digits else Decimal(text)


def _no_constant(name: str) -> Any:
    raise JsonError(f"invalid JSON ({name} is not a number)")
