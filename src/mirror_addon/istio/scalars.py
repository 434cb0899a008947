"""Plain YAML scalars as kubectl reads them.

The dialect is sigs.k8s.io/yaml's (a fork of go-yaml v2): YAML 1.1's booleans (`yes`, `on`, `y`), Go's integers
(`0x1F`, `0o17`, `017`, `0b11`, `1_000`), no base-60 numbers, and dates stay text.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
MAYBE_TYPED = frozenset("+-.0123456789yYnNtTfFoO~")
"""First characters of scalars that may be something other than text."""

_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LARGEST_PLAIN_INTEGRAL = 1e21
"""Go's encoding/json writes smaller integral floats as integers."""
_UINT64 = 1 << 64
_INT64 = 1 << 63


def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar: None, a boolean, a number, or the text itself."""
    if text and text[0] not in MAYBE_TYPED:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        return _number(text)
    return text


def as_key(value: Scalar) -> str | None:
    """Return a mapping key as JSON has it, always text; None for `null`, which cannot be a key."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case _:
            return repr(value)


def resolve_tagged(tag: str, text: str, plain: bool) -> Scalar:
    """Return the value of a scalar with an explicit tag (`!!str 5`).

    A tag that is not YAML's own is ignored. Raises ValueError where the text is not of the tag's type.
    """
    name = tag.removeprefix("tag:yaml.org,2002:")
    if name == tag or name in ("str", "timestamp", "binary"):
        return text
    value = resolve(text)
    match name:
        case "int" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "float" if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case "bool" if isinstance(value, bool):
            return value
        case "null" if value is None:
            return value
        case "int" | "float" | "bool" | "null":
            raise ValueError(f"{text!r} is not of type {name}; correct the value or remove the tag !!{name}")
    return value if plain else text


def _number(text: str) -> Scalar:
    digits = text.replace("_", "") if text[0] != "." else text
    if match := _INTEGER.fullmatch(digits):
        sign, hexadecimal, binary, octal, decimal = match.groups()
        # Longer texts cannot be 64-bit numbers, and Python refuses very long decimals.
        if len(digits) <= 70:
            base = 16 if hexadecimal else 2 if binary else 8 if octal else 10
            number = int(sign + (hexadecimal or binary or octal or decimal), base)
            if -_INT64 <= number < (_UINT64 if not sign else _INT64):
                return number
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        if math.isinf(value):
            return text
        if value.is_integer() and abs(value) < _LARGEST_PLAIN_INTEGRAL:
            return int(value)
        return value
    return text
