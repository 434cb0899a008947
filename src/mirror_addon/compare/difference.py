"""A difference between two answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs, and whether it counts. One stands for all places that have the same path, kind and noise.

    `path`: `status`, `header:NAME` (lower case), a JSONPath with `[*]` for every index, `form:FIELD`, an XPath with
    `[*]`, or `body` (text and bytes). `kind`: `missing` (only in the primary), `extra` (only in the shadow), `type`,
    `value`, `order` or `length`. `primary`, `shadow`: what stands there, as JSON has it, long values shortened; None
    where there is nothing. `noise`: why it does not count, or empty: `ignored`, `regex`, `tolerance`, `presence`,
    `unordered` (a rule by hand), `control` (the primary differs from itself there), or the name of a known shape.
    `where`: the first place, exactly, such as `$.items[3].price`.
    """

    path: str
    kind: str
    primary: object
    shadow: object
    noise: str = ""
    where: str = ""
