"""Values as a difference shows them: JSON types, shortened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

MAX_TEXT = 200
"""The most characters of a value that are shown. The last one is an ellipsis if the value was longer."""
_MAX_NUMBER = 2**63
"""Integers beyond it become text, because readers of the record may keep integers in 64 bits."""


def shown(value: Any) -> Any:
    """`value` as JSON types that every reader takes. Big numbers and long lists and objects become text."""
    if isinstance(value, str):
        return short(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return _number(value)
    if isinstance(value, dict | list):
        text = ""
        for part in _parts(value):
            text += part
            if len(text) > MAX_TEXT:
                return short(text)
        return json.loads(text)
    return value


def short(text: str, most: int = MAX_TEXT) -> str:
    """At most `most` characters of `text`. Lone surrogates are escaped, so that the result encodes as UTF-8."""
    if len(text) > most:
        text = text[: most - 1] + "…"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _number(value: int | Decimal) -> int | float | str:
    if isinstance(value, int):
        if -_MAX_NUMBER <= value < _MAX_NUMBER:
            return value
        return short(str(value)) if abs(value) < 10**MAX_TEXT else short(f"{Decimal(value):e}")
    return short(str(value))


def _parts(value: Any) -> Iterator[str]:
    """Parts of the JSON text of a value. A generator, so that no more of a big value is written than is shown."""
    if isinstance(value, dict):
        before = "{"
        for name, item in value.items():
            yield f"{before}{json.dumps(short(name), ensure_ascii=False)}: "
            yield from _parts(item)
            before = ", "
        yield "}" if value else "{}"
    elif isinstance(value, list):
        before = "["
        for item in value:
            yield before
            yield from _parts(item)
            before = ", "
        yield "]" if value else "[]"
    else:
        yield json.dumps(shown(value), ensure_ascii=False)
