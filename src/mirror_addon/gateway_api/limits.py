"""Compares a message with the limits that the CRDs set to its fields: required, number of items, lengths, patterns."""

from __future__ import annotations

import functools
import typing
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import TypeVar

from mirror_addon.gateway_api.resources.messages import Count
from mirror_addon.gateway_api.resources.messages import Experimental
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import Required
from mirror_addon.gateway_api.resources.messages import Text
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.diagnostics import format_path
from mirror_addon.istio.findings import Findings

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    camel: str
    required: bool
    experimental: Experimental | None
    count: Count | None
    text: Text | None
    """Of the field's own text, or of a list's items."""


@functools.cache
def _fields(message: type[GatewayMessage]) -> tuple[_Field, ...]:
    found = []
    for name, info in message.model_fields.items():
        own = (*info.metadata, *_inner(info.annotation))
        found.append(
            _Field(
                name,
                info.alias or name,
                _first(own, Required) is not None,
                _first(own, Experimental),
                _first(own, Count),
                _first(own, Text),
            )
        )
    return tuple(found)


def _inner(annotation: Any) -> tuple[Any, ...]:
    """Return the metadata inside an optional type, or of a list's items."""
    found = tuple(getattr(annotation, "__metadata__", ()))
    for argument in typing.get_args(annotation):
        found += _inner(argument)
    return found


def _first(metadata: Sequence[Any], kind: type[M]) -> M | None:
    return next((item for item in metadata if isinstance(item, kind)), None)


def check_limits(message: GatewayMessage, path: FieldPath, findings: Findings) -> None:
    """Add an error for each field of `message`, and of those in it, that an API server would refuse."""
    for field in _fields(type(message)):
        here = (*path, field.camel)
        value = getattr(message, field.name)
        if field.name not in message.model_fields_set or value is None:
            if field.required and not any(item.path == format_path(here) for item in findings.diagnostics):
                findings.error(here, f"{field.camel} is missing; it is required")
            continue
        if field.experimental is not None:
            findings.info(
                here,
                "is of the experimental channel: a cluster with the standard channel drops it; "
                + field.experimental.effect,
                at_key=True,
            )
        _check_value(value, field, here, findings)


def _check_value(value: Any, field: _Field, path: FieldPath, findings: Findings) -> None:
    if isinstance(value, GatewayMessage):
        check_limits(value, path, findings)
    elif isinstance(value, tuple):
        _check_count(value, field, path, findings)
        for index, item in enumerate(value):
            _check_value(item, field, (*path, index), findings)
    elif isinstance(value, Mapping):
        _check_count(value, field, path, findings)
    elif field.text is not None and isinstance(value, str) and (problem := text_problem(value, field.text)):
        findings.error(path, problem)


def text_problem(value: str, limit: Text) -> str | None:
    """Return why an API server refuses a text, or None."""
    if len(value) < limit.least:
        return "must not be empty"
    if len(value) > limit.most:
        return f"has at most {limit.most} characters, this one has {len(value)}"
    if limit.pattern is not None and not limit.pattern.fullmatch(value):
        return f"{value!r:.80} is not {limit.words}"
    return None


def _check_count(value: Sequence[Any] | Mapping[str, Any], field: _Field, path: FieldPath, findings: Findings) -> None:
    count = field.count
    if count is None:
        return
    if not count.least <= len(value) <= count.most:
        limit = f"at most {count.most}" if len(value) > count.most else f"at least {count.least}"
        findings.error(path, f"has {limit} items; it has {len(value)}")
    if not count.key or isinstance(value, Mapping):
        return
    itself = count.key == "itself"
    keys = [item if itself else getattr(item, count.key) for item in value]
    seen: Counter[Any] = Counter()
    for index, key in enumerate(keys):
        seen[key] += 1
        if seen[key] == 2:
            what = "" if itself else f"{count.key} "
            findings.error((*path, index), f"the {what}{key!r:.80} is repeated; an API server refuses that, remove one")
