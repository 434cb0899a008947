from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.live_page.rows import origin
from mirror_addon.live_page.rows import path
from mirror_addon.live_page.rows import rows
from mirror_addon.live_page.rows import what_differs
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import rules
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.statistics.pair_statistics import PairStatistics

RULE = "default/serviceB http[0]"
SENT = ShadowResult("f/0", "b/v2", "sent", status=200, total_ms=20)


def different(*paths: str, noise: str = "", more: int = 0) -> Comparison:
    return Comparison("different", tuple(Difference(each, "value", 1, 2, noise) for each in paths), more=more)


def test_a_row_names_its_route_and_what_differs_most(make_pair: Callable[..., Pair], example_table: RouteTable) -> None:
    statistics = PairStatistics()
    for paths in (("$.a", "$.b"), ("$.b", "$.c"), ("$.b", "$.c", "$.d")):
        statistics.pair(make_pair(rule=RULE, result=SENT, comparison=different(*paths)))
    statistics.pair(make_pair(rule=RULE, result=ShadowResult("f/0", "b/v2", "failed", "timeout")))
    statistics.pair(make_pair(rule=RULE, result=ShadowResult("f/0", "b/v2", "dropped", "queue_full")))
    statistics.pair(make_pair(rule=RULE, result=SENT, comparison=different("$.x"), control=True))
    statistics.pair(make_pair(rule="gone", result=SENT, comparison=Comparison("same")))
    listing = rules(example_table)
    made = {
        (row.statistics.rule, row.statistics.control): row
        for row in rows(statistics.rows(), listing, statistics.differing)
    }
    row = made[RULE, False]
    assert (row.name, row.matches) == (listing[0].rule.name, "path begins with '/serviceB'")
    assert row.differs.startswith("$.b, $.c +")
    assert row.unanswered == 2
    assert made[RULE, True].differs == "", "noise of the primary"
    gone = made["gone", False]
    assert (gone.name, gone.matches, gone.differs, gone.unanswered) == ("", "", "", 0)


@pytest.mark.parametrize(
    ("comparison", "status", "words"),
    [
        (different("$.a"), 200, "$.a"),
        (different("$.a", "$.a", "$.b"), 200, "$.a, $.b"),
        (different("$.a", "$.b", "$.c", more=4), 200, "$.a, $.b +5"),
        (None, 500, "status"),
        (different("$.a", noise="time"), 200, ""),
    ],
)
def test_what_differs(make_pair: Callable[..., Pair], comparison: Comparison | None, status: int, words: str) -> None:
    statistics = PairStatistics()
    result = ShadowResult("f/0", "b/v2", "sent", status=status, total_ms=20)
    statistics.pair(make_pair(result=result, comparison=comparison))
    (pair,) = statistics.differing
    assert what_differs(pair) == words


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://shop.test/a/b?c=d", ("http://shop.test", "/a/b?c=d")),
        ("http://shop.test:8080/", ("http://shop.test:8080", "/")),
        ("https://[::1]:9?x=/", ("https://[::1]:9", "?x=/")),
        ("http://shop.test", ("http://shop.test", "/")),
        ("x", ("", "x")),
        ("", ("", "/")),
    ],
)
def test_the_parts_of_a_url(url: str, parts: tuple[str, str]) -> None:
    assert (origin(url), path(url)) == parts
