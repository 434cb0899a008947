"""Checks a document's values against the fields of a message: unknown fields, spellings and wrong types.

pydantic makes the same checks when it builds the message, and faster. This module is used only where pydantic refused
a message: it reports each reason in terms of the YAML text, and returns the values without the offending parts, so
that the remaining checks can continue.
"""

from __future__ import annotations

import difflib
import functools
import math
import types
import typing
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from typing import Literal

import annotated_types
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.durations import parse_duration
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import parse_base64

KEPT_SNAKE_CASE = frozenset({"mirror_percent"})
"""The only snake_case property in Istio's CRDs; an API server drops all others."""
_DROP: Any = object()
_SCALARS: dict[Any, str] = {str: "text", bool: "flag", float: "number"}
_PARSERS = {parse_duration: "duration", parse_base64: "base64"}


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a field accepts.

    `kind` is `message`, `list`, `map` or a key of `_SCALAR_CHECKS`; `item` is the shape of a list's or map's items.
    """

    kind: str
    item: _Shape | None = None
    message: type[Message] | None = None
    names: tuple[str, ...] = ()
    low: int = 0
    high: int = 0


def conform(message: type[Message], value: Any, path: FieldPath, findings: Findings) -> tuple[Any, bool]:
    """Return `value` without what `message` cannot accept, and whether all types were right.

    Everything that is wrong is added to `findings`. Unknown fields are errors, but not wrong types.
    """
    conformer = _Conformer(findings)
    cleaned = conformer.conform(_Shape("message", message=message), value, path)
    return ({} if cleaned is _DROP else cleaned), conformer.well_typed


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: `did you mean 'x'?`, or the list of known names."""
    known = sorted(known)
    lowered = {item.lower().replace("_", ""): item for item in known}
    close = difflib.get_close_matches(name.lower().replace("_", ""), lowered, n=1, cutoff=0.6)
    return f"did you mean {lowered[close[0]]!r}?" if close else f"known are: {', '.join(known)}"


def describe(value: Any) -> str:
    """Return a value's description for a message: `the number 5`, `a list`."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value:.40}" if isinstance(value, float) else f"the number {value}"
        case str():
            return f"the text {value[:40]!r}{'...' if len(value) > 40 else ''}"
        case list():
            return "a list"
        case _:
            return "a mapping"


class _Conformer:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.well_typed = True

    def conform(self, shape: _Shape, value: Any, path: FieldPath) -> Any:
        match shape.kind:
            case "message":
                return self._message(shape, value, path)
            case "list":
                return self._list(shape, value, path)
            case "map":
                return self._map(shape, value, path)
        problem = _SCALAR_CHECKS[shape.kind](shape, value)
        return value if problem is None else self._wrong(path, problem)

    def _wrong(self, path: FieldPath, problem: str) -> Any:
        self.findings.error(path, problem)
        self.well_typed = False
        return _DROP

    def _message(self, shape: _Shape, value: Any, path: FieldPath) -> Any:
        assert shape.message is not None
        fields = _fields(shape.message)
        if not isinstance(value, dict):
            known = ", ".join(camel for camel, spelled in fields.items() if camel == spelled[0])
            return self._wrong(path, f"must be a mapping with the fields {known}; it is {describe(value)}")
        cleaned = {}
        for key, item in value.items():
            if key not in fields:
                if shape.message.model_config.get("extra") != "ignore":
                    camel_names = {spelled[0] for spelled in fields.values()}
                    hint = shape.message.hints.get(key) or nearest(key, camel_names)
                    self.findings.error((*path, key), f"unknown field; {hint}", at_key=True)
                continue
            camel, inner = fields[key]
            if key != camel and not self._snake_case(key, camel, value, path):
                continue
            if item is None and inner.kind not in ("list", "map"):
                continue
            kept = self.conform(inner, item, (*path, key))
            if kept is not _DROP:
                cleaned[camel] = kept
        return cleaned

    def _snake_case(self, key: str, camel: str, value: dict[str, Any], path: FieldPath) -> bool:
        """Return whether the value under a snake_case key is used, and warn where a cluster would not use it."""
        if key in KEPT_SNAKE_CASE and camel not in value:
            return True
        if camel in value:
            self.findings.warning(
                (*path, key), f"{camel!r} is set too and takes precedence; remove this one", at_key=True
            )
            return False
        self.findings.warning(
            (*path, key), f"a real API server drops this spelling; write {camel!r} to have it there too", at_key=True
        )
        return True

    def _list(self, shape: _Shape, value: Any, path: FieldPath) -> Any:
        assert shape.item is not None
        if value is None:
            return []
        if not isinstance(value, list):
            return self._wrong(path, f"must be a list; it is {describe(value)}: write '- ' before each item")
        items = [
            self.conform(shape.item, {} if item is None and shape.item.kind == "message" else item, (*path, index))
            for index, item in enumerate(value)
        ]
        return [item for item in items if item is not _DROP]

    def _map(self, shape: _Shape, value: Any, path: FieldPath) -> Any:
        assert shape.item is not None
        if value is None:
            return {}
        if not isinstance(value, dict):
            return self._wrong(path, f"must be a mapping of names to values; it is {describe(value)}")
        items = {
            key: self.conform(shape.item, {} if item is None and shape.item.kind == "message" else item, (*path, key))
            for key, item in value.items()
        }
        return {key: item for key, item in items.items() if item is not _DROP}


def text_problem(value: Any) -> str:
    """Return why a value that is not text cannot be used where text is needed."""
    hint = "" if isinstance(value, dict | list) else ": put it in quotes"
    return f"must be text; it is {describe(value)}{hint}"


def _quotes(value: Any) -> str:
    return ": remove the quotes" if isinstance(value, str) and value.strip().lstrip("-").isdecimal() else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_text(_: _Shape, value: Any) -> str | None:
    return None if isinstance(value, str) else text_problem(value)


def _check_flag(_: _Shape, value: Any) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false; it is {describe(value)}"


def _check_integer(shape: _Shape, value: Any) -> str | None:
    if not _is_number(value) or isinstance(value, float):
        return f"must be a whole number; it is {describe(value)}{_quotes(value)}"
    if not shape.low <= value <= shape.high:
        return f"must be a whole number from {shape.low} to {shape.high}; it is {value}"
    return None


def _check_number(_: _Shape, value: Any) -> str | None:
    if not _is_number(value):
        return f"must be a number; it is {describe(value)}{_quotes(value)}"
    return None if math.isfinite(value) else f"must be a finite number; it is {value}"


def _check_name(shape: _Shape, value: Any) -> str | None:
    if isinstance(value, str) and value in shape.names:
        return None
    hint = nearest(value, shape.names) if isinstance(value, str) else f"known: {', '.join(shape.names)}"
    return f"must be one of the known names; it is {describe(value)}: {hint}"


def _check_integer_or_text(_: _Shape, value: Any) -> str | None:
    good = isinstance(value, int | str) and not isinstance(value, bool)
    return None if good else f"must be a whole number or a name; it is {describe(value)}"


def _check_by_parser(parse: Callable[[object], object]) -> Callable[[_Shape, Any], str | None]:
    def check(_: _Shape, value: Any) -> str | None:
        try:
            parse(value)
        except ValueError as error:
            return str(error)
        return None

    return check


_SCALAR_CHECKS: dict[str, Callable[[_Shape, Any], str | None]] = {
    "text": _check_text,
    "flag": _check_flag,
    "integer": _check_integer,
    "number": _check_number,
    "name": _check_name,
    "integer or text": _check_integer_or_text,
    "duration": _check_by_parser(parse_duration),
    "base64": _check_by_parser(parse_base64),
}
"""By the shape's kind: why a value is not of that shape, or None."""


@functools.cache
def _fields(message: type[Message]) -> dict[str, tuple[str, _Shape]]:
    """Return, by each accepted spelling of a field, its camelCase name and shape."""
    fields = {}
    for name, info in message.model_fields.items():
        camel = info.alias or name
        spellings = (camel, name) if message.model_config.get("populate_by_name") else (camel,)
        for spelling in spellings:
            fields[spelling] = (camel, _shape(info.annotation, info.metadata))
    # `from_` replaces a Python keyword in our code only.
    return {key: found for key, found in fields.items() if not key.endswith("_")}


def _shape(annotation: Any, metadata: Iterable[Any] = ()) -> _Shape:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _shape(arguments[0], annotation.__metadata__)
    if origin in (typing.Union, types.UnionType):
        members = [member for member in arguments if member is not type(None)]
        return _shape(members[0], metadata) if len(members) == 1 else _Shape("integer or text")
    for extra in metadata:
        if isinstance(extra, BeforeValidator) and extra.func in _PARSERS:
            return _Shape(_PARSERS[typing.cast(Any, extra.func)])
    if origin is Literal:
        return _Shape("name", names=arguments)
    if origin is tuple:
        return _Shape("list", _shape(arguments[0]))
    if origin is dict:
        return _Shape("map", _shape(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return _Shape("message", message=annotation)
    if annotation is int:
        low, high = _bounds(metadata)
        return _Shape("integer", low=low, high=high)
    return _Shape(_SCALARS[annotation])


def _bounds(metadata: Iterable[Any]) -> tuple[int, int]:
    """Return the range of an integer; its bounds are wrapped in a FieldInfo where it is the item of a list or map."""
    bounds = [bound for extra in metadata for bound in (extra.metadata if isinstance(extra, FieldInfo) else (extra,))]
    low = next(bound.ge for bound in bounds if isinstance(bound, annotated_types.Ge))
    high = next(bound.le for bound in bounds if isinstance(bound, annotated_types.Le))
    return typing.cast(int, low), typing.cast(int, high)
