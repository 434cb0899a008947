"""One rule of `compare.yaml`: which differences at a path do not count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.paths import Pattern


class RulesError(ValueError):
    """An error in rules: `FILE:LINE: what is wrong; what to do`."""


@dataclass(frozen=True, slots=True)
class PathRule:
    """One of `ignore`, `presence`, `regex`, `absolute`/`relative` and `unordered` is set.

    `ignore`: nothing at or below the path counts. `presence`: the value must be present, but may be any. `regex`: a
    compiled RE2 regex that both values must match as a whole. `absolute`, `relative`: how far apart two numbers may
    be, the latter as a share of the larger one. `key`: the member that identifies elements of an unordered list, or
    empty. `endpoint` (may contain `*`, and name a GraphQL operation), `methods` and `url` (a compiled RE2 regex that
    matches anywhere) select the requests that the rule is for.
    """

    pattern: Pattern
    ignore: bool = False
    presence: bool = False
    regex: Any = None
    absolute: float = 0.0
    relative: float = 0.0
    unordered: bool = False
    key: str = ""
    endpoint: str = ""
    methods: frozenset[str] = frozenset()
    url: Any = None

    def applies(self, method: str, url: str, operation: str = "") -> bool:
        """Whether the rule is for this request. An empty method is unknown and matches every one. `operation`: of
        GraphQL."""
        if self.methods and method and method.upper() not in self.methods:
            return False
        if self.endpoint:
            wanted, path, wanted_operation = endpoint_parts(self.endpoint)
            if wanted and method and wanted.upper() != method.upper():
                return False
            if not fnmatchcase(endpoint_of("", url), _literal(path)):
                return False
            if wanted_operation and not fnmatchcase(operation, wanted_operation.replace("[", "[[]")):
                return False
        return self.url is None or self.url.search(url) is not None

    def both_match(self, primary: object, shadow: object) -> bool:
        """Whether both values match the regex as a whole."""
        return all(
            isinstance(each, str | int | float | Decimal)
            and not isinstance(each, bool)
            and self.regex.fullmatch(str(each)) is not None
            for each in (primary, shadow)
        )

    def tolerates(self, primary: object, shadow: object) -> bool:
        """Whether both values are numbers, or texts that spell numbers, and close enough."""
        if not (self.absolute or self.relative):
            return False
        one, other = _number(primary), _number(shadow)
        if one is None or other is None:
            return False
        return math.isclose(one, other, rel_tol=self.relative, abs_tol=self.absolute)


@lru_cache(maxsize=1024)
def endpoint_parts(endpoint: str) -> tuple[str, str, str]:
    """The method, path and operation that a rule's endpoint names; method and operation may be empty. The path is empty
    if the text is none."""
    parts = endpoint.split()
    method = "" if not parts or parts[0][0] in "/*" else parts.pop(0)
    path = parts.pop(0) if parts and parts[0][0] in "/*" else ""
    return method, path if len(parts) < 2 else "", "".join(parts)


def _literal(path: str) -> str:
    """A pattern for fnmatch in which only `*` is special."""
    return path.replace("[", "[[]").replace("?", "[?]")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
