from __future__ import annotations

from dataclasses import replace
from typing import Any

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.findings import FindingsTally
from mirror_addon.compare.redaction import Redaction
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.statistics.pair_findings import SHOWN_URL
from mirror_addon.statistics.pair_findings import count_causes
from mirror_addon.statistics.pair_statistics import PairStatistics


def pair(*differences: Difference, verdict: str | None = "different", status: int = 200, **changes: Any) -> Pair:
    comparison = Comparison(verdict, differences) if verdict else None
    result = ShadowResult("f/0", "b/v2", "sent", status=status, total_ms=1)
    fields: dict[str, Any] = {"method": "GET", "url": "http://shop.test/orders/7?x=1", "control": False} | changes
    return Pair("f/0", "f", "r", "b/v1", "b/v2", primary_status=200, primary_ms=1.0, result=result,
                comparison=comparison, **fields)  # fmt: skip


TAX = Difference("$.items[*].tax", "missing", 1, None, "", "$.items[0].tax")
TIME = Difference("$.at", "value", "a", "b", "time", "$.at")


def test_causes_by_endpoint_with_an_example() -> None:
    found = FindingsTally()
    (cause,) = count_causes(found, pair(TAX, TIME))
    count_causes(found, pair(TAX, url="http://shop.test/carts/1"))
    (finding,) = found.findings(2)
    assert (finding.cause, finding.pairs, finding.endpoints) == (cause, 2, ("GET /carts/{id}", "GET /orders/{id}"))
    assert finding.example is not None and finding.example.where == "$.items[0].tax"


def test_the_endpoint_is_named_as_in_the_record() -> None:
    statistics = PairStatistics()
    each = pair(TAX, method="POST", url="http://shop.test/graphql")
    assert each.comparison is not None
    each.comparison = replace(each.comparison, endpoint="POST /graphql GetUser")
    statistics.pair(each)
    assert [each.endpoints for each in statistics.findings()] == [("POST /graphql GetUser",)]
    assert statistics.differing[0].endpoint == "POST /graphql GetUser"


def test_status_codes_alone_and_differences_that_are_not_listed() -> None:
    found = FindingsTally()
    assert [each.title for each in count_causes(found, pair(verdict=None, status=503))] == ["status 2xx -> 503"]
    assert [each.path for each in count_causes(found, pair())] == ["(differences not listed)"]
    (listed, unlisted) = found.findings(2)
    assert {listed.example is None, unlisted.example is None} == {True, False}
    count_causes(found, pair(TAX, url="http://x/" + "a" * 10_000))
    assert all(each.example is None or len(each.example.url) <= SHOWN_URL for each in found.findings(3))


def test_statistics_count_differing_pairs_and_no_controls() -> None:
    statistics = PairStatistics()
    for each in (pair(TAX), pair(TIME, verdict="noise"), pair(TAX, control=True), pair(verdict="same")):
        statistics.pair(each)
    (finding,) = statistics.findings()
    assert (finding.pairs, finding.compared, finding.state) == (1, 3, "new")
    copy = statistics.copy()
    statistics.pair(pair(TAX, Difference("$.a", "value", 1, 2)))
    assert copy.findings({finding.id})[0].state == "accepted" and len(copy.findings()) == 1
    assert [each.pairs for each in statistics.findings()] == [2, 1]


def test_secrets_in_urls_are_not_shown() -> None:
    found = FindingsTally()
    url = "http://shop.test/orders/7?access_token=hunter2"
    count_causes(found, pair(TAX, url=url, redaction=Redaction(("query:access_token",))))
    (finding,) = found.findings(1)
    assert finding.example is not None and "hunter2" not in str(finding)
