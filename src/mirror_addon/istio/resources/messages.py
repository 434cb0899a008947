"""The base of all resource types, and the field types that they share.

A message here has the fields of the protobuf message of the same name in istio/api `networking/v1alpha3`.
Every field is accepted in both spellings of the proto layer (`mirrorPercent`, `mirror_percent`); the camelCase one
takes precedence, as in golang/protobuf's jsonpb. Where Istio distinguishes absent from zero, an absent field is `None`.
Types are strict, as in the CRDs: a number is not accepted as text, nor text as a number.
Ranges and conflicts between fields are checked by `validation`, so that one run reports all findings.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Annotated
from typing import Any
from typing import ClassVar
from typing import TypeVar

from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field
from pydantic.alias_generators import to_camel

from mirror_addon.istio.durations import parse_duration

T = TypeVar("T")

_SNAKE_CASE: dict[str, str] = {}
_SPELLED_OTHERWISE: set[str] = set()
"""The values of `_SNAKE_CASE` that are not also their keys."""


def snake_case(field: str) -> str:
    """Return the other spelling of a camelCase field name (`mirror_percent`); other names are returned unchanged."""
    return _SNAKE_CASE.get(field, field)


def snake_case_names(keys: Iterable[str | int | None]) -> set[str]:
    """Return the keys that are the snake_case spelling of some message's field."""
    return {key for key in keys if isinstance(key, str) and key in _SPELLED_OTHERWISE}


class Message(BaseModel):
    """A protobuf message: strict types, both spellings, no unknown fields."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
    )

    hints: ClassVar[Mapping[str, str]] = {}
    """By names that are written by mistake: what to write instead."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for name, field in cls.model_fields.items():
            _SNAKE_CASE[field.alias or name] = name
            if "_" in name:
                _SPELLED_OTHERWISE.add(name)


class PartialMessage(Message):
    """A message of which only some fields are read; other fields are accepted without any check."""

    model_config = ConfigDict(extra="ignore")


# jsonpb reads a null list or map as an absent one, and a null item of message type as an empty message.
def _list(value: Any) -> Any:
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple({} if item is None else item for item in value)
    return value


def _map(value: Any) -> Any:
    if value is None:
        return {}
    if isinstance(value, dict):
        return {key: {} if item is None else item for key, item in value.items()}
    return value


def parse_base64(value: object) -> bytes:
    """Return the bytes of a base64 text. Raises ValueError for anything else."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise ValueError(f"{value!r:.40} is not base64")


Items = Annotated[tuple[T, ...], BeforeValidator(_list)]
Map = Annotated[dict[str, T], BeforeValidator(_map)]
EMPTY_MAP: Any = Field(default_factory=dict)
"""The default of a map; `= {}` would be copied with `copy.deepcopy` for each message, which takes longer."""
Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds."""
Base64 = Annotated[bytes, BeforeValidator(parse_base64)]
UInt32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
UInt64 = Annotated[int, Field(ge=0, le=2**64 - 1)]


class PortSelector(Message):
    number: UInt32 = 0


class Percent(Message):
    value: float = 0.0
