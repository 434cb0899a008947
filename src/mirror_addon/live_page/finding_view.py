"""A finding as the page shows it, with the rules that its buttons write."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from mirror_addon.compare.findings import Finding
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.rules_edit import rule_lines


@dataclass(frozen=True, slots=True)
class FindingView:
    """`accept`, `ignore`: the rules; empty if the finding has no path that a rule can name."""

    finding: Finding
    accept: str
    ignore: str

    @classmethod
    def make(cls, finding: Finding) -> FindingView:
        try:
            accept, ignore = ("\n".join(rule_lines(finding.cause, ignore=ignore)) for ignore in (False, True))
        except RulesError:
            accept = ignore = ""
        return cls(finding, accept, ignore)

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
