from __future__ import annotations

from mirror_addon.shadow.gauges import ComparisonGauges
from mirror_addon.shadow.gauges import Gauge
from mirror_addon.shadow.gauges import KeptGauges
from mirror_addon.shadow.gauges import LaneGauges
from mirror_addon.shadow.gauges import WorkerGauges


def test_a_gauge_remembers_its_highest() -> None:
    gauge = Gauge(10)
    gauge.add(7)
    gauge.add(-5)
    assert gauge.as_dict() == {"value": 2, "high": 7, "limit": 10}
    gauge.set(9)
    gauge.set(1)
    assert gauge.as_dict() == {"value": 1, "high": 9, "limit": 10}


def test_the_lanes_of_all_workers_are_added() -> None:
    gauges = LaneGauges(8)
    gauges.tell("worker 1", (("b/v2", 4, 3, 2), ("b/v2", 1, 1, 0)))
    gauges.tell("worker 2", (("b/v2", 2, 2, 7),))
    gauges.tell("worker 1", (("b/v3", 1, 0, 0),))
    assert gauges.as_dict() == {
        "b/v2": {
            "upstream_cx_active": {"value": 2, "high": 7, "limit": 8},
            "upstream_rq_active": {"value": 2, "high": 6, "limit": 8},
            "upstream_rq_pending_active": {"value": 7, "high": 9, "limit": None},
        },
        "b/v3": {
            "upstream_cx_active": {"value": 1, "high": 1, "limit": 8},
            "upstream_rq_active": {"value": 0, "high": 0, "limit": 8},
            "upstream_rq_pending_active": {"value": 0, "high": 0, "limit": None},
        },
    }


def test_a_worker_that_died_has_none() -> None:
    gauges = LaneGauges(8)
    gauges.tell("worker 1", (("b/v2", 4, 3, 2),))
    gauges.tell("worker 1", ())
    assert gauges.as_dict()["b/v2"]["upstream_cx_active"] == {"value": 0, "high": 4, "limit": 8}


def test_kept_bytes_of_all_workers_and_the_most_there_were() -> None:
    gauges = KeptGauges()
    gauges.tell("one", 0, 0)
    gauges.tell("one", 10, 30)
    gauges.tell("two", 5, 5)
    assert gauges.as_dict(100) == {"value": 15, "high": 30, "limit": 100}
    gauges.tell("one", 0, 0)
    assert gauges.as_dict(100)["value"] == 5


def test_pairs_that_wait_and_those_given_up_also_by_workers_that_have_ended() -> None:
    gauges = ComparisonGauges()
    gauges.tell("one", 3, 1)
    gauges.tell("two", 2, 0)
    gauges.tell("one", 0, 0)
    gauges.tell("one", 0, 2)
    assert gauges.as_dict() == {"waiting": {"value": 2, "high": 5, "limit": None}, "given_up": 3}


def test_all_that_a_worker_tells() -> None:
    gauges = WorkerGauges(8)
    gauges.tell("one", ((("b/v2", 4, 3, 2),), (10, 30), (3, 1)))
    gauges.lost("one")
    assert gauges.lanes.as_dict()["b/v2"]["upstream_cx_active"] == {"value": 0, "high": 4, "limit": 8}
    assert gauges.kept.as_dict(100)["value"] == 0
    assert gauges.comparisons.as_dict() == {"waiting": {"value": 0, "high": 3, "limit": None}, "given_up": 1}
