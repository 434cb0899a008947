"""Rules by hand: what of a difference does not count."""

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
    """Everything a `compare.yaml` says, or nothing of it.

    `shapes`: known shapes (times, ids) are noise. `relative`, `absolute`: Diffy's thresholds (`noise.py`), as shares.
    """

    rules: tuple[PathRule, ...] = ()
    shapes: bool = True
    relative: float = 0.2
    absolute: float = 0.0003

    @classmethod
    def parse(cls, text: str, source: str) -> Rules:
        """The rules in the text of a `compare.yaml`. `source` is the file's name, for messages. Raises RulesError."""
        return cls(*read_rules(text, source))

    def ignoring(self, spec: str) -> Rules:
        """These, and what an annotation names besides: a comma list of paths, whose differences are ignored.

        Raises RulesError, which names the path.
        """
        return replace(self, rules=(*self.rules, *_ignored(spec))) if spec.strip() else self

    def applying(self, method: str, url: str) -> tuple[PathRule, ...]:
        """Those for the answers to a request. `method`: empty where it is not known."""
        return tuple(rule for rule in self.rules if rule.applies(method, url))


@lru_cache(maxsize=256)
def _ignored(spec: str) -> tuple[PathRule, ...]:
    try:
        return tuple(PathRule(pattern(path), ignore=True) for path in _split(spec))
    except PathError as error:
        raise RulesError(str(error)) from None


def _split(spec: str) -> list[str]:
    """At commas, but not at those inside brackets: they may hold a name in quotes."""
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
