"""The report as data: `mirror-addon report --json`.

docs/reference/recording.md documents the keys. Keys may be added, but never renamed or removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirror_addon.compare.findings import Example
from mirror_addon.compare.findings import Finding
from mirror_addon.compare.report.conditions import Outcome
from mirror_addon.compare.report.statistics import Interval
from mirror_addon.compare.report.statistics import LatencyComparison
from mirror_addon.compare.report.summary import Field
from mirror_addon.compare.report.summary import Part
from mirror_addon.compare.report.summary import Summary
from mirror_addon.compare.report.wording import quantile_name
from mirror_addon.compare.report.wording import rule_text
from mirror_addon.compare.report.wording import verdict

VERSION = 1


def document(summary: Summary, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Shares are 0..1, times milliseconds. An interval is [low, high]; an end is null if there are too few pairs."""
    return {
        "version": VERSION,
        "verdict": verdict(summary),
        "lines": summary.lines,
        "skipped": summary.skipped,
        "first": summary.first or None,
        "last": summary.last or None,
        "controls": summary.controls,
        "relative": summary.rule.relative,
        "absolute": summary.rule.absolute,
        "calls": dict(summary.calls),
        "findings": [finding_document(each) for each in summary.findings],
        "targets": [
            {
                "primary": each.primary or None,
                "target": each.target,
                **_part(each.total),
                "endpoints": [{"endpoint": part.name, **_part(part)} for part in each.endpoints],
            }
            for each in summary.targets
        ],
        "conditions": [
            {
                "condition": each.condition.text,
                "target": each.target,
                "endpoint": each.endpoint or None,
                "holds": each.holds,
                "found": each.found,
            }
            for each in outcomes
        ],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding, as in `findings`."""
    return {
        "id": finding.id,
        "kind": finding.cause.kind,
        "path": finding.cause.path,
        "change": finding.cause.change or None,
        "endpoints": list(finding.endpoints),
        "pairs": finding.pairs,
        "share": finding.share,
        "example": _example(finding.example) if finding.example else None,
        "state": finding.state,
        "rule": rule_text(finding) or None,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "requests": part.requests,
        "compared": part.compared,
        "same": part.same,
        "noise": part.noise,
        "differing": part.differing,
        "uncompared": part.uncompared,
        "failed": part.failed,
        "dropped": part.dropped,
        "share": part.share.value if part.share else None,
        "share_interval": _ends(part.share) if part.share else None,
        "reasons": {
            fate: {word: count for of, word, count in part.reasons if of == fate} for fate in ("failed", "dropped")
        },
        "statuses": [{"primary": old, "shadow": new, "pairs": count} for old, new, count in part.statuses],
        "fields": [_field(each) for each in part.fields],
        "noisy": [_field(each) for each in part.noisy],
        "latency": _latency(part.latency) if part.latency else None,
    }


def _field(field: Field) -> dict[str, Any]:
    return {
        "path": field.path,
        "kind": field.kind,
        "pairs": field.pairs,
        "share": field.share.value,
        "share_interval": _ends(field.share),
        "reason": field.reason,
        "control": field.control,
        "examples": [_example(each) for each in field.examples],
    }


def _example(example: Example) -> dict[str, Any]:
    return {name: getattr(example, name) for name in ("id", "method", "url", "where", "kind", "primary", "shadow")}


def _latency(latency: LatencyComparison) -> dict[str, Any]:
    found: dict[str, Any] = {
        "pairs": latency.pairs,
        "paired_median": latency.paired_median.value,
        "paired_median_interval": _ends(latency.paired_median),
        "pace": latency.pace or None,
        "obstacle": latency.obstacle or None,
        "resolution": latency.resolution,
    }
    for each in latency.quantiles:
        found[quantile_name(each)] = {
            "primary": each.primary,
            "shadow": each.shadow,
            "difference": each.difference.value,
            "difference_interval": _ends(each.difference),
            "ratio": each.ratio.value if each.ratio else None,
            "ratio_interval": _ends(each.ratio) if each.ratio else None,
        }
    return found


def _ends(interval: Interval) -> list[float | None]:
    return [interval.low, interval.high]
