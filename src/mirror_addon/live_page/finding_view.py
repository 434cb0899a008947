"""A finding as the page shows it, with the rules that its buttons write."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mirror_addon.compare.causes import Cause
from mirror_addon.compare.findings import Finding
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.rules_edit import rule_lines


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding as the page shows it."""

    finding: Finding

    @property
    def accept(self) -> str:
        """The rule that accepts it; empty if it has no path that a rule can name."""
        return _rules(self.finding.cause)[0]

    @property
    def ignore(self) -> str:
        """The rule that ignores its path; empty as above."""
        return _rules(self.finding.cause)[1]

    def as_dict(self) -> dict[str, Any]:
        """Return the same keys as `mirror-addon report --json`."""
        finding = self.finding
        return {
            "id": finding.id,
            "kind": finding.cause.kind,
            "path": finding.cause.path,
            "change": finding.cause.change or None,
            "endpoints": list(finding.endpoints),
            "pairs": finding.pairs,
            "share": finding.share,
            "example": asdict(finding.example) if finding.example else None,
            "state": finding.state,
        }


@lru_cache(maxsize=300)
def _rules(cause: Cause) -> tuple[str, str]:
    """The page is rendered each second, and YAML takes 0.1 ms a rule."""
    try:
        return "\n".join(rule_lines(cause)), "\n".join(rule_lines(cause, ignore=True))
    except RulesError:
        return "", ""
