"""What the page makes of a state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mirror_addon.live_page.state import State
from mirror_addon.live_page.view import STEP
from mirror_addon.live_page.view import ViewMaker
from mirror_addon.live_page.view import plots
from mirror_addon.mirroring.rerun import Left
from mirror_addon.mirroring.rerun import RerunResult
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.pair import Pair
from mirror_addon.statistics.pair_statistics import PairStatistics


def test_rows_with_differences_come_first(state: State, make_pair: Callable[..., Pair]) -> None:
    for rule in ("a", "b", "b", "c"):
        state.statistics.pair(make_pair(rule, comparison=None, primary_status=None))
    state.statistics.pair(make_pair("c"))
    assert [row.statistics.rule for row in ViewMaker().view(state).rows] == ["c", "b", "a"]


def test_newest_differing_pairs_come_first(state: State, make_pair: Callable[..., Pair]) -> None:
    for text in ("first", "second"):
        state.statistics.pair(make_pair(text))
    assert [pair.rule for pair in ViewMaker().view(state).differing] == ["second", "first"]


def test_reasons_have_meanings(state: State) -> None:
    totals = {"failed": 1, "failed.connect": 1, "skipped": 5, "skipped.percent": 3, "skipped.new_word": 2}
    view = ViewMaker().view(replace(state, totals=totals))
    assert [(each.kind, each.word, each.number) for each in view.reasons] == [
        ("failed", "connect", 1),
        ("skipped", "percent", 3),
        ("skipped", "new_word", 2),
    ]
    assert [bool(each.meaning) for each in view.reasons] == [True, True, False]


def test_the_listing_follows_the_table(state: State, example_table: RouteTable) -> None:
    maker = ViewMaker()
    assert maker.view(state).mirrored == []
    (rule,) = maker.view(replace(state, table=example_table)).mirrored
    assert str(rule.rule) == "default/serviceB http[0]"
    assert maker.view(state).mirrored == []


def test_plots_are_drawn_once_a_step(state: State) -> None:
    maker = ViewMaker()
    first = maker.view(state).plots
    assert maker.view(state).plots is first
    assert maker.view(replace(state, now=state.now + STEP)).plots is not first


def test_plots_say_what_they_show(make_pair: Callable[..., Pair]) -> None:
    now = 1_000_000.0
    statistics = PairStatistics(lambda: now)
    for _ in range(2 * STEP):
        statistics.pair(make_pair())
    now += STEP
    drawn = plots(statistics.series(STEP))
    assert drawn.rate_now == "2 sent, 0 failed or dropped, 2 different per second"
    assert drawn.rate_now in drawn.rate
    assert drawn.latency_now.startswith("p95 primary 10")
    assert drawn.latency.count("<circle") == 4


def test_calls_of_mirrors(state: State) -> None:
    assert ViewMaker().view(state).calls == []
    totals = {"sent": 1, "sandbox.answered": 3, "sandbox.different": 0, "sandbox.not_kept.streamed": 2}
    assert ViewMaker().view(replace(state, totals=totals)).calls == [("answered", 3), ("different", 0)]


def test_what_was_sent_again(state: State) -> None:
    left = Left("GET", "http://b.test/x", "$.a")
    result = RerunResult(0.0, "b/v2", 14, 12, 2, ("$.a missing",), {"paused": 1}, (left,))
    (shown,) = ViewMaker().view(replace(state, reruns=(result,))).as_dict()["reruns"]
    assert shown.pop("time").startswith("19")
    assert shown == {
        "target": "b/v2", "result": "12 of 14 fixed, 2 left, 1 new, 1 unknown (paused)",
        "pairs": 14, "fixed": 12, "left": 2, "new": ["$.a missing"], "unknown": {"paused": 1},
        "shown": [{"method": "GET", "url": "http://b.test/x", "why": "$.a"}],
    }  # fmt: skip
