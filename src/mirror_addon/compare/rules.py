"""The rules of a `compare.yaml`, and of the annotation `mirror-addon/ignore`."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from functools import lru_cache

from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.path_rule import RulesError
from mirror_addon.compare.paths import PathError
from mirror_addon.compare.paths import pattern
from mirror_addon.compare.rules_file import read_rules

__all__ = ["DEFAULT_RULES", "PathRule", "Rules", "RulesError"]


@dataclass(frozen=True)
class Rules:
    """The content of a `compare.yaml`. The defaults are those of an empty file.

    `shapes`: whether known shapes (times, ids) are noise. `relative`, `absolute`: Diffy's thresholds (`noise.py`), as
    shares from 0 to 1. `accepted`: the ids of findings (`causes`) that do not count.
    """

    rules: tuple[PathRule, ...] = ()
    shapes: bool = True
    relative: float = 0.2
    absolute: float = 0.0003
    accepted: frozenset[str] = frozenset()
    descriptors: bytes = b""
    """The types of messages (gRPC, Protocol Buffers), a FileDescriptorSet. They are no part of the file."""

    @classmethod
    def parse(cls, text: str, source: str) -> Rules:
        """Parse the text of a `compare.yaml`. `source`: the name of the file, for messages. Raises RulesError."""
        return cls(*read_rules(text, source))

    def ignoring(self, spec: str) -> Rules:
        """These rules and those of an annotation: a comma list of paths whose differences are ignored.

        Raises RulesError, whose message names the path.
        """
        return replace(self, rules=(*self.rules, *_ignored(spec))) if spec.strip() else self

    def applying(self, method: str, url: str, operation: str = "") -> tuple[PathRule, ...]:
        """The rules for the responses to a request. `method` is empty if it is unknown; `operation`: of GraphQL."""
        return tuple(rule for rule in self.rules if rule.applies(method, url, operation))


@lru_cache(maxsize=256)
def _ignored(spec: str) -> tuple[PathRule, ...]:
    try:
        return tuple(PathRule(pattern(path), ignore=True) for path in _split(spec))
    except PathError as error:
        raise RulesError(str(error)) from None


def _split(spec: str) -> list[str]:
    """Split at commas, except those in a quoted name in brackets, as in `$['a,b']`."""
    parts = [""]
    quote = ""
    escaped = False
    for character in spec:
        if character == "," and not quote:
            parts.append("")
            continue
        if escaped or character == "\\":
            escaped = not escaped
        elif character == quote:
            quote = ""
        elif character in "'\"" and parts[-1].endswith("["):
            quote = character
        parts[-1] += character
    return [part for part in parts if part.strip()]


DEFAULT_RULES = Rules()
