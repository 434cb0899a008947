"""The causes of a differing pair, counted as findings. Pure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mirror_addon.compare.causes import Cause
from mirror_addon.compare.causes import Symptom
from mirror_addon.compare.causes import causes
from mirror_addon.compare.causes import symptoms
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.endpoint import endpoint_of
from mirror_addon.compare.findings import UNLISTED_CAUSE
from mirror_addon.compare.findings import Example
from mirror_addon.compare.findings import FindingsTally

if TYPE_CHECKING:
    from mirror_addon.shadow.pair import Pair

SHOWN_ENDPOINT = 200
SHOWN_URL = 500
"""Characters of the URL of an example, and of one from which the endpoint is derived."""


def count_causes(findings: FindingsTally, pair: Pair) -> tuple[Cause, ...]:
    """Count a pair whose responses differ, and return the causes. They are few: most pairs have one."""
    endpoint = endpoint_of(pair.method, pair.url[:SHOWN_URL].partition("?")[0])[:SHOWN_ENDPOINT]
    counting = _counting(pair)
    found = symptoms(counting)
    explained = causes(found, endpoint)
    for cause in dict.fromkeys(explained.values()):
        shown = next(
            (each for each, symptom in zip(counting, found, strict=True) if _is_of(symptom, cause)), counting[0]
        )
        findings.add(cause, endpoint, partial(_example, pair, shown))
    if not counting:
        findings.add(UNLISTED_CAUSE, endpoint, lambda: None)
        return (UNLISTED_CAUSE,)
    return tuple(dict.fromkeys(explained.values()))


def _counting(pair: Pair) -> list[Difference]:
    """The differences that count. Where only the status codes were compared, these are the difference."""
    comparison = pair.comparison
    if comparison is None or comparison.verdict is None:
        return [Difference("status", "value", pair.primary_status, pair.result.status, "", "status")]
    return [each for each in comparison.differences if not each.noise]


def _is_of(symptom: Symptom, cause: Cause) -> bool:
    return (symptom.path, symptom.kind, symptom.change) == (cause.path, cause.kind, cause.change)


def _example(pair: Pair, shown: Difference) -> Example:
    return Example(pair.id, pair.method, pair.url[:SHOWN_URL], shown.where, shown.kind, shown.primary, shown.shadow)
