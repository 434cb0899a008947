from __future__ import annotations

from collections.abc import Callable

from replaytools import one
from replaytools import played

from mirror_addon.dispatch.counters import Counters
from mirror_addon.replay.setup import Setup


def test_a_planner_counts_where_it_is_told(setup: Callable[..., Setup]) -> None:
    made = setup(9, "mirror_methods=safe")
    counters = Counters()
    planner = made.planner(counters)
    recorded = one("a", 0.0)
    recorded.request.authority = b"shop.example"
    recorded.request.method = b"POST"
    assert planner.plan(next(played(recorded))).shadows == []
    assert counters.requests == 1
    assert counters.totals().skipped == {"method": 1, "percent": 1}
