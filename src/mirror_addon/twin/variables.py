"""What the variables of an operation of GraphQL are, by the arguments that they are given to. Pure.

`{"query": "query ($id: ID!) { order(id: $id) { total } }", "variables": {"id": 1007}}` asks for order 1007. The name of
the variable does not say so, and the field of the argument does: the variable is read as `$.order.id`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_MAX_QUERY = 16 * 1024
_STRING = re.compile(r'"""(?:[^"]|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*')
_FIELD = re.compile(r"([A-Za-z_]\w*)\s*\(([^()]*)\)")
"""A field, a directive or the operation itself, with its arguments."""
_ARGUMENT = re.compile(r"([A-Za-z_]\w*)\s*:\s*\[?\s*\$([A-Za-z_]\w*)")
_VERB = re.compile(r"(?:update|delete|remove|cancel|close|get|fetch|find|set|change|edit|list|pay)(?=[A-Z])")
"""`updateOrder` is about an order."""
_VARIABLE = re.compile(r"\$\.variables\.([A-Za-z_]\w*)((?:\[\*\])?)(\..*)?\Z", re.DOTALL)

Place = tuple[str, str]
"""A path, and the name at its end."""


def query_of(document: Any) -> str:
    """The text of an operation with variables; empty for any other request."""
    if not isinstance(document, dict) or not isinstance(document.get("variables"), dict):
        return ""
    query = document.get("query")
    return query if isinstance(query, str) and len(query) <= _MAX_QUERY else ""


def place_of(query: str, path: str, name: str) -> Place | None:
    """Where a scalar in the variables would stand in what the operation asks for: `$.order.id`, `id` for
    `$.variables.id`. `name`: at the end of the path. None for what is no variable, or is given to no argument."""
    found = _VARIABLE.fullmatch(path)
    argument = _arguments(query).get(found[1]) if found is not None else None
    if found is None or argument is None:
        return None
    field, given = argument
    if found[3]:  # in an object
        return f"$.{field}{found[2]}{found[3]}", name
    return f"$.{field}.{given}{found[2]}", given


@lru_cache(maxsize=256)
def _arguments(query: str) -> dict[str, tuple[str, str]]:
    """By variable: the field and the argument that it is given to first."""
    found: dict[str, tuple[str, str]] = {}
    for field in _FIELD.finditer(_STRING.sub('""', query)):
        for argument, variable in _ARGUMENT.findall(field[2]):
            found.setdefault(variable, (_VERB.sub("", field[1]), argument))
    return found
