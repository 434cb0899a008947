"""Values as a difference shows them: as JSON has them, and short."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

MAX_TEXT = 200
"""Characters of a value that is shown; the last is an ellipsis where there are more."""
_MAX_NUMBER = 2**63


def shown(value: Any) -> Any:
    """`value`, short and fit for every JSON reader; big and long ones become text."""
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
    """Its first characters, without lone surrogates."""
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
    """JSON text, made as far as it is asked for."""
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
