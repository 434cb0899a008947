"""The identities in a JSON document, and the document with some of its values replaced, every other byte kept. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from typing import NamedTuple

from mirror_addon.compare import paths
from mirror_addon.twin.names import ID
from mirror_addon.twin.names import Key
from mirror_addon.twin.names import field_keys
from mirror_addon.twin.names import is_short_id
from mirror_addon.twin.names import is_token_name
from mirror_addon.twin.names import is_wide
from mirror_addon.twin.names import resources
from mirror_addon.twin.names import type_resource

MAX_DEPTH = 40
_MAX_NUMBER = 10**30
MAX_VALUES = 50_000
"""Scalars of a document that are looked at."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)

Steps = tuple[str | int, ...]
member = lru_cache(maxsize=4096)(paths.member)
"""A member's name as a step of a path."""


class JsonSpot(NamedTuple):
    """A scalar in a document: its exact place, its value, and its keys."""

    steps: Steps
    path: str
    """As in a difference: indices are `[*]`."""
    name: str
    value: str | int
    text: str
    keys: tuple[Key, ...]
    scope: str
    """What it stands below: `order:1007` in an order with that `id`."""


def read_document(body: bytes) -> Any:
    """The document in a body. Raises ValueError, also for one that is nested too deep."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deep") from None


def scalar_text(value: object) -> str | None:
    """A scalar that may be an identity as text; None for any other value."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int and abs(value) < _MAX_NUMBER else None


KeysOf = Callable[[str, str, str, str], tuple[Key, ...]]
"""Of path, name, text, and what the object around says that it is."""


def json_spots(
    document: Any, keys_of: KeysOf, known: Callable[[str], bool], endpoint: str = "", scope: str = ""
) -> Iterator[JsonSpot]:
    """Yield the places of a document that hold a value that is `known` and names something.

    `endpoint`: what the request is about. `scope`: what the whole document stands below.
    """
    if not holds(document, known):
        return
    stack: list[tuple[Any, Steps, str, str, str, str]] = [(document, (), "$", "", "", scope)]
    left = MAX_VALUES
    while stack and left > 0:
        value, steps, path, name, kind, scope = stack.pop()
        if isinstance(value, dict):
            if len(steps) < MAX_DEPTH:
                kind = type_resource(value)
                inside = below(value, path, kind, endpoint, scope)
                for key, item in value.items():
                    inner = inside if type(item) is dict or type(item) is list else scope
                    stack.append((item, (*steps, key), path + member(key), key, kind, inner))
            continue
        if isinstance(value, list):
            if len(steps) < MAX_DEPTH:
                under = path + "[*]"
                stack.extend((item, (*steps, index), under, name, kind, scope) for index, item in enumerate(value))
            continue
        left -= 1
        text = scalar_text(value)
        if text and known(text) and (keys := keys_of(path, name, text, kind)):
            yield JsonSpot(steps, path, name, value, text, keys, scope)


def below(value: dict[str, Any], path: str, kind: str, endpoint: str, scope: str) -> str:
    """What stands inside an object: what the object itself is, if it has an id, else what the object stands in."""
    own = scalar_text(value.get("id"))
    if not own or not is_short_id(own):
        return scope
    found = kind or next(iter(resources(f"{path}.id", "id", endpoint)), "")
    return f"{found}:{own}"


def names_something(name: str, text: str) -> bool:
    """Whether a scalar of this name is an id or a token, whatever it is of."""
    return is_wide(text) or _is_name(name)


@lru_cache(maxsize=4096)
def _is_name(name: str) -> bool:
    return is_token_name(name) or bool(resources(f"$.{name}", name, "x"))


def holds(document: Any, known: Callable[[str], bool]) -> bool:
    """Whether any scalar is known. For most documents that is all that is asked."""
    stack = [document]
    left = MAX_VALUES
    while stack and left > 0:
        value = stack.pop()
        left -= 1
        kind = type(value)
        if kind is str:
            if known(value):
                return True
        elif kind is dict:
            stack.extend(value.values())
        elif kind is list:
            stack.extend(value)
        elif kind is int and abs(value) < _MAX_NUMBER and known(str(value)):
            return True
    return False


def scalar_keys(path: str, name: str, text: str, endpoint: str, kind: str) -> tuple[Key, ...]:
    """The keys of a scalar. `kind`: what the object around it says that it is."""
    if not _is_name(name) and not is_wide(text):
        return ()
    keys = field_keys(path, name, text, endpoint)
    if kind and name == "id" and is_short_id(text) and keys and keys[0][1]:
        own = (ID, kind, text)
        return keys if own in keys else (*keys, own)
    return keys


def replaced(body: bytes, values: dict[Steps, str]) -> bytes:
    """The document with the scalars at these places replaced by JSON texts. Raises ValueError if it is not UTF-8."""
    text = body.decode("utf-8-sig" if body.startswith(b"\xef\xbb\xbf") else "utf-8")
    parts: list[str] = []
    at = 0
    for start, end, steps in _scalars(text):
        if (value := values.get(steps)) is not None:
            parts += (text[at:start], value)
            at = end
    return "".join((*parts, text[at:])).encode()


def _scalars(text: str) -> Iterator[tuple[int, int, Steps]]:
    """Start, end and steps of each scalar of a valid document."""
    steps: list[str | int] = []
    lists: list[bool] = []
    is_name = False
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in ("{", "["):
            lists.append(token == "[")
            steps.append(0 if token == "[" else "")
            is_name = token == "{"
        elif token in ("}", "]"):
            lists.pop()
            steps.pop()
            is_name = False
        elif token == ",":
            is_name = not lists[-1]
            if lists[-1]:
                index = steps[-1]
                assert isinstance(index, int)
                steps[-1] = index + 1
        elif token == ":":
            is_name = False
        elif is_name:
            steps[-1] = json.loads(token)
        else:
            yield found.start(), found.end(), tuple(steps)
