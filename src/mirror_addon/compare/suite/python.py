"""Write untrusted data as Python source: literals, docstrings and names that cannot become code."""

from __future__ import annotations

import json
import re
from pprint import pformat
from textwrap import indent
from typing import Any

from mirror_addon.display.text import printable

WIDTH = 100
MAX_DEPTH = 40
"""The most levels of a JSON document that is written as Python. The compiler refuses about a hundred."""


def docstring(text: str) -> str:
    """A docstring of one line."""
    return '"""' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"""'


def name_of(text: str, longest: int = 60) -> str:
    """`text` as a part of the name of a function or file: lower case ASCII letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:longest].strip("_")


def bytes_literal(value: bytes, margin: str) -> str:
    """A bytes literal; one in parentheses and several parts if it is long or has several lines."""
    pieces = [piece for line in value.splitlines(keepends=True) for piece in _pieces(line)]
    if len(pieces) <= 1:
        return repr(value)
    inner = "".join(f"{margin}    {piece!r}\n" for piece in pieces)
    return f"(\n{inner}{margin})"


def _pieces(line: bytes) -> list[bytes]:
    return [line[start : start + WIDTH - 20] for start in range(0, len(line), WIDTH - 20)]


def json_literal(value: Any, margin: str) -> str:
    """A document of `plain_json` as a Python expression."""
    text = pformat(value, width=WIDTH, sort_dicts=False)
    return indent(text, margin).lstrip()


def plain_json(body: bytes) -> tuple[Any] | None:
    """Parse JSON that Python source can represent exactly.

    Return the document in a tuple, because it may be None, or None if the body is not JSON, has duplicate keys, numbers
    that a float cannot hold, or too many levels.
    """
    try:
        document = json.loads(body.decode(), object_pairs_hook=_once, parse_float=_finite, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return (document,) if _depth(document) <= MAX_DEPTH else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a duplicate key")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if repr(value) in ("inf", "-inf") or (value == 0 and re.search("[1-9]", text.lower().partition("e")[0])):
        raise ValueError("a number that a float cannot hold")
    return value


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _depth(document: Any) -> int:
    """The number of levels of objects and lists. Without recursion, because documents may be nested deeply."""
    depth, level = 0, [document]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth
