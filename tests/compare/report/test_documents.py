from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mirror_addon.compare.report.conditions import judge
from mirror_addon.compare.report.conditions import parse_condition
from mirror_addon.compare.report.documents import document
from mirror_addon.compare.report.summary import Summary

Record = Callable[..., dict[str, Any]]
Summarise = Callable[..., Summary]
PART = {
    "requests", "compared", "same", "noise", "differing", "uncompared", "failed", "dropped", "share", "share_interval",
    "reasons", "statuses", "fields", "noisy", "latency",
}  # fmt: skip


def test_keys_and_values(line: Record, different: Record, lost: Record, summary_of: Summarise) -> None:
    summary = summary_of(*[line()] * 6, *[different("$.a")] * 2, different("$.t", noise="time"), lost("timeout"))
    found = document(summary, list(judge([parse_condition("differing > 1%")], summary)))
    assert found == json.loads(json.dumps(found))
    assert set(found) == {
        "version", "verdict", "lines", "skipped", "first", "last", "controls", "relative", "absolute", "targets",
        "conditions", "findings", "calls",
    }  # fmt: skip
    (target,) = found["targets"]
    assert set(target) == PART | {"primary", "target", "endpoints"}
    (endpoint,) = target["endpoints"]
    assert set(endpoint) == PART | {"endpoint"}
    assert endpoint["reasons"] == {"failed": {"timeout": 1}, "dropped": {}}
    assert endpoint["statuses"] == [
        {"primary": 200, "shadow": 200, "pairs": 9},
        {"primary": 200, "shadow": None, "pairs": 1},
    ]
    (field,) = endpoint["fields"]
    assert (field["path"], field["pairs"], field["reason"], field["control"]) == ("$.a", 2, "", None)
    assert field["examples"] == [
        {
            "id": "f1/0", "method": "GET", "url": "http://b.test/users/7?x=1", "where": "$.a", "kind": "value",
            "primary": 1, "shadow": 2,
        }
    ]  # fmt: skip
    assert [each["reason"] for each in endpoint["noisy"]] == ["time"]
    assert set(endpoint["latency"]) == {
        "pairs", "paired_median", "paired_median_interval", "pace", "obstacle", "resolution", "p50", "p95", "p99",
    }  # fmt: skip
    assert set(endpoint["latency"]["p95"]) == {
        "primary", "shadow", "difference", "difference_interval", "ratio", "ratio_interval",
    }  # fmt: skip
    (condition,) = found["conditions"]
    assert (condition["condition"], condition["endpoint"], condition["holds"]) == ("differing > 1%", None, True)


def test_hostile_content_is_only_text(hostile_summary: Summary) -> None:
    assert json.loads(json.dumps(document(hostile_summary, [])))


def test_what_does_not_apply_is_null(lost: Record, summary_of: Summarise) -> None:
    (target,) = document(summary_of(lost("reset", route=None, time="")), [])["targets"]
    assert (target["primary"], target["share"], target["share_interval"], target["latency"]) == (None, None, None, None)
