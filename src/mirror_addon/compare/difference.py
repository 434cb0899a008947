"""A difference between two responses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs, and whether it counts. One stands for all places that have the same path, kind and noise.

    `path`: `status`, `header:NAME` (lower case), a JSONPath with `[*]` for every index, `form:FIELD`, an XPath with
    `[*]`, or `body` (text and bytes). `kind`: `missing` (only in the primary), `extra` (only in the shadow), `type`,
    `value`, `order` or `length`; `call` of the calls to other services (`calls`), `primary_id` (`twin_values`).
    `primary`, `shadow`: the values as JSON types, long ones shortened; None if there is no value. `noise`: why the
    difference does not count, or empty if it does: `ignored`, `regex`, `tolerance`, `presence`, `unordered`, `accepted`
    (rules of `compare.yaml`), `control` (the primary differs from itself there), `twin` (each side has its own id), or
    the name of a known shape. `where`: the exact first place, such as `$.items[3].price`.
    """

    path: str
    kind: str
    primary: object
    shadow: object
    noise: str = ""
    where: str = ""
