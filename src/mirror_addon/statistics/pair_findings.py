"""The causes of a differing pair, counted as findings. Pure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mirror_addon.compare.causes import Cause
from mirror_addon.compare.causes import causes
from mirror_addon.compare.causes import shown_symptoms
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


def endpoint_of_pair(pair: Pair) -> str:
    """Return the endpoint that findings name, `GET /users/{id}`: as in the record, where the worker has told it."""
    if pair.comparison is not None and pair.comparison.endpoint:
        return pair.comparison.endpoint[:SHOWN_ENDPOINT]
    return endpoint_of(pair.method, pair.url[:SHOWN_URL].partition("?")[0])[:SHOWN_ENDPOINT]


def count_causes(findings: FindingsTally, pair: Pair) -> tuple[Cause, ...]:
    """Count a pair whose responses differ, and return the causes. They are few: most pairs have one."""
    endpoint = endpoint_of_pair(pair)
    counting = _counting(pair)
    if not counting:
        findings.add(UNLISTED_CAUSE, endpoint, lambda: None)
        return (UNLISTED_CAUSE,)
    found = symptoms(counting)
    first = dict(zip(reversed(found), reversed(counting), strict=True))
    shown = shown_symptoms(causes(found, endpoint))
    for cause, symptom in shown.items():
        findings.add(cause, endpoint, partial(_example, pair, first[symptom]))
    return tuple(shown)


def _counting(pair: Pair) -> list[Difference]:
    """The differences that count. Where only the status codes were compared, these are the difference."""
    comparison = pair.comparison
    if comparison is None or comparison.verdict is None:
        return [Difference("status", "value", pair.primary_status, pair.result.status, "", "status")]
    return [each for each in comparison.differences if not each.noise]


def _example(pair: Pair, shown: Difference) -> Example:
    return Example(
        pair.id, pair.method, pair.shown_url[:SHOWN_URL], shown.where, shown.kind, shown.primary, shown.shadow
    )
