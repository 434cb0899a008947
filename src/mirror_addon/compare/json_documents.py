"""JSON read exactly: numbers by value, nothing lost and nothing guessed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from decimal import InvalidOperation
from typing import Any

_MAX_MEMORY = 200 * 1024 * 1024
"""Bytes that a document may take when it is read, by a rough estimate."""
_EXACT = 16
"""A decimal fraction of so many characters has at most 15 digits, so that no other has the same float."""
_SMALL = 40
"""Digits of an integer written with an exponent that is spelled out."""


class JsonError(ValueError):
    """Why a text is no JSON to compare by. The message says it in a few words."""


def read_json(text: str) -> Any:
    """The value of a JSON text. Raises JsonError where there is none, or more than one way to read it.

    Numbers are int, float or Decimal, such that `==` holds exactly for those of one value, however it is spelled.
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
        return _load(text, _integer)  # one of the integers has more digits than int() takes
    except (ValueError, InvalidOperation, OverflowError):
        raise JsonError("JSON with a number out of all bounds") from None


def read_json_lines(text: str) -> list[Any]:
    """The values of a text with one JSON value a line. Raises JsonError."""
    lines = [line for line in text.split("\n") if line.strip()]
    return list(read_json(f"[{','.join(lines)}]"))


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
    raise JsonError(f"invalid JSON ({name} is no number)")
