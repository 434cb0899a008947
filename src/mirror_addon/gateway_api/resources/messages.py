"""The base of the Gateway API's types, and the limits that its CRDs set to their fields.

A message here has the fields of the Go type of the same name in kubernetes-sigs/gateway-api `apis/v1`, standard and
experimental channel together, with the defaults that an API server writes. Limits are declared beside the types, as
metadata that pydantic does not look at; `limits` compares a message with them. A field that must be there has a default
too and is marked `Required`, so that one run reports everything that is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict
from pydantic import Field

from mirror_addon.istio.resources.messages import Message


class GatewayMessage(Message):
    """A type of the Gateway API. An API server knows the camelCase spelling of a field only."""

    model_config = ConfigDict(populate_by_name=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A text of 1 (or `least`) to `most` characters that `pattern` matches in full. `words` say what that is."""

    most: int
    pattern: re.Pattern[str] | None = None
    words: str = ""
    least: int = 1


@dataclass(frozen=True, slots=True)
class Count:
    """A list or map of at most `most` and at least `least` items. Those of a list differ in the field `key`."""

    most: int
    least: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Required:
    """The field must be there."""


@dataclass(frozen=True, slots=True)
class Experimental:
    """The field is of the experimental channel. `effect` says what becomes of it here."""

    effect: str


_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOTTED = rf"{_NAME}(\.{_NAME})*"
_LOWER = "lower-case letters, digits, '-' and '.'"

Group = Annotated[str, Text(253, re.compile(rf"({_DOTTED})?"), "an API group", least=0)]
Kind = Annotated[str, Text(63, re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?"), "a kind, such as Service")]
ObjectName = Annotated[str, Text(253)]
Namespace = Annotated[str, Text(63, re.compile(_NAME), "a namespace (lower-case letters, digits and '-')")]
SectionName = Annotated[str, Text(253, re.compile(_DOTTED), f"a section name ({_LOWER})")]
Hostname = Annotated[
    str, Text(253, re.compile(rf"(\*\.)?{_DOTTED}"), f"a host name without port ({_LOWER}; '*.' may stand before it)")
]
PreciseHostname = Annotated[str, Text(253, re.compile(_DOTTED), f"a host name without wildcard and port ({_LOWER})")]
HeaderName = Annotated[str, Text(256, re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"), "a header name")]
Duration = Annotated[
    str, Text(256, re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}"), "a duration such as 30s, 1m30s or 500ms")
]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]
